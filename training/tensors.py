"""Between pictures on disk and tensors on the device."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def picture_rows(pixels: NDArray[np.uint8], rows: Tensor) -> Tensor:
    """uint8 ``(B, S, S, C)``. Rows are read in ascending order, which a disk likes better."""
    ascending, back = torch.sort(rows)
    return torch.from_numpy(np.ascontiguousarray(pixels[ascending.numpy()]))[torch.argsort(back)]


def as_pictures(pixels: Tensor, device: torch.device) -> Tensor:
    """uint8 ``(B, H, W, 3)`` to float ``(B, 3, H, W)`` in -1..1, as the VAE takes it."""
    return pixels.to(device).permute(0, 3, 1, 2).float().div(127.5).sub(1)


def as_hints(maps: Tensor, device: torch.device) -> Tensor:
    """uint8 ``(B, H, W)`` to float ``(B, 3, H, W)`` in 0..1, as a ControlNet takes it."""
    return maps.to(device)[:, None].float().div(255).expand(-1, 3, -1, -1)
