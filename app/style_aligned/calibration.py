"""Colour calibration: give the predicted picture the colours of the reference, step by step.

Source: Jeong, Kim, Lee, Choi, Uh, "StyleKeeper: Prevent Content Leakage using Negative Visual Query Guidance", ICCV
2025, arXiv 2510.06827: AdaIN on the predicted x_0 towards the reference's x_0, per channel over space.

    x_0' = std(reference) * (x_0 - mean(x_0)) / std(x_0) + mean(reference)

Latents of this family are nearly linear in colour, so their mean and spread are those of the picture's colours. Moving
x_0 between two steps keeps what the step drew, and the next steps settle what is left at odds with it.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

EPSILON = 1e-5  # inside the root, as in `attention.adain`


def channel_stats(x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (N, C, 1, 1) of every channel of `x` (N, C, h, w), where positions count `weight`.

    `weight` (h, w) is 0 or more and somewhere above 0.
    """
    share = weight / weight.sum()
    mean = (x * share).sum((-2, -1), keepdim=True)
    variance = ((x - mean).square() * share).sum((-2, -1), keepdim=True)
    return mean, (variance + EPSILON).sqrt()


@dataclass(frozen=True)
class Calibration:
    """The colours of the references, and how far each target takes them on."""

    mean: Tensor  # (1, C, 1, 1), float32
    std: Tensor
    amount: Tensor  # (N, 1, 1, 1), 0 to 1

    @classmethod
    def to(cls, clean: Tensor, weights: Tensor, amount: Tensor) -> "Calibration":
        """Towards references' x_0 `clean` (R, C, h, w), with statistics averaged by `weights` (R,), sum 1.

        `amount` (N,), 0 to 1.
        """
        mean, std = channel_stats(clean.float(), torch.ones(clean.shape[-2:], device=clean.device))
        by = weights.view(-1, 1, 1, 1)
        return cls((mean * by).sum(0, True), (std * by).sum(0, True), amount.view(-1, 1, 1, 1))

    def __call__(self, clean: Tensor, weight: Tensor) -> Tensor:
        """Move targets' x_0 `clean` (N, C, h, w), float32, of which positions count `weight` (h, w)."""
        mean, std = channel_stats(clean, weight)
        return torch.lerp(clean, (clean - mean) * (self.std / std) + self.mean, self.amount)
