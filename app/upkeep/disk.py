"""The space of the data folder: how much is free, a warning before it is full, and what uses it."""

import os
from collections.abc import Mapping
from pathlib import Path

import structlog

from app.storage import Storage

log = structlog.get_logger()

MEASURE_SECONDS = 3600.0  # between two measurements of what uses the space, which look at every file
SMALL_PART = 0.1  # of a small disk, low is this part
RISE = 1.2  # times the threshold: what must be free for the warning to end


class Disk:
    """What a server knows of its disk. It calls `check` every few seconds and `measure` every hour, in threads."""

    def __init__(self, folder: Path, storage: Storage, low_bytes: int) -> None:
        """`low_bytes`: warn when less is free; 0: never."""
        self.folder = folder
        self.storage = storage
        self.low_bytes = low_bytes
        self.low: int | None = None  # bytes that are free, while these are few
        self.used: Mapping[str, int] = {}  # bytes by folder of the data folder; "database" for the files at its top

    def check(self) -> None:
        """Look at the disk; log once that it is nearly full, and once that it has room again."""
        self.storage.check()
        free, before = self.storage.free_bytes, self.low
        self.low = free if self._is_low(free) else None
        if self.low is not None and before is None:
            log.warning("the disk is nearly full", free_bytes=free)
        elif self.low is None and before is not None:
            log.info("the disk has room again", free_bytes=free)

    def _is_low(self, free: int) -> bool:
        found = os.statvfs(self.folder)
        threshold = min(self.low_bytes, int(SMALL_PART * found.f_blocks * found.f_frsize))
        return free < threshold * (1.0 if self.low is None else RISE)

    def measure(self) -> None:
        """Add up what each kind of file uses, as the file system counts it."""
        folders = {each.name: each for each in os.scandir(self.folder) if each.is_dir(follow_symlinks=False)}
        kinds = {each.name: each for each in _entries(folders.pop("files", None)) if each.is_dir(follow_symlinks=False)}
        self.used = {name: used_by(Path(each)) for name, each in (folders | kinds).items()} | {
            "database": sum(_size(each) for each in os.scandir(self.folder) if each.is_file(follow_symlinks=False))
        }


def used_by(folder: Path) -> int:
    """The bytes that a folder takes on the disk; files that go away while it looks do not count."""
    total = 0
    for entry in _entries(folder):
        total += used_by(Path(entry)) if entry.is_dir(follow_symlinks=False) else _size(entry)
    return total


def _entries(folder: "os.DirEntry[str] | Path | None") -> "list[os.DirEntry[str]]":
    try:
        return list(os.scandir(folder)) if folder else []
    except OSError:
        return []


def _size(entry: "os.DirEntry[str]") -> int:
    try:
        return entry.stat(follow_symlinks=False).st_blocks * 512
    except OSError:
        return 0
