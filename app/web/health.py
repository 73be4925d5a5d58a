"""For machines: whether the process lives, whether it can do its work, and what it counts.

`/healthz` needs no thread, no database and no person: it answers as long as the event loop turns. `/readyz` looks, at
most once a second. `/metrics` is off without a token.
"""

import asyncio
import hmac
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from time import monotonic
from typing import cast

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST
from sqlalchemy.exc import DatabaseError
from starlette.exceptions import HTTPException

from app.database import version_of, versions
from app.engine.base import EngineState
from app.errors import UserError
from app.languages import ENGLISH, speaking
from app.web.deps import Resources
from app.web.measures import Measures

router = APIRouter()

FRESH_SECONDS = 1.0  # what was found counts this long
LOOK_SECONDS = 4.0  # how long one look may take
LOCK_SECONDS = 1.0  # how long it waits for the write lock
OK = "ok"


class Readiness:
    """Whether a server can do its work: each part is "ok", or a sentence with what is wrong."""

    def __init__(self, resources: Resources) -> None:
        self.database, self.engine, self.disk = resources.database, resources.engine, resources.disk
        self.breaker = resources.breaker
        self.measures = Measures(self.database, self.engine, self.disk, resources.streams)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="health")  # never waits for those of pages
        self._look: asyncio.Task[dict[str, str]] | None = None
        self._began = 0.0

    async def parts(self) -> dict[str, str]:
        """The parts as they are, or were within the last second; all who ask at once share one look."""
        if self._look is None or (self._look.done() and monotonic() - self._began > FRESH_SECONDS):
            self._began = monotonic()
            self._look = asyncio.create_task(self._looked())
        return await asyncio.shield(self._look)

    async def _looked(self) -> dict[str, str]:
        with speaking(ENGLISH):
            parts = {"engine": self._engine(), "disk": self._disk()}
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                return parts | await asyncio.get_running_loop().run_in_executor(self._thread, self._database)
        except TimeoutError:
            return parts | {"database": "The database does not answer."}  # English

    def _engine(self) -> str:
        if fault := self.breaker.pause:
            return f"The engine fails again and again: {fault.cause}."  # English
        if self.engine.state == EngineState.STARTING:
            return "The model is loading."  # English
        return OK if self.engine.state == EngineState.READY else f"The engine is {self.engine.state}."  # English

    def _disk(self) -> str:
        pause = self.disk.storage.pause
        return f"Nothing can be saved: {pause.reason}." if pause else OK  # English

    def _database(self) -> dict[str, str]:
        """Read it, and take its write lock without writing."""
        try:
            with self.database.read() as session:
                version = version_of(session)
            path = self.database.engine.url.database or ""
            with closing(sqlite3.connect(path, timeout=LOCK_SECONDS, isolation_level=None)) as connection:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("ROLLBACK")
        except (DatabaseError, UserError):
            return {"database": "The database cannot be read."}  # English
        except sqlite3.OperationalError:
            return {"database": "The database cannot be written at the moment."}  # English
        current = version == versions()[0]
        other = "The database belongs to another version of Soroe."  # English
        return {"database": OK, "migrations": OK if current else other}

    async def metrics(self) -> bytes:
        """What Prometheus reads."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self.measures.text)

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)


def readiness_of(request: Request) -> Readiness:
    return cast(Readiness, request.app.state.readiness)


# Async, and without dependencies that are not: those would wait for a thread.


@router.get("/healthz")
async def healthz() -> JSONResponse:
    """The process lives."""
    return JSONResponse({"status": "ok"})


@router.get("/readyz")
async def readyz(request: Request) -> JSONResponse:
    """The server can do its work; 503 names each part that keeps it from it."""
    readiness = readiness_of(request)
    parts = dict(await readiness.parts())
    if any(part != OK for part in parts.values()):
        return JSONResponse({"status": "not ready", "parts": parts}, 503)
    if readiness.disk.low is not None:
        parts["disk"] = "The disk is nearly full."  # English
        return JSONResponse({"status": "degraded", "parts": parts})
    return JSONResponse({"status": "ready", "parts": parts})


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """For Prometheus, which shows the token; an address like any other without one in the settings."""
    token = request.app.state.resources.settings.metrics_token.get_secret_value()
    if not token:
        raise HTTPException(404)
    given = request.headers.get("authorization", "").encode("latin-1")
    if not hmac.compare_digest(given, f"Bearer {token}".encode()):
        return Response("The token is missing or wrong.", 401, {"WWW-Authenticate": "Bearer"}, "text/plain")  # English
    return Response(await readiness_of(request).metrics(), media_type=CONTENT_TYPE_LATEST)
