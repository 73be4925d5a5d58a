"""Verify the record in the background: a long one takes minutes, and people see the progress.

One task of the web process runs one check at a time, in a snapshot that blocks no writers. Progress is kept in memory
only: a check interrupted by a restart is lost. Its result is an event of the record itself.
"""

import asyncio
from dataclasses import dataclass, replace
from threading import Lock

import structlog

from app.audit import chain, queries, service
from app.database import Database
from app.models import User

log = structlog.get_logger()


@dataclass(frozen=True)
class Walk:
    """The progress of a check."""

    user_id: int
    by: str  # who asked for it
    done: int = 0  # events
    total: int | None = None  # None until it has started


class Stopped(Exception):
    """The server is stopping, and the check with it."""


class Checker:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.walk: Walk | None = None  # the one in progress
        self.failed = False  # the last one failed without a result
        self._asking = Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._woken = asyncio.Event()
        self._stopping = False

    def ask(self, user: User) -> Walk | None:
        """Request a check, or return the one in progress. Thread-safe.

        Managers and above. Raises Forbidden, and Broken for a record without its head, which cannot record the result.
        """
        queries.need_manager(user)
        with self.database.read() as session:
            chain.head(session)
        with self._asking:
            if self.walk:
                return self.walk
            self.walk, self.failed = Walk(user.id, user.name), False
        if self._loop and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._woken.set)
        return None

    async def run(self) -> None:
        """Run requested checks until cancelled."""
        self._loop = asyncio.get_running_loop()
        try:
            while True:
                await self._woken.wait()
                self._woken.clear()
                await asyncio.to_thread(self.check)
        finally:
            self._stopping = True

    def check(self) -> None:
        """Verify the record as requested, and record the result."""
        walk = self.walk
        if walk is None:
            return
        try:
            with self.database.read() as session:
                verdict = chain.verify(session, progress=self._see)
            with self.database.write() as session:
                service.note_check(session, session.get_one(User, walk.user_id), verdict)
        except Stopped:
            pass
        except Exception:
            self.failed = True
            log.exception("the record could not be checked")
        finally:
            self.walk = None

    def _see(self, done: int, total: int) -> None:
        if self._stopping:
            raise Stopped
        if self.walk:
            self.walk = replace(self.walk, done=done, total=total)
