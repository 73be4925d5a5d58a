"""The database: one SQLite file in WAL mode, so that pages read while the queue writes.

Reading and writing transactions differ from their first statement. A writer takes SQLite's one write lock immediately
(`BEGIN IMMEDIATE`) and waits its turn. If it started as a reader and wrote later, SQLite would refuse it whenever
someone else had written in between.
"""

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, cast

import structlog
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, ExceptionContext, create_engine, event
from sqlalchemy.orm import ORMExecuteState, Session
from sqlalchemy.pool import NullPool

from app import atomic, effects, lock_times, slow
from app.errors import NotFound
from app.languages import gettext as _
from app.models import (
    AuditEvent,
    Base,
    BrandVersion,
    ChecklistSheet,
    ChecklistVersion,
    Decision,
    PolicyAcceptance,
    PolicyVersion,
    RightsRecord,
    StyleBounds,
    StyleReference,
    StyleVersion,
)
from app.ranking import rank
from app.settings import Settings
from app.storage import CannotSave, Storage

BUSY_SECONDS = 15  # how long a writer waits for the one before it
MIGRATIONS = Path(__file__).parent.parent / "migrations"

Listener = Callable[[Sequence[Any]], None]
"""Receives the notes of a transaction (`app.effects`) after its commit, on the writing thread."""

log = structlog.get_logger()

# Append-only rows: an edit is the next style version, a change of mind the next decision.
HISTORY = (
    StyleVersion,
    StyleReference,
    BrandVersion,
    Decision,
    ChecklistVersion,
    ChecklistSheet,
    RightsRecord,
    PolicyVersion,
    PolicyAcceptance,
    StyleBounds,
    AuditEvent,
)


class Database:
    """Sessions on the database of `settings`; one per process. What it refuses to store raises CannotSave."""

    def __init__(self, settings: Settings, storage: Storage | None = None) -> None:
        self.storage = storage or Storage(settings.data)
        self.engine = make_engine(settings.database_url)
        event.listen(self.engine, "handle_error", self._refused)
        self.info = {"quotas": settings.quotas}  # which `app.quotas` reads from a session
        self.slow_seconds = settings.slow_transaction_seconds
        self._listeners: list[Listener] = []
        self._versions = Versions(settings.database_path)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session for reading: one fixed snapshot, no lock, nothing saved."""
        with Session(self.engine, expire_on_commit=False, info=self.info) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session for writing: commits at the end, saves nothing if anything is raised.

        The first statement takes the write lock and holds it to the end, and nobody else can write. So slow work
        belongs before or after: functions marked with `app.slow.outside` refuse to run inside.
        """
        engine = self.engine.execution_options(writes=True)
        held = Session(engine, expire_on_commit=False, info=self.info)
        with held as session:
            with lock_times.holding(self.slow_seconds), slow.writing(), session.begin():
                yield session
            self._tell(effects.take_notes(session))

    def listen(self, listener: Listener) -> None:
        """Call `listener` with the notes of each committed transaction of `write`."""
        self._listeners.append(listener)

    def _tell(self, notes: Sequence[Any]) -> None:
        """Call the listeners. The transaction stays committed even if they fail."""
        for listener in self._listeners if notes else ():
            try:
                listener(notes)
            except Exception:
                log.exception("a listener failed after a commit")

    def _refused(self, context: ExceptionContext) -> CannotSave | None:
        return self.storage.refusal(context.original_exception)

    def version(self) -> int:
        """A number that changes whenever anything is committed, by any process. It takes microseconds and never waits.

        Read it before what it is to be the version of. Belongs to one thread at a time.
        """
        return self._versions.latest()

    def checkpoint(self) -> None:
        """Move what was committed from SQLite's log into the file itself, as far as nobody reads it."""
        with suppress(sqlite3.Error), closing(self.engine.raw_connection()) as connection:
            cast(sqlite3.Connection, connection.driver_connection).execute("PRAGMA wal_checkpoint(PASSIVE)").close()

    def close(self) -> None:
        self._versions.close()
        self.engine.dispose()


class Versions:
    """A connection that only looks whether others have committed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._seen: int | None = None
        self._count = 0

    def latest(self) -> int:
        try:
            found = self._open().execute("PRAGMA data_version").fetchall()[0][0]
        except sqlite3.OperationalError:  # it would have to wait: whatever was known may have changed
            found = None
        if found is None or found != self._seen:
            self._seen = found
            self._count += 1
        return self._count

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = sqlite3.connect(self._path, timeout=0, isolation_level=None, check_same_thread=False)
        return self._connection

    def close(self) -> None:
        if self._connection:
            self._connection.close()
            self._connection = None


def make_engine(url: str, *, foreign_keys: bool = True) -> Engine:
    """An engine whose connections have every setting that we rely on; `foreign_keys=False` is for migrations only."""
    engine = create_engine(
        url,
        pool_size=100,  # more than there are threads, so that nothing waits; a new connection costs more than a lookup
        max_overflow=0,
        pool_use_lifo=True,  # a few stay busy, with the database's pages in their caches
        connect_args={"timeout": BUSY_SECONDS},
        hide_parameters=True,  # error messages go into the log, which must not contain addresses, prompts or hashes
        json_serializer=lambda value: json.dumps(value, ensure_ascii=False),
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        connection.create_function("match_rank", 2, rank, deterministic=True)
        # sqlite3 would start transactions on its own, late and without the lock; `begin` below does it instead.
        connection.isolation_level = None
        for pragma in (
            f"foreign_keys = {'ON' if foreign_keys else 'OFF'}",
            "journal_mode = WAL",
            # A commit returns, and others see it, once it is on disk: a power cut loses nothing that anyone was told.
            "synchronous = FULL",
            "fullfsync = ON",  # on macOS, whose fsync leaves the data in the drive's own cache
            "checkpoint_fullfsync = ON",
        ):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if connection.get_execution_options().get("writes", False):
            with lock_times.taking():
                connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.exec_driver_sql("BEGIN")

    @event.listens_for(engine, "handle_error")
    def refuse_huge_number(context: ExceptionContext) -> NotFound | None:
        # An id in an address can have any length; a column has 64 bits.
        huge = isinstance(context.original_exception, OverflowError)
        return NotFound(_("There is nothing with this number.")) if huge else None

    return engine


def open_copy(path: Path, *, immutable: bool = True) -> Engine:
    """An engine that only reads a database and leaves it as it is; `immutable` if nobody else uses it."""
    uri = f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if immutable else ''}"
    return create_engine("sqlite://", creator=lambda: sqlite3.connect(uri, uri=True), poolclass=NullPool)


def migrate(settings: Settings, revision: str = "head") -> None:
    """Migrate the database to `revision`, creating it if needed. Everything happens, or nothing."""
    atomic.make_folder(settings.data, mode=0o700)
    # SQLite alters a table by recreating it, and dropping the old one would cascade to the rows that point at it.
    engine = make_engine(settings.database_url, foreign_keys=False)
    try:
        with engine.execution_options(writes=True).begin() as connection:
            if revision != "head" or not is_of_this_version(connection):  # Alembic would read all migrations again
                config = alembic_config(connection)
                (command.downgrade if revision == "base" else command.upgrade)(config, revision)
            if broken := connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall():
                raise RuntimeError(f"the migration left rows that point nowhere: {broken[:5]}")
    finally:
        engine.dispose()


def is_of_this_version(connection: Connection) -> bool:
    """Whether there is nothing to migrate."""
    return MigrationContext.configure(connection).get_current_revision() == versions()[0]


@cache
def versions() -> Sequence[str]:
    """The versions of the tables that this Soroe knows, its own first: one per migration."""
    return [script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions()]


def version_of(session: Session) -> str | None:
    """The version of the database's tables."""
    found: str | None = session.connection().exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return found


def alembic_config(connection: Connection | None = None) -> Config:
    """Alembic's settings, in code, so that the server needs no extra file."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


@event.listens_for(Session, "before_flush")
def refuse_changed_history(session: Session, *_: object) -> None:
    changed = (row for row in session.dirty if session.is_modified(row, include_collections=False))
    removed = (row for row in session.deleted if isinstance(row, AuditEvent))  # other history goes with its subject
    for row in (*changed, *removed):
        if isinstance(row, HISTORY):
            raise RuntimeError(f"{row.__tablename__} rows are only ever added")


@event.listens_for(Session, "do_orm_execute")
def refuse_updated_history(state: ORMExecuteState) -> None:
    table = state.bind_mapper.class_ if state.bind_mapper else Base
    if (state.is_update and issubclass(table, HISTORY)) or (state.is_delete and issubclass(table, AuditEvent)):
        raise RuntimeError(f"{table.__tablename__} rows are only ever added")
