"""The usage policy in the browser: nobody goes on without it, and nothing that was typed is lost."""

import re
from collections.abc import Callable
from html import unescape

from app.models import Act, ImageSet, PolicyAcceptance, Role
from tests.web.server import Browser, Server, making
from tests.web.test_acts import newest


def publish(admin: Browser, english: str = "Be kind.", seen: int = 0, **values: str) -> None:
    answer = admin.post("/policy/edit", data={"english": english, "seen": str(seen), **values})
    assert (answer.status_code, answer.headers["location"]) == (303, "/policy")


def hidden(html: str) -> dict[str, str]:
    fields = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', html)
    return {name: unescape(value) for name, value in fields}


def test_nobody_goes_on_without_accepting(server: Server, admin: Browser, designer: Browser) -> None:
    with making(server) as make:
        picture = make.finished_set(designer.user).images[0].id
    publish(admin, "# Use\n\n- Be kind to <b>people</b>", japanese="親切に。")
    assert newest(server, Act.POLICY_PUBLISH).details == {"version": 1, "correction": False, "note": ""}
    assert admin.get("/people").headers["location"] == "/policy?next=/people", "administrators accept it too"
    for path in ("/", "/sets?state=queued", "/account"):
        assert designer.get(path).headers["location"].startswith("/policy?next=/")
    asked = designer.get("/sets", headers={"hx-request": "true", "hx-current-url": f"{server.url}/sets/1?at=3"})
    assert (asked.status_code, asked.headers["hx-redirect"]) == (403, "/policy?next=/sets/1%3Fat%3D3")
    assert designer.get("/sets", headers={"hx-request": "true", "soroe-unattended": "yes"}).status_code == 204
    for path in (f"/images/{picture}.png", "/sets/1/events", f"/images/{picture}/download.png"):
        assert designer.get(path, headers={"accept": "*/*"}).status_code == 403, path
    shown = designer.get("/policy?next=/sets/1").text
    assert "<li>Be kind to &lt;b&gt;people&lt;/b&gt;</li>" in shown
    assert "親切に。" in designer.get("/policy?in=ja&next=/").text
    answer = designer.post("/policy/accept", data={"number": "1", "read": "ja", "next": "/sets/1"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/sets/1")
    assert designer.get("/sets/1").status_code == 200
    assert newest(server, Act.POLICY_ACCEPT).details == {"version": 1, "language": "ja"}
    assert "You accepted version 1" in designer.get("/policy").text
    assert admin.get("/people").status_code == 303


def test_a_form_that_was_sent_meanwhile_is_sent_after_accepting(server: Server, admin: Browser) -> None:
    with making(server) as make:
        image_set = make.finished_set(admin.user)
    publish(admin)
    sent = {"name": "Autumn, “warm”"}
    answer = admin.post(f"/manage/set/{image_set.id}/rename", data=sent, headers={"referer": f"{server.url}/sets"})
    there = answer.headers["location"]
    assert there.startswith("/policy?next=/confirm%3Fwaiting%3D")
    form = hidden(admin.get(there).text)
    after = admin.post("/policy/accept", data=form).headers["location"]
    page = admin.get(after).text
    assert f'action="/manage/set/{image_set.id}/rename?continued=' in page
    assert admin.post(f"/manage/set/{image_set.id}/rename", data=hidden(page)).status_code == 303
    with server.resources.database.read() as session:
        assert session.get_one(ImageSet, image_set.id).name == "Autumn, “warm”"


def test_a_form_with_a_draft_comes_back_filled_in(server: Server, admin: Browser, designer: Browser) -> None:
    with making(server) as make:
        style = make.style(designer.user)
    form = hidden(designer.get("/sets/new").text)
    publish(admin)
    sent = form | {"style": style.code, "prompts": "a fox in the long grass", "count": "2"}
    there = designer.post("/sets", data=sent).headers["location"]
    assert there == "/policy?next=/sets/new"
    assert designer.post("/drafts", data=sent).status_code == 200, "what is typed is kept while the policy waits"
    after = designer.post("/policy/accept", data=hidden(designer.get(there).text)).headers["location"]
    assert "a fox in the long grass" in designer.get(after).text
    with server.resources.database.read() as session:
        assert session.query(ImageSet).count() == 0


def test_a_newer_version_than_the_one_that_was_read_is_shown(
    server: Server, sign_in: Callable[..., Browser], designer: Browser
) -> None:
    admin = sign_in(Role.ADMIN)
    publish(admin)
    form = hidden(designer.get("/policy?next=/sets").text)
    admin.post("/policy/accept", data={"number": "1", "read": "en"})
    publish(admin, "Be kinder.", 1)
    answer = designer.post("/policy/accept", data=form)
    assert answer.status_code == 409
    assert "changed while you read it" in answer.text
    assert "Be kinder." in answer.text
    assert hidden(answer.text)["next"] == "/sets"
    with server.resources.database.read() as session:
        assert session.query(PolicyAcceptance).filter_by(user_id=designer.user.id).count() == 0


def test_two_administrators_do_not_overwrite_each_other(server: Server, sign_in: Callable[..., Browser]) -> None:
    one, other = sign_in(Role.ADMIN, "Aoki"), sign_in(Role.ADMIN)
    publish(one)
    other.post("/policy/accept", data={"number": "1", "read": "en"})
    one.post("/policy/accept", data={"number": "1", "read": "en"})
    publish(one, "Be kinder.", 1, correction="1", note="A word")
    assert other.get("/people").status_code == 200
    answer = other.post("/policy/edit", data={"english": "Mine & yours", "seen": "1"})
    assert answer.status_code == 409
    assert "Aoki published version 2 since you opened this form" in answer.text
    assert "Mine &amp; yours</textarea>" in answer.text
    publish(other, "Mine & yours", int(hidden(answer.text)["seen"]))
    compared = one.get("/policy/versions/3?with=2").text
    assert "<ins>" in compared
    assert "Mine &amp; yours</ins>" in compared
    assert "Be kinder.</del>" in compared


def test_administrators_see_who_accepted_it_and_end_it(server: Server, admin: Browser, designer: Browser) -> None:
    publish(admin)
    for browser in (admin, designer):
        browser.post("/policy/accept", data={"number": "1", "read": "en"})
    assert "2 of 2 people accepted the policy as it is now." in admin.get("/policy/people").text
    assert designer.get("/policy/people").status_code == 403
    assert "Usage policy" in admin.get("/record").text
    assert admin.post("/policy/end", data={"seen": "0"}).headers["location"] == "/policy/edit"
    assert admin.post("/policy/end", data={"seen": "1"}).headers["location"] == "/policy"
    assert "No usage policy" in designer.get("/policy").text
    assert newest(server, Act.POLICY_END).details == {"version": 2}
