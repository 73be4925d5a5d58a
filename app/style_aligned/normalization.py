"""Shared group normalisation, from moments.

The authors normalise each target together with the reference by concatenating them in space. The statistics of a group
over both are a mixture of the two statistics, so nothing needs to be concatenated:

    mean = (1 - a) mean_target + a mean_reference
    variance = (1 - a) variance_target + a variance_reference + a (1 - a) (mean_target - mean_reference)^2

with a = 1/2 for pictures of one size at strength 1. There is no shared layer normalisation: it normalises each token
separately, so sharing it changes nothing.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from app.style_aligned.attention import Influence
from app.style_aligned.on_cpu import var_mean


class Moments(NamedTuple):
    """Mean and variance of every group of channels, in float32, and the count of numbers they cover."""

    mean: Tensor  # (..., groups)
    variance: Tensor  # (..., groups)
    size: int

    @classmethod
    def of(cls, x: Tensor, groups: int) -> "Moments":
        """Moments of `x` (rows, C, ...) over each group's channels and all of space: (rows, groups)."""
        flat = x.float().reshape(x.shape[0], groups, -1)
        variance, mean = var_mean(flat, -1, correction=0)
        return cls(mean.squeeze(-1), variance.squeeze(-1), flat.shape[-1])


@dataclass(frozen=True)
class RecordingNorm:
    """A group norm's forward that normalises as usual and appends each batch's moments to `kept`."""

    norm: nn.GroupNorm
    kept: list[Moments]

    def __call__(self, x: Tensor) -> Tensor:
        self.kept.append(Moments.of(x, self.norm.num_groups))
        return nn.GroupNorm.forward(self.norm, x)


@dataclass(frozen=True)
class SharingNorm:
    """A group norm's forward that normalises each target together with the references."""

    norm: nn.GroupNorm
    recorded: Moments  # (G * R, groups)
    groups: int  # G, guidance branches
    influence: Influence

    def __call__(self, x: Tensor) -> Tensor:
        norm = self.norm
        mean, variance = self._mix(Moments.of(x, norm.num_groups))
        rstd = (variance + norm.eps).rsqrt()
        # y = (x - mean) * rstd * weight + bias, as one multiplication and one addition per channel.
        channels = x.shape[1] // norm.num_groups
        mean, rstd = mean.repeat_interleave(channels, 1), rstd.repeat_interleave(channels, 1)
        gain = rstd * norm.weight.float()
        offset = norm.bias.float() - mean * gain
        shape = (*gain.shape, *[1] * (x.dim() - 2))
        return torch.addcmul(offset.view(shape), x.float(), gain.view(shape)).to(x.dtype)

    def _mix(self, own: Moments) -> tuple[Tensor, Tensor]:
        """Mean and variance (G * N, groups) of targets and references together; all references count as one picture."""
        weights = self.influence.weights.float().view(1, -1, 1)

        def mean_of_references(x: Tensor) -> Tensor:  # (G * R, groups) to (G, 1, groups)
            return (x.unflatten(0, (self.groups, -1)) * weights).sum(1, keepdim=True)

        mean = mean_of_references(self.recorded.mean)
        spread = self.recorded.mean.unflatten(0, (self.groups, -1)) - mean
        variance = mean_of_references(self.recorded.variance + spread.square().flatten(0, 1))
        pull = self.influence.strength.float().clamp(max=1) * self.recorded.size
        amount = (pull / (pull + own.size)).view(1, -1, 1)
        targets, variances = own.mean.unflatten(0, (self.groups, -1)), own.variance.unflatten(0, (self.groups, -1))
        apart = mean - targets
        mixed = torch.lerp(variances, variance, amount) + amount * (1 - amount) * apart.square()
        return (targets + amount * apart).flatten(0, 1), mixed.flatten(0, 1)
