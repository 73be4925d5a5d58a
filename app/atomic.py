"""Write files completely or not at all, even if the process dies or the power fails.

A file is written under a temporary name in its own folder, flushed to disk, and renamed. Then the folder is flushed,
which holds the file's name, and so is the parent of each new folder, up to the root.
"""

import fcntl
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from secrets import token_hex

UNFINISHED = ".unfinished"  # suffix of temporary names: identifies what a crash left behind

_flushed: set[Path] = set()  # folders whose names have reached the disk since this process started


@contextmanager
def writing(path: Path, *, mode: int = 0o666, replace: bool = True, flush: bool = True) -> Iterator[Path]:
    """Yield a path to write to; afterwards `path` has that content, safe against power loss.

    Creates the folder. `mode` is the file's, minus the umask. Without `replace`, an existing file stays. Without
    `flush`, a caller that writes thousands of files flushes them all at the end. Raises OSError; then, or if the block
    raises, nothing changes.
    """
    make_folder(path.parent)
    temporary = path.with_name(token_hex(8) + UNFINISHED)
    try:
        os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))
        yield temporary
        if flush:
            _sync(temporary)
        if replace:
            temporary.replace(path)
        else:
            with suppress(FileExistsError):
                os.link(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    if flush:
        _sync(path.parent)


def write(path: Path, data: bytes, *, mode: int = 0o666, replace: bool = True) -> None:
    """Give `path` the content `data`, as `writing` does."""
    with writing(path, mode=mode, replace=replace) as temporary:
        temporary.write_bytes(data)


def make_folder(folder: Path, *, mode: int = 0o777) -> None:
    """Create a folder and its parents, safe against power loss. `mode` is the new folders', minus the umask.

    Raises OSError, also if it is a file.
    """
    name = folder.absolute()
    if name in _flushed and folder.is_dir():
        return
    # Forgotten before it is created again: another thread that finds it must not take its name for flushed.
    _flushed.discard(name)
    if folder.parent != folder:
        make_folder(folder.parent, mode=mode)
    try:
        folder.mkdir(mode)
        new = True
    except OSError:
        if not folder.is_dir():
            raise
        new = False  # perhaps by a process that was killed before it flushed the parent
    try:
        _sync(folder.parent)
    except OSError:  # such as a parent that only others may read
        if new:
            raise
    _flushed.add(name)


def keep(path: Path) -> None:
    """Make a file that `writing` wrote earlier safe against power loss. Raises OSError.

    Its writer may have been killed, or be about to flush its folder.
    """
    make_folder(path.parent)
    _sync(path.parent)


def move(path: Path, target: Path) -> None:
    """Rename a file or folder, whose content is on disk already, safe against power loss. Raises OSError."""
    path.rename(target)
    _sync(target.parent)
    _sync(path.parent)


class NoFile(OSError):
    """Something that is not a file has a file's name, such as a folder or a fifo."""


def opened(path: Path) -> BufferedReader:
    """Open a file to read it. Raises OSError, also for a fifo, a socket or a device, and waits for none of them."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise NoFile(f"{path} is not a file")  # English
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise NoFile(f"{path} is not a file")  # English
    return file


def sweep(folder: Path, pattern: str = "**/*") -> None:
    """Remove half-written files that a crash left in `folder`, matching `pattern`; nobody may be writing there."""
    for path in folder.glob(pattern + UNFINISHED):
        path.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Flush a file, or a folder's names, to disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        if sys.platform == "darwin":  # where fsync leaves the data in the drive's own cache
            fcntl.fcntl(handle, fcntl.F_FULLFSYNC)
        else:
            os.fsync(handle)
    finally:
        os.close(handle)
