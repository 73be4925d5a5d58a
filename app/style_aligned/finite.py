"""Numbers that are none: what overflows becomes infinite, then NaN, and NaN as a picture is plain black.

It has many causes: a LoRA that counts too much, a scheduler that the settings do not suit, a format of numbers that is
too narrow for a VAE. So it is looked for where it would show, in the latents and the pixels of each picture by itself.
"""

import torch
from torch import Tensor

from app.style_aligned.loading import ModelError

LARGEST = 1e4  # latents of pictures stay within a few dozen; what is beyond this is on its way to infinity


class NotFinite(ModelError):
    """Something could not be made because its numbers overflowed. `decoding` says that it was whole until the VAE."""

    def __init__(self, message: str, *, decoding: bool = False) -> None:
        super().__init__(message)
        self.decoding = decoding


def finite_rows(latents: Tensor) -> Tensor:
    """Which of `latents` (N, ...) are numbers of a sensible size: (N,) of bool."""
    # NaN is not at most anything, and infinity is more.
    return latents.detach().flatten(1).abs().amax(1) <= LARGEST


def is_finite(numbers: Tensor) -> bool:
    """Whether all of `numbers` are."""
    return bool(torch.isfinite(numbers).all())
