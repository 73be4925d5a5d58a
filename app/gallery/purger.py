"""Empties the bin: once at the start, then daily, the files of pictures whose 30 days are over are removed."""

import asyncio

import structlog

from app.database import Database
from app.files import Files
from app.gallery import service

log = structlog.get_logger()

DAY_SECONDS = 86400.0
BATCH = 100  # pictures a transaction, so that others can write in between


class Purger:
    def __init__(self, database: Database, files: Files) -> None:
        self.database = database
        self.files = files
        self._stopping = False

    async def run(self) -> None:
        """Purge every day, until cancelled."""
        try:
            while True:
                try:
                    await asyncio.to_thread(self.purge)
                except Exception:
                    log.exception("the bin could not be emptied")
                await asyncio.sleep(DAY_SECONDS)
        finally:
            self._stopping = True

    def purge(self) -> int:
        """Remove what is over; how many pictures it was."""
        removed = 0
        while not self._stopping:
            with self.database.write() as session:
                batch = service.purge(session, self.files, BATCH)
            removed += batch
            if batch < BATCH:
                break
        if removed:
            log.info("the bin was emptied", pictures=removed)
        return removed
