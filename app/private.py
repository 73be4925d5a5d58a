"""Close the data folder to everyone except the server: no other user of the machine can read or write in it.

It contains password hashes, unpublished pictures, licences and the signing key. So folders are 0700 and files 0600,
including SQLite's own files. Anything with other permissions, made by hand, by a backup or by an older Soroe, is fixed
at start. Groups get nothing either: others read over the network, or from a backup.
"""

import os
from contextlib import suppress
from pathlib import Path

from app import atomic
from app.languages import gettext as _

OTHERS = 0o077  # permission bits of group and others


class NotOurs(Exception):
    """The folder belongs to another user; the message is one or two sentences."""


def use(folder: Path) -> None:
    """Close everything that this process creates from now on, and `folder`, which is created if needed.

    Raises NotOurs, and OSError.
    """
    os.umask(OTHERS)
    atomic.make_folder(folder, mode=0o700)
    close(folder)


def close(folder: Path) -> None:
    """Close `folder`, and everything in it, to group and others. Skips links. Raises NotOurs, and OSError."""
    owner = folder.stat().st_uid
    if owner != os.geteuid():
        raise NotOurs(
            _(
                "The folder %(folder)s belongs to another user (number %(owner)s), so that user could read its"
                " pictures and passwords. Run Soroe as that user, or give this user the folder with chown -R.",
                folder=folder,
                owner=owner,
            )
        )
    _take(folder)
    waiting = [folder]
    while waiting:
        # A running server may be removing files. Folders that we may not read, such as a disk's lost+found, are not
        # ours.
        with suppress(FileNotFoundError, PermissionError), os.scandir(waiting.pop()) as found:
            for entry in found:
                if not entry.is_symlink():
                    _take(entry)
                    waiting += [Path(entry.path)] if entry.is_dir() else []


def _take(entry: Path | os.DirEntry[str]) -> None:
    """Files that another user closed to us stay as they are: they are not ours."""
    with suppress(FileNotFoundError):
        found = entry.stat()
        if found.st_mode & OTHERS and found.st_uid == os.geteuid():
            Path(entry.path if isinstance(entry, os.DirEntry) else entry).chmod(found.st_mode & ~OTHERS & 0o7777)
