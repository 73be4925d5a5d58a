"""Every page is rendered with rows in it, and every address refuses people without permission."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from fastapi.routing import APIRoute

from app.accounts import service as accounts
from app.days import today
from app.main import PAGES
from app.models import Role, State, Verdict
from app.rights import service as rights
from app.sets import versions
from app.sets.versions import RedoSpec
from app.web.templating import TEMPLATES
from app.wiring import KINDS
from app.work.kinds import WorkKind
from tests.engine.painter import Painter
from tests.factory import MODEL
from tests.web.server import Browser, Server, make_person, making, share_link, shared_export

OPEN_TO_ALL = {
    "/login",
    "/login/second",
    "/login/passkey",
    "/login/passkey/options",
    "/login/oidc",
    "/login/oidc/callback",
    "/login/oidc/ended",
    "/login/oidc/logout",
    "/logout",
    "/setup/{token}",
    "/reset/{token}",
    "/healthz",
    "/readyz",
    "/metrics",
    "/shared/{token}",
    "/shared/{token}/download.zip",
}
OF_CHOSEN = {"/pictures/approved.zip", "/pictures/export"}
OF_ADMINS = {
    "/people",
    "/people/invite",
    "/people/{person_id}",
    "/people/{person_id}/reset",
    "/people/{person_id}/sessions/end",
    "/people/{person_id}/second-step/reset",
    "/people/invitations/{invitation_id}/revoke",
    "/people/resets/{reset_id}/revoke",
}
ONCE = "/account/authenticator/codes"  # shows what was just made, and redirects otherwise
# Covered by test_oidc and test_factors.
MOMENTS = {"accounts/ended.html", "accounts/second.html", "accounts/codes.html"}
ENDLESS = "/news"  # a stream that waits for more
NO_PAGES = ("/preview", "/events", ENDLESS, "/example", "/maps", "/warnings")  # parts of pages, or streams


@pytest.fixture
def filled(server: Server) -> dict[str, str]:
    """A server with one of everything; returns the values for the addresses' parameters."""
    with making(server) as make:
        owner = make.user(Role.DESIGNER, "森 はるか")
        style = make.style(owner, name="Retro sunburst", text="vintage poster")
        image_set = make.finished_set(owner, style, prompts="a fox\na teapot\n露のついたぶどうの房\nan owl", count=2)
        make.decide(image_set.images[0])
        make.decide(image_set.images[1], Verdict.CHANGES_REQUESTED)
        make.decide(image_set.images[2], Verdict.REJECTED)
        make.decide(image_set.images[3])
        make.decide(image_set.images[3], Verdict.WITHDRAWN)
        draft = RedoSpec(prompt="a pear")
        (again,) = versions.redo(make.session, owner, image_set.images[5].id, draft, MODEL, unit_size=4)
        assert again.unit
        again.state = again.unit.state = State.FAILED
        subject = make.finished_subject(owner)
        make.image_set(owner, style, prompts=f"@{subject.handle} on a beach")
        reference = style.versions[0].references[0].reference
        make.right(reference, valid_until=(today() + timedelta(days=3)).isoformat())
        document = rights.add_file(
            make.session, owner, reference, rights.keep_document(make.files, b"%PDF-1.7"), "licence.pdf"
        )
        make.session.flush()
        values = {
            "file_id": str(document.id),
            "map_id": str(make.structure_map(owner).id),
            "mask": make.structure_map(owner).sha256,
            "subject_id": str(subject.id),
            "position": "1",
            "sample_id": str(subject.samples[0].id),
            "sha256": subject.pictures[0].sha256,
            "set_id": str(image_set.id),
            "image_id": str(image_set.images[0].id),
            "code": style.code,
            "reference_id": str(reference.id),
            "campaign_id": str(image_set.campaign.id),
            "person_id": str(owner.id),
            "session_id": "404",
            "invitation_id": "404",
            "reset_id": "404",
            "passkey_id": "404",
            "side": "320",
            "decision_id": "1",
            "thread_id": "1",
            "reason_id": "1",
            "search_id": "1",
            "token": "unknown",
        }
    export, share = shared_export(server, image_set.id)
    return values | {"export_id": str(export.id), "share_id": str(share.id)}


def routes() -> list[tuple[str, str]]:
    found = [
        (method, route.path)
        for module in PAGES
        for route in module.router.routes
        if isinstance(route, APIRoute)
        for method in sorted(route.methods)
    ]
    assert len(found) > 40
    return found


def fill(path: str, values: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda match: values[match[1]], path)


def test_every_page_opens(filled: dict[str, str], sign_in: Callable[..., Browser]) -> None:
    manager = sign_in(Role.ADMIN)
    for method, path in routes():
        if method != "GET" or path in (*OPEN_TO_ALL, ONCE) or path.endswith(NO_PAGES):
            continue
        query = f"?ids={filled['image_id']}" if path in OF_CHOSEN else ""
        answer = manager.get(fill(path, filled) + query)
        assert answer.status_code == 200, f"{path}: {answer.status_code}"
        if answer.headers["content-type"].startswith("text/html"):
            assert answer.text.rstrip().endswith("</html>"), path


def test_every_page_opens_on_an_empty_server(sign_in: Callable[..., Browser]) -> None:
    admin = sign_in(Role.ADMIN)
    for method, path in routes():
        if method == "GET" and "{" not in path and path not in (*OF_CHOSEN, "/metrics") and "/oidc" not in path:
            assert admin.get(path, follow_redirects=True).status_code == 200, path


def test_every_template_is_rendered_by_some_page(
    server: Server, filled: dict[str, str], anonymous: Browser, sign_in: Callable[..., Browser]
) -> None:
    inviter = make_person(server, Role.ADMIN)
    with server.resources.database.write() as session:
        token = accounts.invite(session, inviter, Role.DESIGNER)
        reset = accounts.create_reset(session, inviter, int(filled["person_id"]))
    link, _ = share_link(server, int(filled["export_id"]))
    for path in ("/login", f"/setup/{token}", f"/reset/{reset}", f"/shared/{link}", "/nothing"):
        anonymous.get(path)
    admin = sign_in(Role.ADMIN)
    for method, path in routes():
        if method == "GET" and not path.endswith((".png", ".webp", ".zip", "/preview", ENDLESS)):
            admin.get(fill(path, filled))
    for part in (f"/pictures?after={filled['image_id']}", f"/sets/{filled['set_id']}?after=1"):
        assert admin.get(part, headers={"HX-Request": "true"}).status_code == 200
    rendered = {name for _, name in server.resources.environment.cache}
    assert rendered | MOMENTS | {"home/_first_run.html"} | {queued_row(kind) for kind in KINDS} == {
        path.relative_to(TEMPLATES).as_posix() for path in TEMPLATES.rglob("*.html")
    }


def test_the_first_visit_is_rendered_too(server: Server, sign_in: Callable[..., Browser]) -> None:
    assert "Start with one picture" in sign_in().get("/").text
    assert "home/_first_run.html" in {name for _, name in server.resources.environment.cache}


def queued_row(kind: WorkKind) -> str:
    return f"home/_queued_{kind.noun}.html"


@pytest.mark.parametrize("engine", [Painter(slots=0)], ids=["idle"])
def test_every_kind_of_work_has_its_row_in_the_queue(server: Server, sign_in: Callable[..., Browser]) -> None:
    with making(server) as make:
        image_set, subject = make.image_set(name="Autumn"), make.subject()
    home = sign_in().get("/").text
    assert f'<a class="t" href="/sets/{image_set.id}">Autumn</a>' in home
    assert f'href="/subjects/{subject.id}">Training @{subject.handle}</a>' in home
    assert {queued_row(kind) for kind in KINDS} <= {name for _, name in server.resources.environment.cache}


def test_anonymous_sees_nothing(filled: dict[str, str], anonymous: Browser) -> None:
    for method, path in routes():
        if path in OPEN_TO_ALL:
            continue
        answer = anonymous.request(method, fill(path, filled))
        assert answer.status_code == 303, f"{method} {path}: {answer.status_code}"
        assert answer.headers["location"].startswith("/login"), path
        answer = anonymous.request(method, fill(path, filled), headers={"accept": "image/png"})
        assert answer.status_code == 401, f"{method} {path}: {answer.status_code}"


@pytest.mark.parametrize("role", [Role.DESIGNER, Role.REVIEWER, Role.MANAGER])
def test_pages_of_administrators_are_closed_to_others(
    filled: dict[str, str], sign_in: Callable[..., Browser], role: Role
) -> None:
    browser = sign_in(role)
    for method, path in routes():
        if path in OF_ADMINS:
            assert browser.request(method, fill(path, filled)).status_code == 403, path


def test_a_designer_decides_nothing(filled: dict[str, str], designer: Browser) -> None:
    path = f"/images/{filled['image_id']}/decision"
    assert designer.post(path, data={"verdict": "approved", "seen": ""}).status_code == 403
    assert "Only reviewers decide" in designer.get(f"/review?image={filled['image_id']}").text


@pytest.mark.parametrize("path", ["cancel", "retry"])
def test_a_designer_only_changes_their_own_sets(filled: dict[str, str], designer: Browser, path: str) -> None:
    answer = designer.post(f"/sets/{filled['set_id']}/{path}")
    assert answer.status_code == 403
    assert "Only 森 はるか or a manager can change this set." in answer.text


def test_a_designer_only_changes_their_own_styles(filled: dict[str, str], designer: Browser) -> None:
    code = filled["code"]
    assert designer.get(f"/styles/{code}/edit").status_code == 403
    assert designer.post(f"/styles/{code}/archive").status_code == 403
    form = {"name": "Mine now", "reference_id": filled["reference_id"]}
    assert designer.post(f"/styles/{code}", data=form).status_code == 403


def test_a_designer_only_downloads_their_own_sets(filled: dict[str, str], designer: Browser) -> None:
    for path in ("/sets/{set_id}/approved.zip", "/campaigns/{campaign_id}/approved.zip"):
        assert designer.get(fill(path, filled)).status_code == 403, path
    assert designer.get(f"/pictures/approved.zip?ids={filled['image_id']}").status_code == 403
