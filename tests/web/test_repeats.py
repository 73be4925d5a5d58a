"""A form that arrives twice, as from a double press or after the answer was lost."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from sqlite3 import connect
from time import sleep

import httpx2
import pytest
from sqlalchemy import func, select

from app.models import Comment, ImageSet, Invitation, RightsFile, User
from app.web import repeats
from tests.web.server import Browser, Server, making

KEY = "a-page-of-its-own"


def count(server: Server, model: type) -> int:
    with server.resources.database.read() as session:
        return session.scalar(select(func.count()).select_from(model)) or 0


def set_form(code: str, key: str = KEY, prompts: str = "a fox") -> dict[str, str]:
    return {"style": code, "prompts": prompts, "draft": key, "draft-place": "/sets/new", "draft-revision": "0"}


@pytest.fixture
def code(server: Server) -> str:
    with making(server) as make:
        return make.style().code


def test_one_that_is_sent_again_while_it_is_dealt_with_acts_once(server: Server, designer: Browser, code: str) -> None:
    def send(_: int) -> httpx2.Response:
        return designer.post("/sets", data=set_form(code))

    with closing(connect(server.resources.settings.database_path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")  # so that none of them is done before all have arrived
        with ThreadPoolExecutor(4) as pool:
            answers = pool.map(send, range(4))
            while len(server.tasks) < 4:
                sleep(0.01)
            other.execute("ROLLBACK")
            places = {answer.headers["location"] for answer in answers}
    assert places == {"/sets/1"}
    assert count(server, ImageSet) == 1


def test_one_that_is_sent_again_after_its_answer_gets_the_same_answer(
    server: Server, designer: Browser, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, again = (designer.post("/sets", data=set_form(code)) for _ in range(2))
    assert (again.status_code, again.headers["location"]) == (303, first.headers["location"])
    for other in (set_form(code, "another-page-key"), set_form(code, prompts="an owl")):
        assert designer.post("/sets", data=other).headers["location"] != first.headers["location"]
    assert count(server, ImageSet) == 3
    monkeypatch.setattr(repeats, "SECONDS", 0.0)
    later = [designer.post("/sets", data=set_form(code, "the-third-page")).headers["location"] for _ in range(2)]
    assert len(set(later)) == 2, "somebody wants the same again"


def test_a_script_that_sends_a_file_again_gets_the_same_answer(server: Server, designer: Browser) -> None:
    with making(server) as make:
        reference = make.reference(make.session.get_one(User, designer.user.id))
    path = f"/references/{reference.id}/rights/files"

    def send(content: bytes) -> httpx2.Response:
        files = {"file": ("licence.pdf", content, "application/pdf")}
        form = {"draft": KEY, "draft-place": f"/references/{reference.id}"}
        return designer.post(path, data=form, files=files, headers={"accept": "application/json"})

    first, again, other = send(b"%PDF-1"), send(b"%PDF-1"), send(b"%PDF-2")
    assert first.status_code == again.status_code == other.status_code == 200
    assert first.json() == again.json()
    assert count(server, RightsFile) == 2, "the other file has the same name and size"


def test_another_person_is_not_answered_with_it(
    server: Server, sign_in: Callable[..., Browser], designer: Browser, code: str
) -> None:
    places = {browser.post("/sets", data=set_form(code)).headers["location"] for browser in (designer, sign_in())}
    assert len(places) == 2


def test_a_refused_one_can_be_sent_again(server: Server, designer: Browser, code: str) -> None:
    with making(server) as make:
        style = make.session.merge(make.style(name="Pencil"))
        style.archived_at = style.created_at
        archived = style.code
    assert designer.post("/sets", data=set_form(archived)).status_code == 422
    with making(server) as make:
        make.session.merge(style).archived_at = None
    assert designer.post("/sets", data=set_form(archived)).status_code == 303


def test_a_comment_and_an_invitation_too(server: Server, admin: Browser) -> None:
    with making(server) as make:
        image = make.finished_set(prompts="a fox").images[0]
    for path, model, form in (
        (f"/images/{image.id}/comments", Comment, {"body": "Warmer, please"}),
        ("/people/invite", Invitation, {"role": "designer", "email": ""}),
    ):
        before = count(server, model)
        answers = [admin.post(path, data=form | {"draft": KEY, "draft-place": "/"}) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [303, 303]
        assert answers[0].headers.get_list("set-cookie") == answers[1].headers.get_list("set-cookie")
        assert count(server, model) == before + 1, path
