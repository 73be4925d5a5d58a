"""Write files completely or not at all, even if the process dies or the power fails.

A file is written under a temporary name in its own folder, flushed to disk, and renamed.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex

UNFINISHED = ".unfinished"  # suffix of temporary names: identifies what a crash left behind


@contextmanager
def writing(path: Path, *, mode: int = 0o666, replace: bool = True) -> Iterator[Path]:
    """Yield a path to write to; afterwards `path` has that content, safe against power loss.

    Creates the folder. `mode` is the file's, minus the umask. Without `replace`, an existing file stays. Raises
    OSError; then, or if the block raises, nothing changes.
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
    """Remove half-written files that a crash left in `folder`, matching `pattern`; nobody may be writing there."""
    for path in folder.glob(pattern + UNFINISHED):
        path.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Flush a file, or a folder's names, to disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
