"""A disk that keeps only what was flushed: the worst that a power cut may leave. Needs Linux and a C compiler."""

import shutil
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_name("disk.c")


class Disk:
    """Watches what processes with `environment` flush below `root`; `after_cut` rebuilds it from that alone."""

    def __init__(self, root: Path, work: Path) -> None:
        self.kept = work / "flushed"
        self.kept.mkdir(parents=True)
        library = work / "disk.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, SOURCE, "-ldl"], check=True)
        self.environment = {"LD_PRELOAD": str(library), "CUT_ROOT": str(root), "CUT_DISK": str(self.kept)}

    def after_cut(self, folder: Path) -> None:
        """Write what is left of `root` into `folder`, which is created. Kill the process first."""
        self._rebuild("root", folder)

    def _rebuild(self, identity: str, folder: Path) -> None:
        folder.mkdir()
        names = self.kept / identity
        for line in names.read_text().splitlines() if names.exists() else ():
            kind, inside, name = line.split(" ", 2)
            if kind == "d":
                self._rebuild(inside, folder / name)
            elif (self.kept / inside).exists():
                shutil.copyfile(self.kept / inside, folder / name)
            else:
                (folder / name).touch()  # its name was flushed, and none of its bytes
