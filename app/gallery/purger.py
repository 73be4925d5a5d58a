"""Empties the bin: removes the files of pictures whose time in it is over."""

import threading
from collections.abc import Callable, Sequence

from app.database import Database
from app.files import Files, Kind
from app.gallery import service

BATCH = 100  # pictures per transaction, so that others can write in between


class Purger:
    def __init__(self, database: Database, files: Files, before: Callable[[Database, Sequence[int]], None]) -> None:
        """`before` is called with pictures' ids before their files are removed, to end what contains them."""
        self.database = database
        self.files = files
        self._before = before

    def purge(self, stopping: threading.Event | None = None) -> int:
        """Remove expired pictures until `stopping` is set, and count them."""
        removed = 0
        while not (stopping and stopping.is_set()):
            batch = self._batch()
            removed += batch
            if batch < BATCH:
                break
        return removed

    def _batch(self) -> int:
        """Remove a batch: first exports and links with these pictures, then note it, and last the files.

        A crash before the note repeats all of it; one after it leaves files without a row, which are swept.
        """
        with self.database.read() as session:
            over = service.over(session, BATCH)
        self._before(self.database, over)
        with self.database.write() as session:
            unused = service.purged(session, over)
        for sha256 in unused:
            self.files.remove(Kind.IMAGES, sha256)
        return len(over)
