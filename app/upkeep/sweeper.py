"""Remove files that no row needs: what a kill left between a file and its row, and uploads that were refused.

References and licences are private, so nothing of a refused upload may stay. A file in use is never removed:

- it must be older than any upload takes, and, except at start, when nobody uploads, an earlier sweep has seen it too,
  so that a clock that jumps decides nothing;
- storing the same content again keeps what is there (`Files.remove`);
- rows are removed first, and their files after the commit.

Many at once are left alone: then an older database was put in the place of a newer one, and these are its pictures.
"""

import asyncio
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from shutil import rmtree

import structlog
from sqlalchemy import select

from app import atomic
from app.background import BackgroundLoop
from app.database import Database
from app.files import Files, Found
from app.models import State, Subject
from app.text import whole_number
from app.upkeep.needed import needed, pictured
from app.upkeep.stored import HOUR, is_orphan

log = structlog.get_logger()

SWEEP_SECONDS = HOUR / 2
MOST = 100  # files without a row that are removed in one sweep
DAY = 24 * HOUR


class Sweeper:
    def __init__(self, database: Database, files: Files, inversion_bytes: int = 0) -> None:
        """`inversion_bytes`: of inverted references that are kept; the oldest go."""
        self.database = database
        self.files = files
        self.inversion_bytes = inversion_bytes
        self.data = files.root.parent
        self.left = 0  # files without a row that the last sweep left alone because they are many
        self._seen: set[Path] | None = None  # orphans at the last sweep; None before the first
        self.background = BackgroundLoop(
            partial(asyncio.to_thread, self.sweep),
            "sweeper",
            trouble="files without a row could not be removed",
            seconds=SWEEP_SECONDS,
        )

    def recover(self) -> None:
        """Remove half-written files that a crash left. Call it at server start, before anyone writes."""
        self.files.sweep()
        for folder in ("cache", "exports"):
            atomic.sweep(self.data / folder)
        atomic.sweep(self.data, "*")

    def sweep(self) -> int:
        """Remove files without a row, and caches that are too large or of no use; returns how many of the former."""
        with self.database.read() as session:
            rows = needed(session)
            trained = set(session.scalars(select(Subject.id).where(Subject.state != State.FINISHED)))
        thumbnails = pictured(rows)
        orphans = [found for found in self.files.found(time.time()) if is_orphan(found, rows, thumbnails)]
        seen, self._seen = self._seen, {found.path for found in orphans}
        due = [found for found in orphans if seen is None or found.path in seen]
        self.left = sum(found.kind is not None for found in due)
        if self.left > MOST:
            log.error("many files belong to nothing, and none was removed: see soroe check", files=self.left)
            return 0
        removed = self._remove(due)
        self.left = 0
        if removed:
            log.info("files that belong to nothing were removed", files=removed)
        self._trim(trained)
        return removed

    def _remove(self, orphans: Iterable[Found]) -> int:
        """Remove files of ours; what somebody else put there stays, and `soroe check` reports it."""
        removed = 0
        for found in orphans:
            if found.kind:
                removed += self.files.remove(found.kind, found.sha256)
            elif found.thumbnail:
                found.path.unlink(missing_ok=True)
                removed += 1
        return removed

    def _trim(self, trained: set[int]) -> None:
        """Remove the oldest inverted references over a limit, and what trainings that are over left."""
        size = 0
        for age, length, path in sorted(_ages(self.data / "cache" / "inversions")):
            size += length
            if size > self.inversion_bytes and age > DAY:
                path.unlink(missing_ok=True)
        for folder in (self.data / "cache" / "training").glob("*"):
            if whole_number(folder.name.partition("-")[0]) not in trained and _age(folder) > DAY:
                rmtree(folder, ignore_errors=True)


def _ages(folder: Path) -> Iterator[tuple[float, int, Path]]:
    """The age in seconds and the size in bytes of each file in a folder."""
    for path in folder.glob("*"):
        with suppress(OSError):
            yield _age(path), path.stat().st_size, path


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0
