"""Look at the database file before anything writes to it: what is damaged, foreign or newer is left as it is.

The file is opened read-only, so that not even SQLite changes it: closing the last connection of a writer would copy
the write-ahead log (`-wal`) into it, and that log may be the damage.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from time import monotonic

from app.database import versions
from app.languages import gettext as _

APPLICATION = 0x536F726F  # "Soro": `PRAGMA application_id`, which the migrations set
HEADER = b"SQLite format 3\0"
SECONDS = 10.0  # a gigabyte takes about one
STEPS = 100_000  # of SQLite's machine between two looks at the clock
LOCK_SECONDS = 15.0


class UnusableDatabase(Exception):
    """The database cannot be used; the message is a sentence for what is wrong and one for what to do."""


class IndexDamaged(UnusableDatabase):
    """Only an index is damaged, which can be made again from the tables."""


def look(path: Path, *, writing: bool = True, seconds: float = SECONDS) -> bool:
    """Raise UnusableDatabase unless the database in `path` is ours, of a version that we know, and whole.

    `writing`: it has to be writable too. Returns False if checking all of it would have taken more than `seconds`:
    what was checked by then is whole. A file that does not exist is fine.
    """
    if not path.exists():
        return True
    _need_access(path, writing)
    with path.open("rb") as file:
        head = file.read(len(HEADER))
    if not head:
        raise UnusableDatabase(
            _(
                "%(path)s is empty. Restore the latest backup with `soroe restore`. If this server is new,"
                " remove the file.",
                path=path,
            )
        )
    if head != HEADER:
        raise UnusableDatabase(
            _(
                "%(path)s is not a database, or its beginning is damaged. Restore the latest backup with `soroe"
                " restore`.",
                path=path,
            )
        )
    ends = monotonic() + seconds
    with _errors(path), _opened(path) as connection:
        _need_ours(connection, path)
        return _need_whole(connection, path, lambda: monotonic() > ends)


def look_on(path: Path, stop: Callable[[], bool]) -> bool:
    """Raise UnusableDatabase unless all of a database in use is whole. Returns False if `stop()` became true before."""
    with _errors(path), _opened(path) as connection:
        return _need_whole(connection, path, stop)


def _need_access(path: Path, writing: bool) -> None:
    wanted = os.R_OK | (os.W_OK if writing else 0)
    for file in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
        if file.exists() and not file.is_file():
            raise UnusableDatabase(_("%(file)s is not a file. Move it away.", file=file))
        if file.exists() and not os.access(file, wanted):
            raise UnusableDatabase(_barred(file, str(file), writing))
    if writing and not os.access(path.parent, os.W_OK | os.X_OK):
        raise UnusableDatabase(_barred(path.parent, _("The folder %(folder)s", folder=path.parent), writing))


def _barred(file: Path, name: str, writing: bool) -> str:
    if writing and os.statvfs(file).f_flag & os.ST_RDONLY:
        return _("%(name)s is on a disk that is read-only. Mount it so that it can be written.", name=name)
    if os.access(file, os.R_OK):
        return _(
            "%(name)s cannot be written by this user. Run Soroe as the user it belongs to, or give it to this"
            " one with chown.",
            name=name,
        )
    return _(
        "%(name)s cannot be read by this user. Run Soroe as the user it belongs to, or give it to this one with chown.",
        name=name,
    )


@contextmanager
def _opened(path: Path, options: str = "mode=ro") -> Iterator[sqlite3.Connection]:
    uri = f"{path.absolute().as_uri()}?{options}"
    with closing(sqlite3.connect(uri, uri=True, timeout=LOCK_SECONDS, isolation_level=None)) as connection:
        yield connection


@contextmanager
def _errors(path: Path) -> Iterator[None]:
    """Turn SQLite's refusals into sentences."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise UnusableDatabase(
                _("Another program has locked %(path)s. End it, then try again.", path=path)
            ) from error
        if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
            raise UnusableDatabase(
                _(
                    "%(path)s cannot be opened: %(error)s. Check the folder's owner and permissions.",
                    path=path,
                    error=error,
                )
            ) from error
        _need_own_log(path)
        raise UnusableDatabase(
            _(
                "%(path)s is damaged (%(error)s). Restore the latest backup with `soroe restore`.",
                path=path,
                error=error,
            )
        ) from error


def _need_ours(connection: sqlite3.Connection, path: Path) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    ours = application == APPLICATION or (application == 0 and (not tables or {"alembic_version", "users"} <= tables))
    if not ours and tables != {"alembic_version"}:
        _need_own_log(path)
        raise UnusableDatabase(
            _(
                "%(path)s is the database of another program. Set SOROE_DATA to Soroe's own folder, or restore"
                " the latest backup with `soroe restore`.",
                path=path,
            )
        )
    if "alembic_version" in tables:
        newer = {version for (version,) in connection.execute("SELECT version_num FROM alembic_version")} - set(
            versions()
        )
        if newer:
            raise UnusableDatabase(
                _(
                    "%(path)s was written by a newer Soroe (version %(newer)s of its tables). Install that one,"
                    " or restore a backup of this one with `soroe restore`.",
                    path=path,
                    newer=", ".join(sorted(newer)),
                )
            )


def is_current(path: Path) -> bool:
    """Whether a database that was looked at has this version's tables."""
    with _opened(path) as connection:
        found = connection.execute("SELECT name FROM sqlite_master WHERE name = 'alembic_version'").fetchone()
        return bool(found) and connection.execute("SELECT version_num FROM alembic_version").fetchall() == [
            (versions()[0],)
        ]


def _need_whole(connection: sqlite3.Connection, path: Path, stop: Callable[[], bool]) -> bool:
    connection.set_progress_handler(stop, STEPS)
    try:
        (fault,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", 0) != sqlite3.SQLITE_INTERRUPT:
            raise
        return False
    finally:
        connection.set_progress_handler(None, STEPS)
    if fault != "ok":
        fault = " ".join(fault.replace("*** in database main ***", "").split())
        _need_own_log(path)
        if tables_are_whole(connection):
            raise IndexDamaged(
                _(
                    "An index of %(path)s is damaged (%(fault)s); its tables are whole. Run `soroe check"
                    " --repair`, which rebuilds it from them and keeps the old file.",
                    path=path,
                    fault=fault,
                )
            )
        raise UnusableDatabase(
            _(
                "%(path)s is damaged (%(error)s). Restore the latest backup with `soroe restore`.",
                path=path,
                error=fault,
            )
        )
    return True


def _need_own_log(path: Path) -> None:
    """Raise UnusableDatabase if a database is whole without its write-ahead log, which then is another's."""
    log = Path(f"{path}-wal")
    if not log.exists() or not log.stat().st_size:
        return
    try:
        with _opened(path, "mode=ro&immutable=1") as alone:
            whole = alone.execute("PRAGMA quick_check(1)").fetchone() == ("ok",)
    except sqlite3.DatabaseError:
        return
    if whole:
        raise UnusableDatabase(
            _(
                "%(log)s does not belong to %(name)s, which is whole without it. Move it and %(name)s-shm away,"
                " with the changes that are only there, or restore the latest backup with `soroe restore`.",
                log=log,
                name=path.name,
            )
        )


def tables_are_whole(connection: sqlite3.Connection) -> bool:
    """Whether every row of every table can be read without an index, so that only indices are damaged."""
    try:
        for name in table_names(connection):
            for _row in connection.execute(f'SELECT * FROM "{name}" NOT INDEXED'):
                pass
    except sqlite3.DatabaseError:
        return False
    return True


def table_names(connection: sqlite3.Connection) -> list[str]:
    """The tables with rows of ours. Those of the word index are made from them."""
    found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    return [name for (name,) in found if not name.startswith(("image_words", "sqlite_"))]
