"""Check that a model's weights are numbers: one NaN among them paints every picture black.

A failed training or a bad merge leaves such files, and a failing disk does too. Checking reads each number once, a
tensor at a time (20 GB of float16 per second and core), and hashes the file (1 to 2 GB per second). `CheckedWeights`
remembers the files that passed, with their hashes.
"""

import hashlib
import json
from collections.abc import Iterable
from math import isfinite
from pathlib import Path

import torch
from safetensors import safe_open

from app import atomic

CHECKED = "checked-weights.json"

Known = tuple[int, int, float, str]
"""A file's size, time of change in ns, largest magnitude and SHA-256."""


class Unusable(Exception):
    """The numbers of a file cannot be used. The message is one sentence."""

    def __init__(self, file: Path, why: str) -> None:
        super().__init__(f"{file} {why}.")


class CheckedWeights:
    """Which files were checked, in `folder`; None remembers nothing."""

    def __init__(self, folder: Path | None) -> None:
        self._file = folder / CHECKED if folder else None
        self._known: dict[str, Known] = self._read()  # by path
        self._hashes: list[str] = []  # of the files that this one has checked

    def check(self, files: Iterable[Path], dtype: torch.dtype) -> None:
        """Check the numbers of safetensors files, to be loaded as `dtype`, unless they were checked before.

        Raises Unusable, OSError and SafetensorError.
        """
        new = False
        for file in files:
            path, found = str(file.resolve()), file.stat()
            known = self._known.get(path)
            if not known or known[:2] != (found.st_size, found.st_mtime_ns):
                known, new = (found.st_size, found.st_mtime_ns, _largest(file), _hash(file)), True
                self._known[path] = known
            *_, largest, sha256 = known
            self._hashes.append(sha256)
            if largest > torch.finfo(dtype).max:
                narrow = str(dtype).removeprefix("torch.")
                raise Unusable(file, f"holds numbers too large for {narrow}; set SOROE_PRECISION to bfloat16")
        if self._file and new:
            atomic.write(self._file, json.dumps(self._known).encode())

    @property
    def identity(self) -> str:
        """One hash of all files that were checked: models with the same weights have the same."""
        return hashlib.sha256(" ".join(sorted(self._hashes)).encode()).hexdigest()

    def _read(self) -> dict[str, Known]:
        try:
            found = json.loads(self._file.read_bytes()) if self._file else {}
            return {path: (size, changed, largest, sha256) for path, (size, changed, largest, sha256) in found.items()}
        except (OSError, ValueError, TypeError, AttributeError):  # not there yet, cut off, or of an earlier version
            return {}


def _hash(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _largest(file: Path) -> float:
    """The largest magnitude in a safetensors file. Raises Unusable with the name of a tensor that holds NaN or inf."""
    largest = 0.0
    with safe_open(file, "pt") as tensors:
        for name in tensors.keys():  # noqa: SIM118  (it cannot be iterated)
            numbers = tensors.get_tensor(name)
            if not numbers.is_floating_point() or not numbers.numel():
                continue
            low, high = (numbers.float() if numbers.element_size() == 1 else numbers).aminmax()  # both NaN if any is
            if not (isfinite(low) and isfinite(high)):
                raise Unusable(
                    file,
                    f"is damaged: its tensor {name} holds infinite or missing numbers; restore it or download it again",
                )
            largest = max(largest, -float(low), float(high))
    return largest
