"""Every page is rendered with rows in it, and every address refuses people without permission."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from fastapi.routing import APIRoute

from app.accounts import service as accounts
from app.blind import service as blind
from app.blind.spec import BlindSpec
from app.brand import scores
from app.brand import service as brand
from app.brand.spec import BrandSpec
from app.customs import queries as customs
from app.customs import sheets
from app.days import today
from app.guide.lessons import LESSONS
from app.languages import LANGUAGES
from app.main import PAGES
from app.models import BlindTest, ImageSet, ItemAnswer, Role, State, Style, User, Verdict
from app.policy import service as policy
from app.policy.service import PolicySpec
from app.reports import service as reports
from app.reports.spec import ReportSpec
from app.reviews import requirements
from app.reviews import service as reviews
from app.rights import service as rights
from app.sets import safety, versions
from app.sets.versions import RedoSpec
from app.web.templating import TEMPLATES
from app.wiring import KINDS
from app.work.kinds import WorkKind
from tests.engine.painter import Painter
from tests.factory import MODEL, Factory
from tests.web.server import Browser, Server, make_person, making, share_link, shared_export

NAVIGATION = {
    "/",
    "/sets",
    "/review",
    "/pictures",
    "/styles",
    "/subjects",
    "/exports",
    "/account",
    "/policy",
    "/people",
    "/guide",
}
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
    "/login/language",
    "/languages/{language}/{version}.js",
    "/setup/{token}",
    "/reset/{token}",
    "/healthz",
    "/readyz",
    "/metrics",
    "/shared/{token}",
    "/shared/{token}/download.zip",
    "/shared/{token}/pictures/{position}/thumb-{side}.webp",
    "/shared/{token}/pictures/{position}/download",
    "/shared/{token}/pictures/{position}/report",
}
OF_CHOSEN = {"/pictures/approved.zip", "/pictures/export", "/pictures/checklists"}
OF_ADMINS = {
    "/people",
    "/people/second-step",
    "/policy/edit",
    "/policy/people",
    "/policy/end",
    "/people/invite",
    "/people/{person_id}",
    "/people/{person_id}/transfer",
    "/people/{person_id}/reset",
    "/people/{person_id}/sessions/end",
    "/people/{person_id}/second-step/reset",
    "/people/invitations/{invitation_id}/revoke",
    "/people/resets/{reset_id}/revoke",
}
ONCE = "/account/authenticator/codes"  # shows what was just made, and redirects otherwise
# Covered by test_asking, test_oidc and test_factors.
MOMENTS = {"ask.html", "accounts/ended.html", "accounts/second.html", "accounts/codes.html", "errors/fix.html"}
ENDLESS = "/news"  # a stream that waits for more
# Of the person who asked for it or was invited, and in no list
OWN = ("/strips/", "/tunings/", "/brand/{of}/{of_id}/proposal", "/blind/{test_id}/judge", "/blind/{test_id}/{number}")
PARTS = ("/preview", "/events", ENDLESS, "/example", "/maps", "/warnings", "/palette")  # parts of pages, or streams
NO_PAGES = (*PARTS, "/map-sheet", "/map-plain")


def answered(make: Factory, owner: User) -> int:
    """A decision on a picture whose campaign requires a checklist."""
    manager = make.user(Role.MANAGER)
    image_set = make.finished_set(owner, campaign="Japan")
    requirements.require(make.session, manager, image_set.campaign_id, [1])
    image = image_set.images[0]
    items = customs.required(make.session, [1])[1].items
    sheets.save(
        make.session, manager, image, {(1, item.key, item.stamp): sheets.Given(ItemAnswer.FINE) for item in items}
    )
    made = reviews.decide(make.session, manager, image.id, "approved", None)
    make.session.flush()
    return made.id


def compared(make: Factory, style: Style, image_set: ImageSet) -> BlindTest:
    """A blind test with a result, of a set and one more in its style."""
    other = make.finished_set(style=style, prompts="a fox\nan owl")
    maker = make.user(Role.REVIEWER)
    spec = BlindSpec.parse(
        {
            "name": "Looks",
            "a": f"set-{image_set.id}",
            "b": f"set-{other.id}",
            "question": "closer",
            "people": (maker.id,),
            "planned": 2,
        }
    )
    test = blind.create(make.session, maker, spec)
    for number in (1, 2):
        blind.judge(make.session, maker, test.id, number, "left")
    open_test = blind.create(make.session, maker, spec)
    assert test.ended_at
    assert not open_test.ended_at
    return test


@pytest.fixture
def filled(server: Server) -> dict[str, str]:
    """A server with one of everything; returns the values for the addresses' parameters."""
    with making(server) as make:
        owner = make.user(Role.DESIGNER, "森 はるか")
        style = make.style(owner, name="Retro sunburst", text="vintage poster")
        image_set = make.finished_set(owner, style, prompts="a fox\na teapot\n露のついたぶどうの房\nan owl", count=2)
        make.measured(image_set)
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
        reports.report(
            make.session, owner, image_set.images[4].id, ReportSpec.checked("other", "The hand has six fingers")
        )
        safety.flag(make.session, image_set.images[4], 0.9)
        make.session.flush()
        admin = make.user(Role.ADMIN)
        policy.publish(make.session, admin, PolicySpec(english="# Use\n\nBe kind.\n\n- No logos\n\n1. Ask"))
        make.session.flush()
        policy.end(make.session, admin, 1)  # else everybody would have to accept it
        make.session.flush()
        rules = BrandSpec.checked({"words": "fox"})
        brand.save(make.session, make.user(Role.MANAGER), "style", style.id, rules, 0)
        scores.keep(make.session, scores.scored(make.session))
        values = {
            "number": "1",
            "test_id": str(compared(make, style, image_set).id),
            "word_id": "404",
            "report_id": "404",
            "likeness_id": "404",
            "file_id": str(document.id),
            "map_id": str(make.structure_map(owner).id),
            "mask": make.structure_map(owner).sha256,
            "subject_id": str(subject.id),
            "position": "1",
            "sample_id": str(subject.samples[0].id),
            "sha256": subject.pictures[0].sha256,
            "set_id": str(image_set.id),
            "noun": "set",
            "row_id": str(image_set.id),
            "of": "style",
            "of_id": str(style.id),
            "image_id": str(image_set.images[0].id),
            "code": style.code,
            "reference_id": str(reference.id),
            "campaign_id": str(image_set.campaign.id),
            "person_id": str(owner.id),
            "session_id": "404",
            "offer": "404",
            "strip_id": "404",
            "tuning_id": "404",
            "template_id": "404",
            "prompt_id": "404",
            "invitation_id": "404",
            "reset_id": "404",
            "passkey_id": "404",
            "side": "320",
            "decision_id": str(answered(make, owner)),
            "list_id": "1",
            "key": "four-nine",
            "thread_id": "1",
            "comment_id": "1",
            "reason_id": "1",
            "search_id": "1",
            "token": "unknown",
            "language": "ja",
            "slug": "strength",
            "slide": "3",
            "version": "0",
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
        if method != "GET" or path in (*OPEN_TO_ALL, ONCE) or path.endswith(NO_PAGES) or path.startswith(OWN):
            continue
        query = f"?ids={filled['image_id']}" if path in OF_CHOSEN else ""
        answer = manager.get(fill(path, filled) + query)
        assert answer.status_code == 200, f"{path}: {answer.status_code}"
        if answer.headers["content-type"].startswith("text/html"):
            assert answer.text.rstrip().endswith("</html>"), path
            if crumb := re.search(r'class="crumbs".*?<a href="([^"]*)"', answer.text, re.S):
                assert crumb[1].partition("?")[0] in NAVIGATION, f"{path} begins its way at {crumb[1]}"


def test_every_page_opens_on_an_empty_server(sign_in: Callable[..., Browser]) -> None:
    admin = sign_in(Role.ADMIN)
    for method, path in routes():
        if (
            method == "GET"
            and "{" not in path
            and path not in (*OF_CHOSEN, "/metrics", "/events")
            and "/oidc" not in path
        ):
            assert admin.get(path, follow_redirects=True).status_code == 200, path


def test_every_template_is_rendered_by_some_page(
    server: Server, filled: dict[str, str], anonymous: Browser, sign_in: Callable[..., Browser]
) -> None:
    inviter = make_person(server, Role.ADMIN)
    with server.resources.database.write() as session:
        token = accounts.invite(session, inviter, Role.DESIGNER)
        reset = accounts.create_reset(session, inviter, int(filled["person_id"]))
    link, _ = share_link(server, int(filled["export_id"]))
    for path in (
        "/login",
        f"/setup/{token}",
        f"/reset/{reset}",
        f"/shared/{link}",
        f"/shared/{link}/pictures/1/report",
        "/nothing",
    ):
        anonymous.get(path)
    admin = sign_in(Role.ADMIN)
    test_id = int(filled["test_id"]) + 1
    with server.resources.database.write() as session:
        blind.invite(session, admin.user, test_id, [admin.user.id])
    for path in (f"/blind/{test_id}", f"/blind/{test_id}/judge", f"/blind/{test_id}/1/left.webp"):
        assert admin.get(path).status_code == 200
    for method, path in routes():
        if method == "GET" and not path.endswith((".png", ".webp", ".zip", "/preview", ENDLESS)):
            admin.get(fill(path, filled))
    assert "a fox" in admin.get("/search?q=fox").text
    admin.get(admin.post("/tunings", data={"style": filled["code"], "prompts": "a fox"}).headers["location"])
    assert admin.get(f"/pictures/checklists?ids={filled['image_id']}").status_code == 200
    for language in LANGUAGES:
        admin.post("/account/language", data={"language": language, "back": "/"})
        for slug in (*LESSONS, "workshop"):
            assert admin.get(f"/guide/{slug}").status_code == 200
    set_id = filled["set_id"]
    for part in (
        f"/pictures?after={filled['image_id']}",
        f"/sets/{set_id}?after=1",
        f"/sets/{set_id}/alike",
        f"/sets/{set_id}/measures",
    ):
        assert admin.get(part, headers={"HX-Request": "true"}).status_code == 200
    rendered = {name for _, name in server.resources.environment.cache}
    queued = {"queue/_acts.html", "home/_queued_aside.html", *map(queued_row, KINDS)}
    assert rendered | MOMENTS | {"home/_first_run.html"} | queued == {
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
        image_id = make.finished_set().images[0].id
    manager = sign_in(Role.MANAGER)
    drafts = {"style": image_set.style_version.style.code, "prompts": "a fox"}
    assert manager.post("/tunings", data=drafts).status_code == 303
    assert manager.post("/strips", data=drafts | {"count": "1"}).status_code == 200
    assert manager.post(f"/images/{image_id}/map").status_code == 303
    home = manager.get("/").text
    assert f'<a class="t" href="/sets/{image_set.id}">Autumn</a>' in home
    assert f'href="/subjects/{subject.id}">Training @{subject.handle}</a>' in home
    assert "Move Autumn to the top" in manager.get("/queue").text
    rendered = {name for _, name in server.resources.environment.cache}
    assert {"queue/_acts.html", "home/_queued_aside.html", *map(queued_row, KINDS)} <= rendered


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
