"""Checking the audit log in the background: one check at a time, with progress, which stops with the server."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from sqlalchemy import delete, event, select

from app.audit import chain
from app.audit.checker import Checker, Walk
from app.audit.service import record
from app.database import Database
from app.errors import Forbidden
from app.models import Act, AuditEvent, AuditHead, Role, User

EVENTS = 9


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "CHUNK", 2)


@pytest.fixture
def manager(database: Database) -> User:
    with database.write() as session:
        user = User(email="a@example.com", name="Mori Haruka", role=Role.MANAGER, password_hash="-")
        session.add(user)
        for _ in range(EVENTS):
            record(session, user, Act.SIGN_IN, user)
    return user


@pytest.fixture
def checker(database: Database) -> Checker:
    return Checker(database)


@contextmanager
def at_each_look(database: Database, act: Callable[[], object]) -> Iterator[None]:
    """Run `act` whenever a check is about to read the next events."""

    def look(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "FROM audit_events" in statement and "LIMIT" in statement:
            act()

    event.listen(database.engine, "before_cursor_execute", look)
    yield
    event.remove(database.engine, "before_cursor_execute", look)


def checks(database: Database) -> list[AuditEvent]:
    with database.read() as session:
        return list(session.scalars(select(AuditEvent).where(AuditEvent.act == Act.RECORD_CHECK)))


def test_the_result_is_recorded_for_the_requester(database: Database, checker: Checker, manager: User) -> None:
    checker.check()
    assert checks(database) == [], "nobody asked"
    checker.ask(manager)
    checker.check()
    (found,) = checks(database)
    assert (found.user_id, found.details) == (manager.id, {"events": EVENTS, "problem": None})
    assert checker.walk is None
    assert not checker.failed


def test_several_requests_share_one_check(database: Database, checker: Checker, manager: User) -> None:
    other = User(id=99, email="b@example.com", name="Ito Kenji", role=Role.ADMIN, active=True)
    assert checker.ask(manager) is None
    assert checker.ask(other) == Walk(manager.id, "Mori Haruka")
    checker.check()
    checker.check()
    assert len(checks(database)) == 1


def test_progress_is_shown_while_others_write(database: Database, checker: Checker, manager: User) -> None:
    seen: list[Walk | None] = []

    def look() -> None:
        seen.append(checker.walk)
        with database.write() as session:
            record(session, None, Act.SIGN_OUT, session.get_one(User, manager.id))

    checker.ask(manager)
    with at_each_look(database, look):
        checker.check()
    assert [(walk.done, walk.total) for walk in seen if walk] == [(done, EVENTS) for done in (0, 2, 4, 6, 8, 8)]
    assert checks(database)[0].details == {"events": EVENTS, "problem": None}


def test_it_stops_with_the_server_and_leaves_nothing(database: Database, checker: Checker, manager: User) -> None:
    async def serve() -> None:
        loop, task = asyncio.get_running_loop(), asyncio.create_task(checker.background.run())
        await asyncio.sleep(0)

        def end() -> None:
            loop.call_soon_threadsafe(task.cancel)
            assert checker.background.stopping.wait(30)

        with at_each_look(database, end):
            checker.ask(manager)
            with suppress(asyncio.CancelledError):
                await task

    asyncio.run(serve())
    assert checks(database) == []
    assert checker.walk is None
    assert not checker.failed


def test_an_aborted_check_says_so(database: Database, checker: Checker, manager: User) -> None:
    checker.ask(User(id=99, name="Nobody", role=Role.MANAGER, active=True))
    checker.check()
    assert checker.failed
    checker.ask(manager)
    checker.check()
    assert not checker.failed
    assert len(checks(database)) == 1


def test_who_may_ask(database: Database, checker: Checker, manager: User) -> None:
    with pytest.raises(Forbidden):
        checker.ask(User(id=99, name="A", role=Role.REVIEWER, active=True))
    with database.write() as session:
        session.execute(delete(AuditHead))
    with pytest.raises(chain.BrokenChain, match="head of the audit log was removed"):
        checker.ask(manager)
    assert checker.walk is None
