"""Check that a model's weights are numbers: one NaN among them paints every picture black.

A failed training or a bad merge leaves such files, and a failing disk does too. Checking reads each number once, a
tensor at a time (20 GB of float16 per second and core), and `CheckedWeights` remembers the files that passed.
"""

import json
from collections.abc import Iterable
from math import isfinite
from pathlib import Path

import torch
from safetensors import safe_open

from app import atomic

CHECKED = "checked-weights.json"


class Unusable(Exception):
    """The numbers of a file cannot be used. The message is one sentence."""

    def __init__(self, file: Path, why: str) -> None:
        super().__init__(f"{file} {why}.")


class CheckedWeights:
    """Which files were checked, in `folder`; None remembers nothing."""

    def __init__(self, folder: Path | None) -> None:
        self._file = folder / CHECKED if folder else None
        self._largest: dict[str, list[float]] = self._read()  # by path: size, time of change, largest magnitude

    def check(self, files: Iterable[Path], dtype: torch.dtype) -> None:
        """Check the numbers of safetensors files, to be loaded as `dtype`, unless they were checked before.

        Raises Unusable, OSError and SafetensorError.
        """
        new = False
        for file in files:
            path, found = str(file.resolve()), file.stat()
            size, changed, largest = self._largest.get(path, (0, 0, 0))
            if (size, changed) != (found.st_size, found.st_mtime_ns):
                largest, new = _largest(file), True
                self._largest[path] = [found.st_size, found.st_mtime_ns, largest]
            if largest > torch.finfo(dtype).max:
                narrow = str(dtype).removeprefix("torch.")
                raise Unusable(file, f"holds numbers too large for {narrow}; set SOROE_PRECISION to bfloat16")
        if self._file and new:
            atomic.write(self._file, json.dumps(self._largest).encode())

    def _read(self) -> dict[str, list[float]]:
        try:
            return dict(json.loads(self._file.read_bytes())) if self._file else {}
        except (OSError, ValueError, TypeError):  # not there yet, or cut off
            return {}


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
