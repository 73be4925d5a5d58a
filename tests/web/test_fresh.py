"""What is remembered of the database is what it would answer now."""

import asyncio
import hashlib
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import files as module_of_files
from app.database import Database
from app.errors import NotFound
from app.files import Files, Kind
from app.languages import gettext, speaking
from app.models import Reference, Role, User
from app.web import fresh
from app.web.fresh import Fresh
from tests.factory import Factory
from tests.web.server import Browser, Server, making


def counted(answer: Any) -> tuple[list[int], Callable[[Session], Any]]:
    asked: list[int] = []

    def read(session: Session) -> Any:
        asked.append(len(session.scalars(select(User.id)).all()))
        return answer

    return asked, read


def find(remembered: Fresh, read: Callable[[Session], Any], times: int = 2) -> list[Any]:
    async def run() -> list[Any]:
        return [await remembered.find("key", read) for _ in range(times)]

    return asyncio.run(run())


def test_it_asks_again_after_any_commit(database: Database, files: Files) -> None:
    remembered = Fresh(database)
    asked, read = counted("an answer")
    assert find(remembered, read, 3) == ["an answer"] * 3
    assert asked == [0]
    with database.write() as session:
        Factory(session, files).user(Role.DESIGNER)
    find(remembered, read)
    assert asked == [0, 1]
    path = str(database.engine.url.database)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:  # as another process does
        other.execute("UPDATE users SET name = 'Ann'").close()
    find(remembered, read)
    assert len(asked) == 3


def test_it_asks_again_after_a_while_and_for_what_was_not_found(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, read = counted(None)
    find(Fresh(database), read)
    assert len(asked) == 2
    monkeypatch.setattr(fresh, "SECONDS", 0.0)  # a session may end without a commit
    asked, read = counted("an answer")
    find(Fresh(database), read)
    assert len(asked) == 2


def test_a_commit_while_it_reads_is_not_missed(database: Database, files: Files) -> None:
    seen: list[int] = []

    def read(session: Session) -> int:
        seen.append(len(session.scalars(select(User.id)).all()))
        if len(seen) == 1:
            with database.write() as other:
                Factory(other, files).user(Role.DESIGNER)
        return seen[-1]

    assert find(Fresh(database), read) == [0, 1]


class Slow:
    """Reads that end when they are told to; counts what was read, and in which sessions."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.read: list[str] = []
        self.sessions: list[Session] = []

    def of(self, name: str, answer: Callable[[], Any] = lambda: "an answer") -> Callable[[Session], Any]:
        def read(session: Session) -> Any:
            assert self.go.wait(10)
            self.read.append(name)
            self.sessions.append(session)
            return answer()

        return read


async def asked_by(remembered: Fresh, *questions: tuple[str, Callable[[Session], Any]]) -> list[asyncio.Task[Any]]:
    """The questions as they wait for their answers."""
    tasks = [asyncio.create_task(remembered.find(key, read)) for key, read in questions]
    for _ in range(3):
        await asyncio.sleep(0)
    return tasks


def test_a_question_that_many_ask_at_once_is_read_once(database: Database) -> None:
    slow = Slow()

    async def run() -> list[Any]:
        tasks = await asked_by(Fresh(database), *[("key", slow.of("same"))] * 5)
        slow.go.set()
        return await asyncio.gather(*tasks)

    assert asyncio.run(run()) == ["an answer"] * 5
    assert slow.read == ["same"]


def test_what_is_asked_while_the_database_is_read_is_read_together(database: Database) -> None:
    slow = Slow()

    async def run() -> list[Any]:
        tasks = await asked_by(Fresh(database), *((name, slow.of(name)) for name in "abcd"))
        slow.go.set()
        return await asyncio.gather(*tasks)

    assert asyncio.run(run()) == ["an answer"] * 4
    assert slow.read == list("abcd")
    assert len({id(session) for session in slow.sessions}) <= 2, "the first, then all others"


def test_nobody_waits_for_an_answer_from_before_a_commit(database: Database, files: Files) -> None:
    slow = Slow()

    async def run() -> list[Any]:
        remembered = Fresh(database)
        first = await asked_by(remembered, ("key", slow.of("before")))
        with database.write() as session:
            Factory(session, files).user(Role.DESIGNER)
        second = await asked_by(remembered, ("key", slow.of("after")))
        slow.go.set()
        return await asyncio.gather(*first, *second)

    asyncio.run(run())
    assert slow.read == ["before", "after"]


def test_who_leaves_takes_nobody_with_them(database: Database) -> None:
    slow = Slow()

    async def run() -> list[Any]:
        gone, *others = await asked_by(Fresh(database), *[("key", slow.of("same"))] * 3)
        gone.cancel()
        slow.go.set()
        return await asyncio.gather(gone, *others, return_exceptions=True)

    gone, *others = asyncio.run(run())
    assert isinstance(gone, asyncio.CancelledError)
    assert others == ["an answer"] * 2


def test_each_refusal_is_in_the_language_of_who_asked(database: Database) -> None:
    slow = Slow()

    def refuse() -> None:
        raise NotFound(gettext("There is no such picture."))

    async def ask(remembered: Fresh, language: str, key: str) -> str:
        with speaking(language), pytest.raises(NotFound) as refused:
            await remembered.find(key, slow.of(key, refuse))
        return str(refused.value)

    async def run() -> list[str]:
        remembered = Fresh(database)
        tasks = [asyncio.create_task(ask(remembered, *each)) for each in (("en", "x"), ("ja", "x"), ("ja", "y"))]
        await asyncio.sleep(0)
        slow.go.set()
        return await asyncio.gather(*tasks)

    english, same, other = asyncio.run(run())
    assert english == "There is no such picture."
    assert same == other == "この画像はありません。"


def test_a_database_that_cannot_be_opened_is_told_to_all(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> list[Any]:
        remembered = Fresh(database)

        def broken() -> Any:
            raise OSError("no session")

        with monkeypatch.context() as patch:
            patch.setattr(database, "read", broken)
            asking = await asked_by(remembered, *((name, lambda _session: "") for name in ("a", "b", "a")))
            found = await asyncio.gather(*asking, return_exceptions=True)
        return [*found, await remembered.find("a", lambda _session: "now")]

    *refused, answer = asyncio.run(run())
    assert [type(each) for each in refused] == [OSError] * 3
    assert answer == "now"


def test_a_thumbnail_in_memory_ends_with_the_session_and_the_file(server: Server, designer: Browser) -> None:
    with making(server) as make:
        image = make.finished_set(prompts="a fox").images[0]
    path = f"/thumbs/{image.sha256}-320.webp"
    known = {"if-none-match": designer.get(path).headers["etag"]}
    assert designer.get(path).content == server.resources.files.small_in_memory(image.sha256 or "", 320)
    server.resources.files.thumbnail(image.sha256 or "", 320).unlink()
    assert server.resources.files.small_in_memory(image.sha256 or "", 320) is None
    assert designer.get(path).status_code == 200, "it is made again"
    designer.post("/logout")
    assert designer.get(path, headers=known | {"accept": "image/webp"}).status_code == 401


@pytest.mark.parametrize("path", ["/images/1.png", "/references/1.png"])
def test_a_picture_in_memory_ends_with_the_session_the_file_and_what_it_was(
    server: Server, designer: Browser, path: str
) -> None:
    with making(server) as make:
        made = make.finished_set(prompts="a fox").images[0]
    kind, sha256 = (Kind.IMAGES, made.sha256 or "") if "images" in path else (Kind.REFERENCES, reference_of(server))
    files, first = server.resources.files, designer.get(path)
    known = {"if-none-match": first.headers["etag"]}
    assert files.png_in_memory(kind, sha256) == first.content
    assert designer.get(path, headers=known).status_code == 304
    damaged = bytes([first.content[0] ^ 1]) + first.content[1:]
    files.path(kind, sha256).write_bytes(damaged)
    assert designer.get(path, headers={"accept": "image/png"}).status_code == 404, "it is not what it was"
    files.path(kind, sha256).write_bytes(first.content)
    assert designer.get(path).content == first.content
    files.path(kind, sha256).unlink()
    assert designer.get(path).status_code == 404
    designer.post("/logout")
    assert designer.get(path, headers=known | {"accept": "image/png"}).status_code == 401


def test_a_long_picture_is_sent_from_its_file(
    server: Server, designer: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module_of_files, "SHORT_BYTES", 10)
    with making(server) as make:
        sha256 = make.finished_set(prompts="a fox").images[0].sha256 or ""
    answer = designer.get("/images/1.png")
    assert hashlib.sha256(answer.content).hexdigest() == sha256
    assert server.resources.files.png_in_memory(Kind.IMAGES, sha256) is None
    assert designer.get("/images/1.png", headers={"if-none-match": answer.headers["etag"]}).status_code == 304


def reference_of(server: Server) -> str:
    with server.resources.database.read() as session:
        return session.scalars(select(Reference.sha256)).one()
