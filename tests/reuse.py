"""Share between the servers of a process what each would do once, and speed up what is slow by design.

Nearly every test has its own database and app. The templates' Python, the statements' SQL and what FastAPI knows of a
route are the same in all of them, and finding out takes longer than most tests. So do a password's hash and the end of
a server. No test cuts the power, so nothing waits for a disk.
"""

import asyncio
import copy
import dataclasses
import os
from functools import cache, partial
from types import CodeType
from typing import Any

import jinja2
import sqlalchemy
import uvicorn.server
from fastapi.routing import _IncludedRouter
from jinja2.bccache import Bucket
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import Engine
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.util import LRUCache

from app import database
from app.accounts.hashing import passwords
from app.web import templating

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
    templating.content_hash = cache(templating.content_hash)
    database.create_engine = create_engine  # type: ignore[attr-defined]
    passwords._hashes = QUICK
    # SQLAlchemy caches statements per dialect, of which each engine has its own; all have the same setup.
    SQLiteDialect_pysqlite.__eq__ = lambda self, other: type(self) is type(other)  # type: ignore[method-assign]
    SQLiteDialect_pysqlite.__hash__ = lambda self: hash(type(self))  # type: ignore[method-assign]
