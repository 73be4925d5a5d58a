"""Every address that takes a form parses it into a class of `app.web.forms`, and so do the pages that send one."""

import ast
import re
from pathlib import Path

import pytest
from fastapi.routing import APIRoute
from starlette.datastructures import FormData

from app.main import PAGES
from app.web.forms.form import Form
from app.web.templating import TEMPLATES
from tests.web.world import form_of, names_of

ROOT = Path(__file__).parents[2]
ROUTES = [route for module in PAGES for route in module.router.routes if isinstance(route, APIRoute)]
POSTS = [route for route in ROUTES if "POST" in route.methods]
# The address says everything about these acts; any body is ignored.
NOTHING_READ = {
    "/logout",
    "/login/passkey/options",
    "/confirm/passkey/options",
    "/account/passkeys/options",
    "/account/passkeys/{passkey_id}/remove",
    "/account/sessions/{session_id}/end",
    "/account/sessions/end",
    "/account/authenticator/codes",
    "/account/authenticator/remove",
    "/people/invitations/{invitation_id}/revoke",
    "/people/resets/{reset_id}/revoke",
    "/people/{person_id}/reset",
    "/people/{person_id}/sessions/end",
    "/people/{person_id}/second-step/reset",
    "/blocked/{word_id}/remove",
    "/sample/open",
    "/sample/remove",
    "/checklist/hide",
    "/checklist/show",
    "/brand/{of}/{of_id}/versions/{number}/restore",
    "/blind/{test_id}/leave",
    "/blind/{test_id}/join",
    "/reports/{report_id}/hold",
    "/reports/{report_id}/release",
    "/styles/{code}/archive",
    "/styles/{code}/unarchive",
    "/subjects/{subject_id}/likeness/{likeness_id}/remove",
    "/subjects/{subject_id}/cancel",
    "/subjects/{subject_id}/retry",
    "/subjects/{subject_id}/archive",
    "/subjects/{subject_id}/unarchive",
    "/sets/{set_id}/cancel",
    "/strips/{strip_id}/cancel",
    "/tunings/{tuning_id}/cancel",
    "/images/{image_id}/map",
    "/images/{image_id}/map/cancel",
    "/templates/{template_id}/delete",
    "/templates/{template_id}/restore",
    "/templates/prompts/{prompt_id}/remove",
    "/sets/{set_id}/retry",
    "/sets/{set_id}/retry-now",
    "/sets/{set_id}/held/retry",
    "/sets/{set_id}/held/remove",
    "/images/{image_id}/retry",
    "/images/{image_id}/cancel",
    "/queue/resume",
    "/images/{image_id}/discard",
    "/review/reasons/{reason_id}/remove",
    "/checklists/{list_id}/delete",
    "/checklists/{list_id}/restore",
    "/checklists/{list_id}/items/{key}/remove",
    "/checklists/{list_id}/items/{key}/restore",
    "/checklists/{list_id}/versions/{version}/restore",
    "/references/{reference_id}/rights/files/{file_id}/remove",
    "/exports/{export_id}/again",
    "/exports/{export_id}/anew",
    "/exports/{export_id}/delete",
    "/exports/{export_id}/shares/revoke",
    "/exports/{export_id}/shares/{share_id}/resume",
    "/record/check",
}
OF_SCRIPTS = {"quality"}  # which fills in the steps


def test_every_post_parses_a_form_or_reads_nothing() -> None:
    assert {route.path for route in POSTS if not form_of(route)} == NOTHING_READ
    assert not [route.path for route in ROUTES if "POST" not in route.methods and form_of(route)]


def test_forms_are_classes_of_their_package_and_each_is_some_routes() -> None:
    of_routes = {form for route in POSTS if (form := form_of(route))}
    assert all(form.__module__.startswith("app.web.forms.") for form in of_routes)
    parents = {parent for form in of_routes for parent in form.__mro__}
    assert set(all_forms(Form)) <= parents


def all_forms(form: type[Form]) -> list[type[Form]]:
    return [each for child in form.__subclasses__() for each in (child, *all_forms(child))]


@pytest.mark.parametrize("file", sorted((ROOT / "app" / "web").rglob("*.py")), ids=lambda file: file.name)
def test_no_route_reads_a_form_by_hand(file: Path) -> None:
    """Only the forms read the body, and the confirm page, which sends a form again."""
    if file.parent.name == "forms" or file.name == "confirm.py":
        return
    names = {node.id for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Name)}
    assert not names & {"FormData", "sent_form", "UploadFile"}, file


def test_what_a_page_sends_is_read() -> None:
    """Each form of a template that names its address has exactly the fields of that address's form."""
    known = {re.sub(r"{\w+}", "*", route.path): form_of(route) for route in POSTS}
    seen = 0
    for path in sorted(TEMPLATES.rglob("*.html")):
        for opening, body in re.findall(r"<form\b([^>]*)>(.*?)</form>", path.read_text(), re.DOTALL):
            action = re.search(r'\baction="([^"{]*(?:{{[^}]*}}[^"{]*)*)"', opening)
            form = known.get(re.sub(r"{{.*?}}", "*", action[1])) if action and 'method="post"' in opening else None
            if form:
                seen += 1
                names = set(re.findall(r'<(?:input|select|textarea|button)\b[^>]*?\bname="([\w-]+)"', body))
                assert names - OF_SCRIPTS <= names_of(form), f"{path.name}: {action and action[1]}"
    assert seen > 15


@pytest.mark.parametrize("form", all_forms(Form), ids=lambda form: form.__name__)
def test_a_form_refuses_nothing(form: type[Form]) -> None:
    names = names_of(form)
    form.of(FormData([]))
    for value in ("", "x", "-1", "9" * 40, "\x00", "[]"):
        form.of(FormData([(name, value) for name in names for _ in range(2)]))
