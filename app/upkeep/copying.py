"""Copy files between a data folder and a backup: whole or not at all, and checked against their SHA-256.

Nothing is flushed to disk here. Thousands of files are flushed together at the end, by `os.sync`.
"""

import fcntl
import hashlib
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from app import atomic
from app.languages import gettext as _

CLONE = 0x40049409  # FICLONE: both names share the data on a file system that can, such as Btrfs or XFS
BLOCK = 1 << 20


class Unreadable(Exception):
    """The source is missing, cannot be read, or is not what its hash says."""


def unreadable(path: Path, error: OSError) -> Unreadable:
    return Unreadable(_("%(path)s cannot be read: %(why)s", path=path, why=error.strerror or _("it is not a file")))


def copy(source: Path, target: Path, sha256: str = "", *, link: bool = False) -> str:
    """Copy a file and return its SHA-256. Only this user may read the copy.

    `link` makes a hard link where both are on one file system. Raises Unreadable, also unless the hash is `sha256`, if
    given, and OSError for the target; `target` is then as before.
    """
    with atomic.writing(target, mode=0o600, flush=False) as temporary:
        found = hash_of(temporary) if link and _linked(source, temporary) else _copied(source, temporary)
        if sha256 and found != sha256:
            raise Unreadable(_("%(source)s is damaged", source=source))
    return found


def hash_of(path: Path) -> str:
    """The SHA-256 of a file. Raises Unreadable."""
    try:
        with atomic.opened(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise unreadable(path, error) from error


def _linked(source: Path, temporary: Path) -> bool:
    """Put a hard link in place of an empty file; False on another file system, or one without links."""
    temporary.unlink()
    try:
        temporary.hardlink_to(source)
    except OSError:
        temporary.touch(0o600)
        return False
    return True


def _copied(source: Path, temporary: Path) -> str:
    try:
        reading = atomic.opened(source)
    except OSError as error:
        raise unreadable(source, error) from error
    with reading, temporary.open("w+b") as writing:
        if sys.platform == "linux":
            with suppress(OSError):
                fcntl.ioctl(writing, CLONE, reading.fileno())
                return hashlib.file_digest(writing, "sha256").hexdigest()
        digest = hashlib.sha256()
        while block := _read(reading.read, source):
            digest.update(block)
            writing.write(block)
    return digest.hexdigest()


def _read(read: Callable[[int], bytes], source: Path) -> bytes:
    try:
        return read(BLOCK)
    except OSError as error:
        raise unreadable(source, error) from error
