"""A real, small disk: a tmpfs in a forked process's namespace, so that it needs no root and leaves nothing behind."""

import ctypes
import os
import subprocess
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000


class Disk:
    """A disk that can fill up and become read-only."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.filler = root / "filler"
        self.many = root / "many"

    def fill(self, leave: int = 0) -> None:
        """Fill it up to `leave` bytes."""
        with self.filler.open("ab", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(64 * 1024))
        os.truncate(self.filler, max(0, self.filler.stat().st_size - leave))

    def free(self) -> None:
        self.filler.unlink()

    def use_up_files(self) -> None:
        """Create empty files until no inode is left."""
        self.many.mkdir()
        with suppress(OSError):
            for number in range(100_000):
                (self.many / str(number)).touch()

    def free_files(self) -> None:
        for file in self.many.iterdir():
            file.unlink()
        self.many.rmdir()

    def remount(self, how: str) -> None:
        """`ro` or `rw`."""
        subprocess.run(["mount", "-o", f"remount,{how}", self.root], check=True)


def on_small_disk(folder: Path, story: Callable[[Disk], None], size: str = "8m", files: int = 2000) -> None:
    """Run `story` in a forked process with a disk of `size` for `files` at `folder`. What it raises fails the test."""
    folder.mkdir(exist_ok=True)
    read, write = os.pipe()
    child = os.fork()
    if not child:
        status = 1
        try:
            _mount(folder, f"size={size},nr_inodes={files},mode=700")
            story(Disk(folder))
            status = 0
        except BaseException:
            os.write(write, traceback.format_exc().encode()[-60_000:])
        finally:
            sys.stderr.flush()
            os._exit(status)
    os.close(write)
    with os.fdopen(read) as said:
        words = said.read()
    _, status = os.waitpid(child, 0)
    if status:
        pytest.fail(words or f"the forked process ended with status {status}", pytrace=False)


def _mount(folder: Path, options: str) -> None:
    user, group = os.getuid(), os.getgid()
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS | CLONE_NEWUSER):
        raise OSError(ctypes.get_errno(), "no namespace for a disk of its own")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {user} 1")
    Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)
