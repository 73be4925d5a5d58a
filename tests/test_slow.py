"""Nothing slow happens in a writing transaction: what is refused, and what the suite watches."""

import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text

from app import slow
from app.accounts.service import passwords
from app.database import Database
from app.files import Files, Kind, write_whole
from app.pictures import clean_upload, thumbnails
from tests import clock, writes
from tests.factory import PASSWORD_HASH, png

SLOW: list[Callable[[Path], object]] = [
    lambda folder: clean_upload(png()),
    lambda folder: thumbnails(png()),
    lambda folder: write_whole(folder / "a", b"a"),
    lambda folder: Files(folder).put(Kind.IMAGES, png()),
    lambda folder: Files(folder).put_lora(b"a"),
    lambda folder: Files(folder).remove(Kind.IMAGES, "0" * 64),
    lambda folder: passwords.hash("a password"),
    lambda folder: passwords.verify("a password", PASSWORD_HASH),
]


@pytest.mark.parametrize("work", SLOW)
def test_slow_work_is_refused_within_a_writing_transaction(
    database: Database, tmp_path: Path, work: Callable[[Path], object]
) -> None:
    with pytest.raises(slow.SlowWork, match="before the writing transaction"), database.write():
        work(tmp_path / "files")
    assert not (tmp_path / "files").exists()
    with database.read():
        work(tmp_path / "files")
    with slow.permitted(), database.write():
        work(tmp_path / "files")


def test_other_threads_may_do_slow_work(database: Database) -> None:
    with database.write() as session, ThreadPoolExecutor(1) as pool:
        session.connection()
        assert pool.submit(clean_upload, png()).result().width == 96


def test_a_transaction_that_was_rolled_back_forbids_nothing(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.write() as session:  # noqa: PT012
        session.connection()
        _ = 1 / 0
    clean_upload(png())


# The suite's watch


def work_for(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def test_a_transaction_that_keeps_the_processor_busy_is_noticed(database: Database) -> None:
    work_for(0.12)
    with database.write() as session:
        work_for(0.12)  # nobody waits yet: the lock comes with the first statement
        session.execute(text("SELECT 1"))
    assert not writes.watch.take()
    with database.write() as session:
        session.execute(text("SELECT 1"))
        work_for(3 * writes.MOST_SECONDS * clock.slowness())
    (problem,) = writes.watch.take()
    assert re.search(r"held the lock for \d{3,} ms", problem)
    assert "tests/test_slow.py" in problem


@pytest.mark.parametrize(
    ("work", "what"),
    [
        (lambda folder: time.sleep(0.001), "sleeps"),
        (lambda folder: (folder / "a").write_bytes(b"a"), "opens a file"),
        (lambda folder: list(folder.iterdir()), "lists a folder"),
    ],
)
def test_a_transaction_that_waits_is_noticed(
    database: Database, tmp_path: Path, work: Callable[[Path], object], what: str
) -> None:
    with database.write() as session:
        session.connection()
        work(tmp_path)
    problems = writes.watch.take()
    assert what in problems[0]
    with slow.permitted(), database.write() as session:
        session.connection()
        work(tmp_path)
    assert not writes.watch.take()
