"""What is remembered of the database is what it would answer now."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.database import Database
from app.files import Files
from app.models import Role, User
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
