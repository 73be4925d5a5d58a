"""The folder of data is the server's alone: no other user of the machine reads or writes in it.

Passwords' hashes, pictures before they are published, licences and the signing key lie there. So folders are 0700 and
files 0600, SQLite's own beside the database among them. What was made otherwise before, by hand, by a backup or by an
older Soroe, is mended at the start. Groups get nothing either: who else shall read takes it over the network, or from a
backup.
"""

import os
from contextlib import suppress
from pathlib import Path

OTHERS = 0o077  # the bits of group and others


class NotOurs(Exception):
    """The folder is another user's; the message is one sentence or two."""


def use(folder: Path) -> None:
    """From now on, what this process makes is closed to others; and so is `folder`, made where there is none.

    Raises NotOurs, and OSError.
    """
    os.umask(OTHERS)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    close(folder)


def close(folder: Path) -> None:
    """Take `folder`, and all in it, from group and others. Links are left alone. Raises NotOurs, and OSError."""
    owner = folder.stat().st_uid
    if owner != os.geteuid():
        raise NotOurs(
            f"The folder {folder} belongs to another user (number {owner}), so its pictures and passwords would be "
            "theirs to read. Run Soroe as that user, or give the folder to this one with chown -R."
        )
    _take(folder)
    waiting = [folder]
    while waiting:
        # A server that is already running may remove what it is done with meanwhile. What we may not look into, such as
        # the lost+found of a disk of its own, holds nothing of ours.
        with suppress(FileNotFoundError, PermissionError), os.scandir(waiting.pop()) as found:
            for entry in found:
                if not entry.is_symlink():
                    _take(entry)
                    waiting += [Path(entry.path)] if entry.is_dir() else []


def _take(entry: Path | os.DirEntry[str]) -> None:
    """What another user put there and closed to us stays as it is: it was not ours to begin with."""
    with suppress(FileNotFoundError):
        found = entry.stat()
        if found.st_mode & OTHERS and found.st_uid == os.geteuid():
            Path(entry.path if isinstance(entry, os.DirEntry) else entry).chmod(found.st_mode & ~OTHERS & 0o7777)
