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
        subprocess.run(["mkfs.ext4", "-q", self.image], check=True)

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

    def power_on(self) -> None:
        """Mount what the device holds, as after a power cut."""
        subprocess.run(["umount", self.folder], check=True)
        self._mount()

    def _mount(self) -> None:
        subprocess.run(["mount", "-o", "loop", self.image, self.folder], check=True)
