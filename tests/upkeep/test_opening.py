"""What is wrong with a database file is said before anything writes to it, and damaged indices are rebuilt."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from app.upkeep.opening import IndexDamaged, UnusableDatabase, look
from tests.command import soroe
from tests.upkeep.conftest import Data


def page_of(path: Path, name: str) -> tuple[int, int]:
    """Where the first page of a table or index begins, and the size of a page."""
    with closing(sqlite3.connect(path)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", [name]).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    return (page - 1) * size, size


def hurt(path: Path, name: str) -> None:
    """Fill the first page of a table or index with zeros."""
    start, size = page_of(path, name)
    content = bytearray(path.read_bytes())
    content[start : start + size] = bytes(size)
    path.write_bytes(content)


def newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")


def foreign(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE recipes (id INTEGER)")


def other_application(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA application_id = 42")


def foreign_log(path: Path) -> None:
    """The write-ahead log of another database, as a copy of half a backup leaves it."""
    other = path.with_name("other.sqlite3")
    with closing(sqlite3.connect(other)) as connection, connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE t (x)")
        connection.executemany("INSERT INTO t VALUES (?)", [("x" * 3000,) for _ in range(60)])
        connection.commit()
        shutil.copy(f"{other}-wal", f"{path}-wal")


WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda path: path.write_bytes(b""), "is empty. Restore the latest backup"),
    "random": (lambda path: path.write_bytes(os.urandom(5000)), "is not a database"),
    "text": (lambda path: path.write_text("hello"), "is not a database"),
    "cut off": (lambda path: os.truncate(path, path.stat().st_size // 2), "is damaged"),
    "header": (lambda path: path.write_bytes(path.read_bytes()[:50] + os.urandom(80_000)), "is damaged"),
    "table": (lambda path: hurt(path, "images"), "is damaged (Page"),
    "schema": (lambda path: hurt(path, "alembic_version"), "is damaged"),
    "newer": (newer, "was written by a newer Soroe (version 9999"),
    "foreign": (foreign, "is the database of another program"),
    "other application": (other_application, "is the database of another program"),
    "log": (foreign_log, "-wal does not belong to"),
    "log is a folder": (lambda path: Path(f"{path}-wal").mkdir(), "is not a file"),
}


@pytest.fixture
def path(data: Data) -> Path:
    data.database.close()
    return data.settings.data / "soroe.sqlite3"


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_said_and_nothing_is_changed(path: Path, name: str) -> None:
    do, sentence = WRONG[name]
    do(path)
    before = path.read_bytes()
    with pytest.raises(UnusableDatabase) as raised:
        look(path)
    assert sentence in str(raised.value)
    assert "soroe restore" in str(raised.value) or "Move it away" in str(raised.value)
    assert path.read_bytes() == before


@pytest.mark.parametrize("command", [("serve",), ("check",), ("audit", "head"), ("accounts", "reset", "a@example.com")])
def test_every_command_ends_with_the_sentence_and_status_2(path: Path, command: tuple[str, ...]) -> None:
    hurt(path, "images")
    done = soroe(*command, SOROE_DATA=str(path.parent), SOROE_PORT="0")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(f"soroe: {path} is damaged")
    assert "Traceback" not in done.stderr


def test_no_file_and_a_whole_one_are_fine(path: Path) -> None:
    assert look(path)
    assert look(path.with_name("none.sqlite3"))


def test_a_large_database_is_not_checked_to_its_end(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.upkeep.opening.STEPS", 10)
    assert look(path, seconds=0.0) is False


@pytest.mark.parametrize("index", ["ix_images_shown_id", "sqlite_autoindex_users_1"])
def test_a_damaged_index_is_rebuilt_from_the_tables(path: Path, index: str) -> None:
    before = rows(path)
    hurt(path, index)
    damaged = path.read_bytes()
    with pytest.raises(IndexDamaged, match=r"its tables are whole\. Run `soroe check --repair`"):
        look(path)
    found = soroe("check", SOROE_DATA=str(path.parent))
    assert found.returncode == 1
    done = soroe("check", "--repair", SOROE_DATA=str(path.parent))
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "All is well now.")
    assert rows(path) == before
    (kept,) = path.parent.glob("soroe.sqlite3.damaged-*")
    assert kept.read_bytes() == damaged


def rows(path: Path) -> dict[str, list[tuple[object, ...]]]:
    with closing(sqlite3.connect(path)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            name: connection.execute(f'SELECT * FROM "{name}"').fetchall()  # noqa: S608
            for name in names
            if not name.startswith("image_words")
        }
