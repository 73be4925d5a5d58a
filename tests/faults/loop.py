"""An ext4 file system on a loop device, and power cuts of it. Needs root.

A cut is ext4's own shutdown, without flushing even its journal: what the kernel had not yet written to the device is
gone, as it is without power. https://docs.kernel.org/filesystems/ext4 and xfstests use it for the same purpose.
"""

import fcntl
import os
import struct
import subprocess
from pathlib import Path

SHUTDOWN = 0x8004587D  # EXT4_IOC_SHUTDOWN
NO_FLUSH = 2  # EXT4_GOING_FLAGS_NOLOGFLUSH
MEGABYTES = 512


class LoopDisk:
    """A file system in the file `work/disk.img`, mounted at `work/disk`; within `with`."""

    def __init__(self, work: Path) -> None:
        self.image = work / "disk.img"
        self.folder = work / "disk"
        self.folder.mkdir(parents=True)
        with self.image.open("wb") as file:
            file.truncate(MEGABYTES * 2**20)
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", self.image], check=True)  # nothing reserved for root

    def __enter__(self) -> "LoopDisk":
        self._mount()
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(["umount", self.folder], check=True)

    def cut(self) -> None:
        """Cut the power: every later write fails. End all processes that use it, then call `power_on`."""
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(folder, SHUTDOWN, struct.pack("I", NO_FLUSH))
        finally:
            os.close(folder)

    def power_on(self, *, repair: bool = False) -> None:
        """Mount what the device holds, as after a power cut; with `repair`, as an operator does after an error."""
        subprocess.run(["umount", self.folder], check=True)
        if repair:
            subprocess.run(
                ["fsck.ext4", "-p", self.image], stdout=subprocess.DEVNULL, check=False
            )  # 1: errors were mended
        self._mount()
        self.free()  # a cut may bring back what was removed just before

    def fill(self, leave: int = 0) -> None:
        """Fill it up to `leave` bytes; `free` undoes it."""
        size, step = 0, 2**24
        with self._filler.open("wb") as file:
            while step >= 4096:
                try:
                    os.posix_fallocate(file.fileno(), size, step)
                    size += step
                except OSError:
                    step //= 2
            file.truncate(max(0, size - leave))

    def free(self) -> None:
        self._filler.unlink(missing_ok=True)

    def fail(self) -> None:
        """Let the file system find an error: it becomes read-only until `power_on(repair=True)`."""
        device = Path(subprocess.check_output(["findmnt", "-no", "SOURCE", self.folder], text=True).strip())
        Path("/sys/fs/ext4", device.name, "trigger_fs_error").write_text("1")

    @property
    def _filler(self) -> Path:
        return self.folder / "filler"

    def _mount(self) -> None:
        subprocess.run(["mount", "-o", "loop,errors=remount-ro", self.image, self.folder], check=True)
