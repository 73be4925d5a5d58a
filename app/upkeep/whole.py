"""Check on in the background that a database is whole which was too large for the look at it at the start."""

import asyncio
from functools import partial
from pathlib import Path

import structlog

from app.background import BackgroundLoop
from app.processes import lower_thread_priority
from app.upkeep.opening import UnusableDatabase, look_on

log = structlog.get_logger()


class WholeDatabase:
    """Whether the rest of a database is whole: `fault` is None, or two sentences for administrators."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fault: str | None = None
        self.unfinished = False  # the look at the start took too long
        self.background = BackgroundLoop(
            partial(asyncio.to_thread, self.check), "database", trouble="the database could not be checked"
        )

    def check(self) -> None:
        """Check all of it at low priority, unless that was done; stops early when the server stops."""
        if not self.unfinished:
            return
        lower_thread_priority()
        try:
            self.unfinished = not look_on(self.path, self.background.stopping.is_set)
        except UnusableDatabase as error:
            self.fault, self.unfinished = str(error), False
            log.error("the database is damaged", fault=self.fault)
        else:
            log.info("the database is whole", finished=not self.unfinished)
