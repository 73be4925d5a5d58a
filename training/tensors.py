"""Move pictures from disk to tensors on the device without making the device wait."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

RESIDENT_SHARE = 0.4  # of a GPU's free memory that one array may take; the rest is for the model and its batch
CHUNK = 1024  # rows copied at a time


def onto(tensor: Tensor, device: torch.device) -> Tensor:
    """Copy to the device. The copy is made from pinned memory and does not block."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


class Rows:
    """Rows of a large array ``(N, ...)``: all on the GPU if they fit, otherwise fetched on request."""

    def __init__(self, array: NDArray[Any], device: torch.device) -> None:
        self.array, self.device = array, device
        self.resident: Tensor | None = None
        if device.type == "cuda":
            torch.cuda.empty_cache()  # release the memory of an earlier run
            if array.nbytes < RESIDENT_SHARE * torch.cuda.mem_get_info(device)[0]:
                self.resident = self._copied()

    def __getitem__(self, rows: Tensor) -> Tensor:
        """``(B, ...)`` on the device for row numbers ``(B,)`` on the CPU."""
        if self.resident is not None:
            return self.resident[onto(rows, self.device)]
        # In ascending order, which is faster on a disk.
        ascending, back = torch.sort(rows)
        fetched = torch.from_numpy(np.ascontiguousarray(self.array[ascending.numpy()]))
        return onto(fetched[torch.argsort(back)], self.device)

    def _copied(self) -> Tensor:
        kind = torch.from_numpy(np.ascontiguousarray(self.array[:1])).dtype
        whole = torch.empty(self.array.shape, dtype=kind, device=self.device)
        for start in range(0, len(self.array), CHUNK):
            part = np.ascontiguousarray(self.array[start : start + CHUNK])
            whole[start : start + len(part)] = torch.from_numpy(part).to(self.device)
        return whole


def as_pictures(pixels: Tensor) -> Tensor:
    """uint8 ``(B, H, W, 3)`` to float ``(B, 3, H, W)`` in -1..1, as the VAE takes it."""
    return pixels.permute(0, 3, 1, 2).float().div(127.5).sub(1)


def reduced(pixels: Tensor, side: int) -> Tensor:
    """uint8 ``(B, H, W, 3)`` to float ``(B, 3, side, side)`` in -1..1, by area averaging."""
    pictures = as_pictures(pixels)
    return pictures if pictures.shape[-1] == side else functional.interpolate(pictures, (side, side), mode="area")


def as_hints(maps: Tensor) -> Tensor:
    """uint8 ``(B, H, W)`` to float ``(B, 3, H, W)`` in 0..1, as a ControlNet takes it."""
    return maps[:, None].float().div(255).expand(-1, 3, -1, -1)
