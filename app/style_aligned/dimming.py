"""Lower attention to a reference's subject, so that less of it shows up in the targets.

Source: Aravanis, Filntisis, Maragos, Retsinas, "Only-Style: Stylistic Consistency in Image Generation without Content
Leakage", 2025, arXiv 2506.09916: weaken the alignment to those patches of the reference that show its subject. Here the
logits of those keys get `log(factor)`, so that their weights before normalisation are multiplied by `factor`. A mask is
binary at each layer's resolution, so this is one more part to merge, and no logits are stored.
"""

from dataclasses import dataclass, field

from torch import Tensor
from torch.nn.functional import interpolate


@dataclass(frozen=True)
class Dimmed:
    """Which tokens of one reference count less in a layer, and by what factor."""

    rest: Tensor  # (L1,), int64: the positions of the others, at least one
    subject: Tensor  # (L2,), int64: at least one
    factor: float  # 0 to 1


@dataclass(frozen=True)
class Dimming:
    """Where the references show their subjects, for layers of any resolution."""

    masks: Tensor  # (R, h, w), 0 to 1, with 1 for the subject, at the resolution of the latents
    factor: float
    _known: dict[tuple[int, int], Dimmed | None] = field(default_factory=dict, repr=False, compare=False)

    def at(self, reference: int, tokens: int) -> Dimmed | None:
        """The split of a reference's `tokens` in a layer.

        None where the mask holds no token or all of them: what covers everything tells nothing apart.
        """
        key = reference, tokens
        if key not in self._known:
            self._known[key] = self._split(self.masks[reference], tokens)
        return self._known[key]

    def _split(self, mask: Tensor, tokens: int) -> Dimmed | None:
        size = shape_of(tokens, *mask.shape)
        inside = interpolate(mask[None, None].float(), size=size, mode="area").flatten() >= 0.5
        if inside.all() or not inside.any():
            return None
        return Dimmed((~inside).nonzero().flatten(), inside.nonzero().flatten(), self.factor)


def shape_of(tokens: int, height: int, width: int) -> tuple[int, int]:
    """The height and width of a layer with this many tokens in a UNet that halves latents of `height` x `width`.

    Raises ValueError if none has.
    """
    high, wide = height, width
    while high * wide > tokens and high * wide > 1:
        high, wide = (high + 1) // 2, (wide + 1) // 2
    if high * wide != tokens:
        raise ValueError(f"no layer over latents of {height} x {width} has {tokens} tokens")
    return high, wide
