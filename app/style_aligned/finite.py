"""Detect overflow: too large a number becomes infinite, then NaN, and NaN as a picture is plain black.

Causes are many: an excessive LoRA weight, a scheduler that does not suit the settings, a number format too narrow for a
VAE. So the checks are where overflow would show: in the latents and pixels of each picture.
"""

import torch
from torch import Tensor

from app.style_aligned.loading import ModelError

LARGEST = 1e4  # latents of pictures stay within a few dozen; anything above this is overflowing


class NotFinite(ModelError):
    """A result overflowed. `decoding`: its latents were still finite, so the VAE overflowed."""

    def __init__(self, message: str, *, decoding: bool = False) -> None:
        super().__init__(message)
        self.decoding = decoding


def finite_rows(latents: Tensor) -> Tensor:
    """Which rows of `latents` (N, ...) are finite and of a sensible size: (N,) of bool."""
    # NaN compares false, and infinity is larger.
    return latents.detach().flatten(1).abs().amax(1) <= LARGEST


def is_finite(numbers: Tensor) -> bool:
    """Whether all `numbers` are finite."""
    return bool(torch.isfinite(numbers).all())
