"""Whether the data folder and its database can be written, and if not: why, and since when.

Everyone who writes reports a refusal here: `Database` for each statement, `Files` for each file, and others within
`Storage.saving()`. From then on saving is paused; a server checks every few seconds whether it works again.

`Resources.storage` is the server's own. `storage.pause` is None, or says its `trouble`, its `reason` in words, and
`since` when; `storage.free_bytes` is the space left. During a pause the queue claims nothing, and pages say why.
"""

import errno
import os
import resource
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from threading import Lock

import structlog

from app import atomic
from app.errors import UserError
from app.languages import N_, translated
from app.languages import gettext as _

log = structlog.get_logger()

CHECK_SECONDS = 5.0
FLOOR_BYTES = 64 * 2**20  # nothing is started with less free space; of a small disk, a hundredth
FLOOR_FILES = 1000
SMALL_PART = 0.01
MARGIN = 1.5  # times the floor: what must be free to resume, so that it does not pause again at once
TRIAL_BYTES = 256 * 1024  # of the file that is written to see whether writing works again
LIMIT_MARGIN = 64 * 1024  # bytes before a limit on file sizes
LOCK_SECONDS = 1.0  # how long a trial waits for the database's lock


class Trouble(StrEnum):
    """Why nothing can be stored."""

    FULL = "full"  # no space, no inodes, a quota or a limit on file sizes
    READ_ONLY = "read-only"
    LOCKED = "locked"  # the database, by someone else, for long
    FAILING = "failing"  # the disk reports errors


REASONS = {
    Trouble.FULL: N_("the disk is full"),
    Trouble.READ_ONLY: N_("the disk is read-only"),
    Trouble.LOCKED: N_("the database is locked"),
    Trouble.FAILING: N_("the disk reports errors"),
}
REMEDIES = {
    Trouble.FULL: N_("when space is free"),
    Trouble.READ_ONLY: N_("when the disk can be written again"),
    Trouble.LOCKED: N_("when the lock is released"),
    Trouble.FAILING: N_("when the disk works again"),
}
REFUSALS = {
    Trouble.FULL: N_("The server’s disk is full, so nothing was saved. Ask an administrator."),
    Trouble.READ_ONLY: N_("The server’s disk is read-only, so nothing was saved. Ask an administrator."),
    Trouble.LOCKED: N_("The server is busy saving other changes, so this one was not saved. Try again in a moment."),
    Trouble.FAILING: N_("The server’s disk reports errors, so this did not work. Ask an administrator."),
}

OF_FILES = {
    errno.ENOSPC: Trouble.FULL,
    errno.EDQUOT: Trouble.FULL,
    errno.EFBIG: Trouble.FULL,
    errno.EROFS: Trouble.READ_ONLY,
    errno.EIO: Trouble.FAILING,
}
OF_SQLITE = {  # by primary error code
    sqlite3.SQLITE_FULL: Trouble.FULL,
    sqlite3.SQLITE_READONLY: Trouble.READ_ONLY,
    sqlite3.SQLITE_BUSY: Trouble.LOCKED,
    sqlite3.SQLITE_LOCKED: Trouble.LOCKED,
    sqlite3.SQLITE_IOERR: Trouble.FAILING,
    sqlite3.SQLITE_CANTOPEN: Trouble.FAILING,
}


class CannotSave(UserError):
    """The server can store nothing at the moment."""

    status = 503

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(translated(REFUSALS[trouble]))
        self.trouble = trouble


class NoRoom(CannotSave):
    """The server's disk is full."""

    status = 507


def trouble_of(error: BaseException) -> Trouble | None:
    """What an error of a file or of SQLite says about storage; None if it is about something else."""
    if isinstance(error, CannotSave):
        return error.trouble
    if isinstance(error, sqlite3.Error):
        return OF_SQLITE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
    return OF_FILES.get(error.errno or 0) if isinstance(error, OSError) else None


@dataclass(frozen=True)
class Pause:
    """Nothing can be stored."""

    trouble: Trouble
    since: datetime

    @property
    def reason(self) -> str:
        """Such as "the disk is full"."""
        return translated(REASONS[self.trouble])

    @property
    def remedy(self) -> str:
        """When it ends, such as "when space is free"."""
        return translated(REMEDIES[self.trouble])

    @property
    def sentence(self) -> str:
        """For the people who wait."""
        return waiting_words(self.reason, self.remedy)


def waiting_words(reason: str, remedy: str) -> str:
    """What the people who wait read during a pause."""
    return _(
        "Paused: %(reason)s on the server. Nothing is lost, and work resumes by itself %(remedy)s.",
        reason=translated(reason),
        remedy=translated(remedy),
    )


class Storage:
    """The state of one data folder. Thread-safe."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = folder / "soroe.sqlite3"
        self.pause: Pause | None = None
        self._lock = Lock()
        self._held = 0
        self._listeners: list[Callable[[Pause | None, Pause | None], object]] = []

    def listen(self, listener: Callable[[Pause | None, Pause | None], object]) -> None:
        """Call `listener` with the pause before and now when saving pauses, resumes, or pauses for another reason.

        On whichever thread noticed it.
        """
        self._listeners.append(listener)

    @contextmanager
    def saving(self) -> Iterator[None]:
        """Turn the disk's refusals within the block into CannotSave, and report them."""
        try:
            yield
        except OSError as error:
            if refusal := self.refusal(error):
                raise refusal from error
            raise

    def refusal(self, error: BaseException) -> CannotSave | None:
        """Report an error of a writer. Returns what to raise in its place; None if it is not about storage."""
        trouble = trouble_of(error)
        if trouble is None:
            return None
        if trouble is Trouble.FAILING:  # SQLite does not say why
            trouble = self._look() or self._try_file() or trouble
        self._set(trouble)
        return (NoRoom if trouble is Trouble.FULL else CannotSave)(trouble)

    @contextmanager
    def holding(self) -> Iterator[None]:
        """While someone repeats a refused write. Only its success, or the end of the block, can end the pause."""
        with self._lock:
            self._held += 1
        try:
            yield
        finally:
            with self._lock:
                self._held -= 1

    def check(self) -> Pause | None:
        """Look at the disk, and during a pause try whether it can be written again."""
        trouble = self._look()
        if self.pause and not trouble and not self._held:
            trouble = self._try_file() or self._try_database()
        if trouble or not self._held:
            self._set(trouble)
        return self.pause

    @property
    def free_bytes(self) -> int:
        """What the server may still write to the disk."""
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize

    def _look(self) -> Trouble | None:
        """What the file system says about itself; cheap."""
        try:
            found = os.statvfs(self.folder)
        except OSError:
            return Trouble.FAILING
        if found.f_flag & os.ST_RDONLY:
            return Trouble.READ_ONLY
        wanted = MARGIN if self.pause and self.pause.trouble is Trouble.FULL else 1.0
        few_bytes = found.f_bavail < wanted * min(FLOOR_BYTES / found.f_frsize, SMALL_PART * found.f_blocks)
        few_files = found.f_favail < wanted * min(FLOOR_FILES, SMALL_PART * found.f_files)  # some count none at all
        return Trouble.FULL if few_bytes or few_files or self._at_limit() else None

    def _at_limit(self) -> bool:
        """Whether the database reached this process's limit on file sizes, which SQLite reports as an I/O error."""
        limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
        files = (self.database, self.database.with_name(self.database.name + "-wal"))
        sizes = (file.stat().st_size for file in files if file.exists())
        return limit != resource.RLIM_INFINITY and max(sizes, default=0) + LIMIT_MARGIN > limit

    def _try_file(self) -> Trouble | None:
        """Write a file."""
        trial = self.folder / "cache" / "trial"
        try:
            atomic.write(trial, bytes(TRIAL_BYTES))
            trial.unlink()
        except OSError as error:
            return trouble_of(error) or Trouble.FAILING
        return None

    def _try_database(self) -> Trouble | None:
        """Write the database's version number, which nothing uses, as it is."""
        if not self.database.exists():
            return None
        try:
            with closing(sqlite3.connect(self.database, timeout=LOCK_SECONDS, isolation_level=None)) as connection:
                (version,) = connection.execute("PRAGMA user_version").fetchone()
                connection.execute("BEGIN IMMEDIATE")
                connection.execute(f"PRAGMA user_version = {version}")
                connection.execute("COMMIT")
        except sqlite3.Error as error:
            return trouble_of(error) or Trouble.FAILING
        return None

    def _set(self, trouble: Trouble | None) -> None:
        """Begin or end a pause, or change its reason."""
        with self._lock:
            before = self.pause
            if (before and before.trouble) == trouble:
                return
            since = before.since if before else datetime.now(UTC)
            self.pause = now = Pause(trouble, since) if trouble else None
        for listener in self._listeners:
            listener(before, now)


def log_change(before: Pause | None, now: Pause | None) -> None:
    """A listener that writes one line to the log for each pause, and one when it ends."""
    if now and not before:
        log.error("saving is paused", reason=REASONS[now.trouble])
    elif before and not now:
        seconds = round((datetime.now(UTC) - before.since).total_seconds())
        log.warning("saving has resumed", reason=REASONS[before.trouble], seconds=seconds)
