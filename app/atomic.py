"""Files that appear whole or not at all, whenever the process ends or the power fails.

A file is written under a temporary name in its own folder, pushed to the disk, and renamed.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex

UNFINISHED = ".unfinished"  # ends temporary names: what a crash left can be told by it


@contextmanager
def writing(path: Path, *, mode: int = 0o666, replace: bool = True) -> Iterator[Path]:
    """Within, write to the path that this gives; after it, `path` has that content, and a power cut loses nothing.

    The folder is made. `mode` is the file's, less the umask. Without `replace`, a file that is already there stays.
    Raises OSError; then, and when the block raises, nothing changes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(token_hex(8) + UNFINISHED)
    try:
        os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))
        yield temporary
        _sync(temporary)
        if replace:
            temporary.replace(path)
        else:
            with suppress(FileExistsError):
                os.link(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    _sync(path.parent)


def write(path: Path, data: bytes, *, mode: int = 0o666, replace: bool = True) -> None:
    """Give `path` the content `data`, as `writing` does."""
    with writing(path, mode=mode, replace=replace) as temporary:
        temporary.write_bytes(data)


def sweep(folder: Path, pattern: str = "**/*") -> None:
    """Remove what a crash left half-written in `folder`, at the places of `pattern`; nobody may be writing there."""
    for path in folder.glob(pattern + UNFINISHED):
        path.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Push a file, or the names in a folder, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
