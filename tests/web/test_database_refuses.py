"""Messages to people when the database cannot store a change, from a real SQLite that cannot."""

from collections.abc import Callable

import pytest
from sqlalchemy import event, select

from app import slow
from app.accounts import service as accounts
from app.models import Decision, Role
from tests.web.server import Browser, Server, making


@pytest.fixture
def image_id(server: Server) -> int:
    with making(server) as make:
        return make.finished_set(prompts="a fox").images[0].id


def with_pragma(server: Server, pragma: str) -> None:
    """Set it on all connections from now on."""
    event.listen(
        server.resources.database.engine,
        "checkout",
        lambda connection, *_: connection.execute(f"PRAGMA {pragma}").close(),
    )


def say(browser: Browser, image_id: int, text: str) -> tuple[int, str]:
    answer = browser.post(f"/images/{image_id}/comments", data={"body": text, "scope": "set=1"})
    return answer.status_code, answer.text


def decide(browser: Browser, image_id: int) -> tuple[int, str]:
    answer = browser.post(f"/images/{image_id}/decision", data={"verdict": "approved", "seen": "", "scope": "set=1"})
    return answer.status_code, answer.text


def decisions(server: Server) -> int:
    with server.resources.database.read() as session:
        return len(session.scalars(select(Decision)).all())


def test_busy_for_too_long(server: Server, sign_in: Callable[..., Browser], image_id: int) -> None:
    reviewer = sign_in(Role.REVIEWER)
    with_pragma(server, "busy_timeout = 50")
    with slow.permitted(), server.resources.database.write() as busy:
        busy.connection()
        status, page = decide(reviewer, image_id)
    assert status == 503
    assert "busy saving other changes, so this one was not saved. Try again in a moment." in page
    assert decisions(server) == 0
    assert decide(reviewer, image_id)[0] == 303
    assert decisions(server) == 1


def test_a_full_disk(server: Server, sign_in: Callable[..., Browser], image_id: int) -> None:
    reviewer = sign_in(Role.REVIEWER)
    with_pragma(server, "max_page_count = 1")  # SQLite allows the current size, but no more
    answers = [say(reviewer, image_id, "A long word. " * 100) for _ in range(16)]
    assert answers[-1][0] == 507
    assert (
        "The server’s disk is full, so nothing was saved. Ask an administrator, and quote this number: "
        in answers[-1][1]
    )
    assert answers[-1][1].count("administrator") == 1
    assert f'<input type="hidden" name="body" value="{"A long word. " * 100}">' in answers[-1][1], (
        "nothing typed is lost"
    )
    assert f'<form action="/images/{image_id}/comments" method="post">' in answers[-1][1]


def test_the_log_says_it_once_and_names_no_link(
    server: Server, anonymous: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    with making(server) as make:
        token = accounts.invite(make.session, make.user(Role.ADMIN), "designer")
    with_pragma(server, "busy_timeout = 50")
    form = {"name": "Mori Haruka", "email": "haruka@contoso.com", "password": "correct horse battery"}
    with slow.permitted(), server.resources.database.write() as busy:
        busy.connection()
        for _ in range(2):
            assert anonymous.post(f"/setup/{token}", data=form).status_code == 503
    assert caplog.text.count("the database is locked") == 1
    assert token not in caplog.text
