"""Rebuild a database with damaged indices from its tables.

SQLite's REINDEX frees the pages of the old index first, which a damaged index does not let it find. So the tables are
copied into a new file, which is checked and takes the place of the old one; the old one is kept.
"""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from app import atomic, days
from app.languages import gettext as _
from app.upkeep.opening import UnusableDatabase, table_names

KEPT = ("application_id", "user_version")


def rebuild(path: Path) -> Path:
    """Rebuild the database in `path`, which nobody may have open. Returns where the old one is kept.

    Raises UnusableDatabase, with nothing changed, if a table cannot be read, or the result is not whole.
    """
    kept = path.with_name(f"{path.name}.damaged-{days.in_names(datetime.now(UTC))}")
    try:
        with atomic.writing(path, mode=0o600) as new:
            with closing(sqlite3.connect(path, isolation_level=None)) as old:
                _copy(old, new)
                _need_whole(new)
                old.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            _set_aside(path, kept)
    except sqlite3.DatabaseError as error:
        raise UnusableDatabase(
            _(
                "%(path)s cannot be rebuilt from its tables (%(error)s). Restore the latest backup with `soroe"
                " restore`.",
                path=path,
                error=error,
            )
        ) from error
    return kept


def _copy(old: sqlite3.Connection, new: Path) -> None:
    """Copy tables, then make indices and triggers, and the index of words from its rows."""
    schema = old.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    tables = table_names(old)
    with closing(sqlite3.connect(new, isolation_level=None)) as connection:
        for pragma in KEPT:
            connection.execute(f"PRAGMA {pragma} = {old.execute(f'PRAGMA {pragma}').fetchone()[0]}")
        connection.execute("BEGIN")
        for _kind, name, statement in (each for each in schema if each[0] == "table" and each[1] in tables):
            connection.execute(statement)
            rows = old.execute(f'SELECT * FROM "{name}" NOT INDEXED')
            places = ", ".join("?" for _column in rows.description)
            connection.executemany(f'INSERT INTO "{name}" VALUES ({places})', rows)
        words = next((statement for _kind, name, statement in schema if name == "image_words"), None)
        if words:
            connection.execute(words)
            connection.execute("INSERT INTO image_words (image_words) VALUES ('rebuild')")
        for kind in ("index", "trigger"):
            for _kind, _name, statement in (each for each in schema if each[0] == kind):
                connection.execute(statement)
        connection.execute("COMMIT")


def _need_whole(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        (fault,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        lost = connection.execute("PRAGMA foreign_key_check").fetchall()
    if fault != "ok" or lost:
        raise UnusableDatabase(
            _(
                "The database that was rebuilt is not whole (%(fault)s). Restore the latest backup with `soroe"
                " restore`.",
                fault=fault if fault != "ok" else lost[0],
            )
        )


def _set_aside(path: Path, kept: Path) -> None:
    """Keep the old file; its write-ahead log was copied into it when its last connection closed."""
    kept.hardlink_to(path)
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
