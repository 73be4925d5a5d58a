"""What somebody types survives: a reload, an expired session, a restart, a second tab; and nobody else sees it."""

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape

import httpx2
import pytest
from PIL import Image

from app.accounts import service as accounts
from app.drafts import service
from app.models import Draft, DraftFile, LoginSession, Role, User, now
from app.reviews import service as reviews
from app.upkeep.needed import needed
from tests.factory import PASSWORD, encoded
from tests.web.server import Browser, Server, making, shared_export, signed_in_browser
from tests.web.test_acts import white

FORM = {"draft-place": "/sets/new", "draft": "a-key-of-the-page", "draft-revision": "0"}
TYPED = {"prompts": "a fox\nan owl", "name": "Autumn table", "steps": "7"}


def drafts(server: Server) -> list[Draft]:
    with server.resources.database.read() as session:
        return session.query(Draft).order_by(Draft.id).all()


def save(browser: Browser, **more: str) -> httpx2.Response:
    return browser.post("/drafts", data=FORM | TYPED | more)


def fields_of(html: str) -> dict[str, str]:
    """The draft's own fields of a page."""
    return dict(re.findall(r'type="hidden" name="(draft[a-z-]*)" value="([^"]*)"', html))


def shows(html: str, **typed: str) -> bool:
    text = unescape(html)
    return all(f'value="{value}"' in text or f"\n{value}</textarea>" in text for value in typed.values())


def expire(server: Server, user: User) -> None:
    """As after a night: the session is not used for too long. (Those past their last day are removed daily.)"""
    with server.resources.database.write() as session:
        session.query(LoginSession).filter_by(user_id=user.id).update({"seen_at": now() - timedelta(days=60)})


def test_typed_work_is_there_again(server: Server, designer: Browser) -> None:
    with making(server) as make:
        make.style(designer.user)
    page = designer.get("/sets/new").text
    assert "data-typed-words></span>" in page
    answer = save(designer).json()
    assert (answer["key"], answer["revision"]) == (FORM["draft"], 1)
    page = designer.get("/sets/new").text
    assert shows(page, **TYPED)
    assert f"Draft from {answer['saved']}" in page
    assert fields_of(page) == {"draft": answer["key"], "draft-place": "/sets/new", "draft-revision": "1"}
    assert not shows(designer.get("/sets/new?style=SOR-2222").text, **TYPED), "another address is another form"


def test_nobody_else_sees_it(server: Server, designer: Browser, sign_in: Callable[..., Browser]) -> None:
    with making(server) as make:
        make.style(designer.user)
    save(designer)
    admin = sign_in(Role.ADMIN)
    for path in ("/sets/new", f"/sets/new?draft={FORM['draft']}"):
        assert not shows(admin.get(path).text, **TYPED)
    assert save(admin, name="Mine").json()["key"] != FORM["draft"]
    admin.post("/drafts/discard", data={"draft": f"{FORM['draft']} /sets/new"})
    assert len(drafts(server)) == 2


def test_sending_removes_it_with_what_was_sent(server: Server, designer: Browser) -> None:
    with making(server) as make:
        style = make.style(designer.user)
    save(designer)
    assert designer.post("/sets", data=FORM | TYPED | {"style": style.code}).status_code == 303
    assert drafts(server) == []


def test_a_refused_form_is_kept_without_scripts(server: Server, designer: Browser) -> None:
    with making(server) as make:
        style = make.style(designer.user)
    page = designer.post("/sets", data=FORM | TYPED | {"style": style.code, "steps": "many"}).text
    (draft,) = drafts(server)
    assert fields_of(page)["draft-revision"] == str(draft.revision) == "1"
    assert shows(designer.get("/sets/new").text, name="Autumn table", steps="many")
    again = fields_of(page) | TYPED | {"style": style.code}
    assert designer.post("/sets", data=again).status_code == 303
    assert drafts(server) == []


def test_two_tabs_do_not_overwrite_each_other(server: Server, designer: Browser) -> None:
    with making(server) as make:
        make.style(designer.user)
    first = save(designer).json()
    here = {"draft": first["key"], "draft-revision": str(first["revision"])}
    second = save(designer, **here, name="From one tab").json()
    assert (second["key"], second["revision"]) == (first["key"], 2)
    other = save(designer, **here, name="From another").json()
    assert other["key"] != first["key"]
    page = designer.get("/sets/new").text
    assert shows(page, name="From another")
    assert f'href="/sets/new?draft={first["key"]}"' in page
    assert shows(designer.get(f"/sets/new?draft={first['key']}").text, name="From one tab")
    mine = save(designer, **here | {"draft": other["key"], "draft-tab": "this-tab"}, name="Mine").json()
    later = save(designer, **here | {"draft": mine["key"], "draft-tab": "this-tab"}, name="Mine, too").json()
    assert later["key"] == mine["key"], "a tab does not conflict with itself"


def test_discarding_shows_the_empty_form(server: Server, designer: Browser) -> None:
    save(designer)
    answer = designer.post("/drafts/discard", data={"draft": f"{FORM['draft']} /sets/new"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/sets/new")
    assert drafts(server) == []
    assert designer.post("/drafts/discard", data={"draft": "x https://example.com/"}).headers["location"] == "/"


def test_an_expired_session_loses_nothing(server: Server, designer: Browser) -> None:
    with making(server) as make:
        style = make.style(designer.user)
    expire(server, designer.user)
    sent = FORM | TYPED | {"style": style.code}
    answer = designer.post("/sets", data=sent, headers={"referer": f"{server.url}/sets/new"})
    assert answer.headers["location"] == "/login?next=/sets/new"
    assert "what you entered is kept" in designer.get(answer.headers["location"]).text
    answer = designer.post("/login", data={"email": designer.user.email, "password": PASSWORD, "next": "/sets/new"})
    assert answer.headers["location"] == "/sets/new"
    assert shows(designer.get("/sets/new").text, **TYPED)


def test_a_file_of_an_expired_session_is_chosen_again(server: Server, designer: Browser) -> None:
    expire(server, designer.user)
    sent = {"draft-place": "/styles/new", "name": "Blueprint"}
    answer = designer.post("/styles", data=sent, files={"picture": ("a.png", encoded_picture(), "image/png")})
    page = designer.get(answer.headers["location"]).text
    assert "what you entered is kept. Then choose the file again: it was not kept." in page


def test_a_long_form_of_an_expired_session_is_kept_whole(server: Server, designer: Browser) -> None:
    """Longer than a field may be: it is refused later, with everything typed still there."""
    expire(server, designer.user)
    prompts = "\n".join(f"a fox {number}" for number in range(90_000))
    sent = {"draft-place": "/sets/new", "prompts": prompts, "name": "Autumn"}
    answer = designer.post("/sets", data=sent)
    assert answer.headers["location"] == "/login?next=/sets/new"
    (draft,) = drafts(server)
    assert dict(draft.fields) == {"prompts": prompts, "name": "Autumn"}
    assert draft.length > 900_000


def test_saving_after_the_session_expired_keeps_it_too(server: Server, designer: Browser) -> None:
    expire(server, designer.user)
    assert designer.post("/drafts", data=FORM | TYPED, headers={"accept": "application/json"}).status_code == 401
    assert [draft.user_id for draft in drafts(server)] == [designer.user.id]


def test_forms_without_drafts_wait_for_the_sign_in(server: Server, sign_in: Callable[..., Browser]) -> None:
    manager = sign_in(Role.MANAGER)
    expire(server, manager.user)
    answer = manager.post("/review/reasons", data={"words": "Not our brand"})
    there = answer.headers["location"].removeprefix("/login?next=").replace("%3F", "?").replace("%3D", "=")
    assert there.startswith("/confirm?waiting=")
    again = signed_in_browser(server, manager.user)
    page = again.get(there).text
    assert 'action="/review/reasons?continued=' in page
    assert shows(page, words="Not our brand")
    again.close()


def test_strangers_and_the_signed_out_keep_nothing(server: Server, designer: Browser, anonymous: Browser) -> None:
    assert anonymous.post("/sets", data=FORM | TYPED).headers["location"] == "/login?next=/"
    with server.resources.database.write() as session:
        accounts.sign_out(session, designer.cookies[server.resources.cookie])
    designer.post("/sets", data=FORM | TYPED)
    assert drafts(server) == []


def test_secrets_are_never_kept(server: Server, designer: Browser) -> None:
    secrets = {"password": "hunter2hunter2", "code": "123456", "current": "x", "passkey": "{}"}
    save(designer, **secrets)
    (draft,) = drafts(server)
    assert {name for name, _ in draft.fields} == set(TYPED)
    expire(server, designer.user)
    answer = designer.post("/account/password", data={"current": "a secret", "password": "another secret"})
    assert answer.headers["location"] == "/login?next=/", "a form with a password is not kept"


def test_files_of_a_draft_stay_as_long_as_it_does(server: Server, designer: Browser) -> None:
    sent = {"mask": ("mask.png", white(), "image/png")}
    mask = designer.post("/regions/masks", files=sent).json()["mask"]
    save(designer, regions=f'[{{"mask": "{mask}", "prompt": "a fox"}}]', name="0" * 64)
    with server.resources.database.read() as session:
        assert session.query(DraftFile.kind, DraftFile.sha256).all() == [("maps", mask)]
        assert any(mask in names for names in needed(session).values())
    with server.resources.database.write() as session:
        session.query(Draft).update({"updated_at": now() - timedelta(days=8)})
        assert service.forget_old(session) == 1
        assert session.query(DraftFile).count() == 0


def test_there_are_limits(server: Server, designer: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "MOST", 3)
    for number in range(5):
        save(designer, **{"draft": f"key-number-{number}", "draft-place": f"/sets/new?from={number}"})
    assert [draft.place for draft in drafts(server)] == [f"/sets/new?from={number}" for number in (2, 3, 4)]
    monkeypatch.setattr(service, "ALL_LENGTH", 2 * drafts(server)[0].length)
    save(designer, **{"draft-place": "/sets/new?from=7"})
    assert [draft.place for draft in drafts(server)] == [f"/sets/new?from={number}" for number in (4, 7)]
    monkeypatch.setattr(service, "LENGTH", 10)
    assert save(designer).status_code == 422


def test_a_closed_account_has_no_drafts(server: Server, designer: Browser, admin: Browser) -> None:
    save(designer)
    assert admin.post(f"/people/{designer.user.id}", data={"active": "0"}).status_code == 303
    assert drafts(server) == []


def test_every_form_with_a_draft_shows_it_and_forgets_it(server: Server, sign_in: Callable[..., Browser]) -> None:
    """From the page of each form: save, see it, send it, and it is gone."""
    person = sign_in(Role.ADMIN)
    with making(server) as make:
        style = make.style(person.user)
        image_set = make.finished_set(person.user, style, prompts="a fox")
        image = image_set.images[0].id
        make.decide(image_set.images[0])
        reference = style.versions[0].references[0].reference_id
    kept = person.post("/subjects/pictures", files={"picture": ("a.png", encoded_picture(), "image/png")})
    assert kept.status_code == 201, kept.text
    forms: tuple[tuple[str, str, dict[str, str]], ...] = (
        (f"/sets/{image_set.id}/export", "/exports", {"set_id": str(image_set.id), "own_sizes": "320 x 320"}),
        ("/styles/new", "/styles", {"name": "Blueprint", "reference_id": str(reference), "strength": "1.5"}),
        (f"/styles/{style.code}/edit", f"/styles/{style.code}", {"name": "Other", "reference_id": str(reference)}),
        (
            f"/references/{reference}/rights",
            f"/references/{reference}/rights",
            {"owned_by": "Mori", "licence": "CC BY 4.0", "note": "Ask first"},
        ),
        (f"/images/{image}/again", f"/images/{image}/again", {"prompt": "a red fox", "count": "1", "strength": "1"}),
        (f"/review?image={image}", f"/images/{image}/comments", {"body": "A little lighter"}),
        (f"/images/{image}/report", f"/images/{image}/report", {"kind": "person", "words": "It looks like Mori"}),
        (f"/brand/style/{style.id}", f"/brand/style/{style.id}", {"colours": "#123456", "seen": "0"}),
        ("/people", "/people/invite", {"role": "reviewer", "email": "ito@example.com"}),
    )
    for page, action, typed in forms:
        found = re.findall(
            r'name="draft" value="([^"]+)".{1,300}?name="draft-place" value="([^"]+)"', person.get(page).text, re.DOTALL
        )
        key, place = next(each for each in found if "#" in each[1] or "review" not in page)
        ours = {"draft": key, "draft-place": unescape(place), "draft-revision": "0"}
        assert person.post("/drafts", data=ours | typed).json()["key"] == key
        shown = unescape(person.get(page).text)
        assert all(value in shown for value in typed.values()), page
        assert "Draft from" in shown, page
        answer = person.post(action, data=ours | typed)
        assert answer.status_code == 303, (action, answer.text[:500])
        assert drafts(server) == [], action


def test_a_link_to_an_older_draft_opens_it(server: Server, sign_in: Callable[..., Browser]) -> None:
    person = sign_in(Role.ADMIN)
    with making(server) as make:
        image = make.finished_set(person.user, prompts="a fox").images[0]
        make.decide(image)
        thread = reviews.comment(make.session, person.user, image.id, "Lighter?").thread_id
        make.session.flush()
    export, _ = shared_export(server, image.set_id)
    for place, field in (
        ("/people#invite", "email"),
        (f"/exports/{export.id}#share", "note"),
        (f"/images/{image.id}/again", "prompt"),
        (f"/review?image={image.id}#composer", "body"),
        (f"/review?image={image.id}#reply-{thread}", "body"),
    ):
        for number in (1, 2):
            ours = {"draft": f"key-{number}-of-{field}-{place[-5:]}", "draft-place": place, "draft-revision": "0"}
            assert person.post("/drafts", data=ours | {field: f"older{number}"}).status_code == 200
        page = unescape(person.get(place.partition("#")[0]).text)
        assert "older2" in page, place
        (link,) = re.findall(r'href="([^"]*draft=[^"]*)"', page)
        assert link.partition("#")[2] == place.partition("#")[2]
        assert "older1" in unescape(person.get(link.partition("#")[0]).text), place
        person.post("/drafts/discard", data={"draft": f"{ours['draft']} {place}"})
        person.post("/drafts/discard", data={"draft": f"{ours['draft'].replace('2', '1', 1)} {place}"})


def test_a_picture_sent_with_a_refused_style_stays_in_its_draft(server: Server, designer: Browser) -> None:
    with making(server) as make:
        style = make.style(designer.user)
    before = style.versions[0].references[0].reference_id
    for page, action in (("/styles/new", "/styles"), (f"/styles/{style.code}/edit", f"/styles/{style.code}")):
        sent = fields_of(designer.get(page).text) | {"name": "", "reference_id": str(before) if "edit" in page else ""}
        refused = designer.post(action, data=sent, files={"picture": ("a.png", encoded_picture(), "image/png")})
        assert refused.status_code == 422
        (kept,) = re.findall(r'name="reference_id" value="(\d+)"', refused.text)
        assert int(kept) > before
        assert re.findall(r'name="reference_id" value="(\d+)"', designer.get(page).text) == [kept], page


def encoded_picture() -> bytes:

    return encoded(Image.effect_noise((320, 320), 80).convert("RGB"))
