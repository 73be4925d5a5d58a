"""Walks the record beside the requests: a long one takes minutes, in which people see how far it is.

One task of the web process, one walk at a time, in a snapshot that stops nobody's writing. How far it is stands in
memory only: a walk that a restart ends is simply not there. What one found is an event of the record itself.
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
    """How far a check is."""

    user_id: int
    by: str  # who asked for it
    done: int = 0  # events
    total: int | None = None  # None until it has begun


class Stopped(Exception):
    """The server ends, and the walk with it."""


class Checker:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.walk: Walk | None = None  # the one that is under way
        self.failed = False  # the last one broke off, so there is nothing that it found
        self._asking = Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._woken = asyncio.Event()
        self._stopping = False

    def ask(self, user: User) -> Walk | None:
        """Have the record walked; where that is under way already, the walk that goes on. From any thread.

        Managers and above. Raises Forbidden, and Broken for a record without its head, in which nothing can be noted.
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
        """Walk whenever that is asked for, until cancelled."""
        self._loop = asyncio.get_running_loop()
        try:
            while True:
                await self._woken.wait()
                self._woken.clear()
                await asyncio.to_thread(self.check)
        finally:
            self._stopping = True

    def check(self) -> None:
        """Walk the record as it was asked for, and note in it what was found."""
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
