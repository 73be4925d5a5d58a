"""What is remembered of the database is what it would answer now."""

import asyncio
import hashlib
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import files as module_of_files
from app.database import Database
from app.files import Files, Kind
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
