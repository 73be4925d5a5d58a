"""Quotas on the pages: a refusal keeps the form, little that is left is told, and everybody sees their own use."""

import html
from collections.abc import Callable

from app.models import Role, What
from app.quotas import service
from tests.factory import png
from tests.web.server import Browser, Server, making


def spend_quota(server: Server, browser: Browser, what: What, amount: int) -> None:
    with server.parts.database.write() as session:
        service.take(session, browser.user, "form", {what: amount})


def test_a_refused_set_keeps_its_form(server: Server, designer: Browser) -> None:
    server.parts.database.info["quotas"] = {"pictures": 20}
    with making(server) as make:
        code = make.style(make.user()).code
    assert "more pictures today" not in designer.get("/sets/new").text, "there is enough"
    spend_quota(server, designer, What.PICTURES, 18)
    assert "You can make 2 more pictures today" in designer.get("/sets/new").text
    form = {"style": code, "prompts": "a fox in a hat\na cat\nan owl", "name": "My foxes"}
    answer = designer.post("/sets", data=form)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    for words in (
        "You have made 18 of 20 pictures today, so 2 are left and 3 pictures are too many",
        "in a hat",
        "My fo",
    ):
        assert words in answer.text
    assert designer.post("/sets", data=form | {"prompts": "a fox\na cat"}).status_code == 303
    assert "You have used up today's 20 pictures" in html.unescape(designer.get("/sets/new").text)


def test_a_refused_upload_is_told_to_people_and_scripts(server: Server, designer: Browser) -> None:
    server.parts.database.info["quotas"] = {"uploads": 1}
    for status in (303, 422):
        answer = designer.post("/styles/preview", files={"picture": ("a.png", png(size=(128, 128)), "image/png")})
        assert answer.status_code == status
    assert "You have uploaded 1 of 1 files today; the count starts again at midnight" in answer.text
    script = designer.post(
        "/maps",
        data={"kind": "edges", "ready": "1"},
        files={"picture": ("a.png", png("white", (128, 128)), "image/png")},
        headers={"accept": "*/*"},
    )
    assert script.status_code == 429
    assert script.text.startswith("You have uploaded 1 of 1 files today")
    assert int(script.headers["retry-after"]) > 0


def test_everybody_sees_their_use_and_administrators_everybodys(
    server: Server, designer: Browser, sign_in: Callable[..., Browser]
) -> None:
    spend_quota(server, designer, What.PICTURES, 1234)
    spend_quota(server, designer, What.STORAGE, 3 * 2**30)
    text = designer.get("/account").text
    assert "1\u202f234 of 5\u202f000" in text
    assert "3 GB of 20 GB" in text
    people = sign_in(Role.ADMIN).get("/people").text
    assert "1\u202f234 pictures today, holds 3 GB" in people
