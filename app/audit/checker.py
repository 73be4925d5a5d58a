"""Verify the audit log in the background: a long one takes minutes, and people see the progress.

One task of the web process runs one check at a time, in a snapshot that blocks no writers. Progress is kept in memory
only: a check interrupted by a restart is lost. Its result is an event of the audit log itself.
"""

import asyncio
from dataclasses import dataclass, replace
from functools import partial
from threading import Lock

import structlog

from app.audit import chain, queries, service
from app.background import BackgroundLoop
from app.database import Database
from app.languages import ENGLISH, speaking
from app.models import User
from app.storage import CannotSave

log = structlog.get_logger()


@dataclass(frozen=True)
class Walk:
    """The progress of a check."""

    user_id: int
    by: str  # who asked for it
    done: int = 0  # events
    total: int | None = None  # None until it has started


class CheckStopped(Exception):
    """The server is stopping, and the check with it."""


class Checker:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.walk: Walk | None = None  # the one in progress
        self.failed = False  # the last one failed without a result
        self._asking = Lock()
        self.background = BackgroundLoop(
            partial(asyncio.to_thread, self.check), "checker", trouble="the audit log could not be checked"
        )

    def ask(self, user: User) -> Walk | None:
        """Request a check, or return the one in progress. Thread-safe.

        Managers and above. Raises Forbidden, and BrokenChain for a log that lost its head.
        """
        queries.need_manager(user)
        with self.database.read() as session:
            chain.head(session)
        with self._asking:
            if self.walk:
                return self.walk
            self.walk, self.failed = Walk(user.id, user.name), False
        self.background.wake()
        return None

    def check(self) -> None:
        """Verify the audit log as requested, and record the result."""
        walk = self.walk
        if walk is None:
            return
        try:
            with speaking(ENGLISH), self.database.read() as session:  # as it is stored
                verdict = chain.verify(session, progress=self._see)
            with self.database.write() as session:
                service.note_check(session, session.get_one(User, walk.user_id), verdict)
        except CheckStopped:
            pass
        except CannotSave:
            self.failed = True
        except Exception:
            self.failed = True
            log.exception("the audit log could not be checked")
        finally:
            self.walk = None

    def _see(self, done: int, total: int) -> None:
        if self.background.stopping.is_set():
            raise CheckStopped
        if self.walk:
            self.walk = replace(self.walk, done=done, total=total)
