"""Share between the servers of a process what each would do once, and speed up what is slow by design.

Nearly every test has its own database and app. The templates' Python, the statements' SQL and what FastAPI knows of a
route are the same in all of them, and finding out takes longer than most tests. So do a password's hash, the upkeep of
an empty server and its end. No test cuts the power here, so nothing waits for a disk.
"""

import asyncio
import copy
import dataclasses
import hashlib
import os
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from types import CodeType
from typing import Any

import jinja2
import sqlalchemy
import uvicorn.server
from fastapi.routing import _IncludedRouter
from jinja2.bccache import Bucket
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import Engine, event, select
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.util import LRUCache

from app import database, main
from app.accounts.hashing import passwords
from app.background import BackgroundLoop
from app.models import User
from app.settings import Settings
from app.web import static, templating
from app.web.deps import Resources

USUAL = passwords._hashes
QUICK = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=64, parallelism=1),))


class CompiledTemplates(jinja2.BytecodeCache):
    """In memory; a changed template is recompiled."""

    def __init__(self) -> None:
        self.codes: dict[tuple[str, str], CodeType | None] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self.codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        self.codes[bucket.key, bucket.checksum] = bucket.code


STATEMENTS: LRUCache[Any, Any] = LRUCache(2000)


def create_engine(url: str, **options: Any) -> Engine:
    engine = sqlalchemy.create_engine(url, **options)
    engine._compiled_cache = STATEMENTS
    return engine


usual_engine = database.make_engine


def make_engine(url: str, **options: Any) -> Engine:
    """As usual, but a commit does not wait for the disk."""
    engine = usual_engine(url, **options)

    @event.listens_for(engine, "connect")
    def hurry(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA synchronous = OFF").close()

    return engine


MIGRATED: set[bytes] = set()  # the hashes of databases without open transactions that need no migration
migrate = database.migrate


def migrate_once(settings: Settings) -> None:
    """Tests copy a migrated database; the copies need no look."""
    path = settings.database_path
    logged = path.with_name(f"{path.name}-wal")
    if path.exists() and not logged.exists() and _digest(path) in MIGRATED:
        return
    migrate(settings)
    if not logged.exists():
        MIGRATED.add(_digest(path))


def _digest(path: Path) -> bytes:
    return hashlib.blake2b(path.read_bytes()).digest()


background_of = main.background_of


def background_when_needed(resources: Resources) -> tuple[BackgroundLoop, ...]:
    """Until somebody uses a server, its first rounds would find nothing to do; they wait until woken."""
    loops = background_of(resources)
    with resources.database.read() as session:
        is_used = session.scalar(select(User.id).limit(1)) is not None
    for loop in loops if not is_used else ():
        if loop.name not in ("disk", "measures"):  # which may be full; what waits for the server to have started
            loop.run = partial(_run_once_woken, loop)  # type: ignore[method-assign]
    return loops


async def _run_once_woken(loop: BackgroundLoop) -> None:
    loop._loop = asyncio.get_running_loop()
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(loop.seconds):
                await loop._woken.wait()
    except asyncio.CancelledError:
        loop.stopping.set()
        raise
    await BackgroundLoop.run(loop)


# By a route's id and prefix; with the route itself, so that no other gets its id.
ROUTES: dict[tuple[int, str], tuple[Any, Any]] = {}
read_route = _IncludedRouter._build_effective_context


def known_route(included: _IncludedRouter, route: Any) -> Any:
    """What FastAPI derives from the signatures of a route, without the app, whose dependencies no test overrides."""
    key = (id(route), included.include_context.prefix)
    if key not in ROUTES:
        apart = copy.copy(included)
        apart.include_context = dataclasses.replace(included.include_context, dependency_overrides_provider=None)
        ROUTES[key] = (route, read_route(apart, route))
    return ROUTES[key][1]


class Impatient:
    """asyncio for uvicorn, which looks every tenth of a second whether to stop, and then waits for one or two more."""

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / 10)


def install() -> None:
    """For all servers and databases of this process, from now on."""
    _IncludedRouter._build_effective_context = known_route  # type: ignore[method-assign]
    uvicorn.server.asyncio = Impatient()  # type: ignore[assignment]
    os.fsync = lambda _: None
    templating.Environment = partial(jinja2.Environment, bytecode_cache=CompiledTemplates())  # type: ignore[misc]
    static.content_hash = cache(static.content_hash)
    database.create_engine = create_engine  # type: ignore[attr-defined]
    database.make_engine = make_engine
    main.migrate = migrate_once  # type: ignore[attr-defined]
    main.background_of = background_when_needed
    passwords._hashes = QUICK
    # SQLAlchemy caches statements per dialect, of which each engine has its own; all have the same setup.
    SQLiteDialect_pysqlite.__eq__ = lambda self, other: type(self) is type(other)  # type: ignore[method-assign]
    SQLiteDialect_pysqlite.__hash__ = lambda self: hash(type(self))  # type: ignore[method-assign]
