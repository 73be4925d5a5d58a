"""A database that is too large to be checked at the start is checked on in the background, and its fault is shown."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from app.upkeep.whole import WholeDatabase
from tests.upkeep.conftest import Data


def damage(path: Path) -> None:
    """Overwrite a page of a table, which the header does not show."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'usage'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)


def test_what_the_start_left_is_checked(data: Data) -> None:
    whole = WholeDatabase(data.settings.database_path)
    whole.check()
    assert (whole.fault, whole.unfinished) == (None, False), "nothing was left"
    whole.unfinished = True
    whole.check()
    assert (whole.fault, whole.unfinished) == (None, False)
    damage(data.settings.database_path)
    whole.check()
    assert whole.fault is None, "it is looked at once"
    whole.unfinished = True
    whole.check()
    assert whole.fault
    assert "is damaged" in whole.fault
    assert "soroe restore" in whole.fault


def test_a_server_that_stops_leaves_the_rest(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.upkeep.opening.STEPS", 1)
    whole = WholeDatabase(data.settings.database_path)
    whole.unfinished = True
    whole.background.stopping.set()
    whole.check()
    assert (whole.fault, whole.unfinished) == (None, True)
