"""What the paper compares its method with, and plain SDXL: sharing without AdaIN, and every image to every other.

Source: Hertz et al., arXiv 2312.02133, section 5.2, "Ablation study". Shapes as in `app.style_aligned.attention`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields

import torch
from diffusers.models.attention_processor import Attention
from torch import Tensor, nn

from app.style_aligned.attention import Influence, attend, join, project
from app.style_aligned.dimming import Dimming
from app.style_aligned.sharing import SharedLayers, Sharing


@dataclass(frozen=True)
class _NoAdaIN(Influence):
    """Attention to the references, with queries and keys as they are."""

    @property
    def blend(self) -> Tensor:
        return torch.zeros_like(super().blend)


@dataclass(frozen=True)
class WithoutAdaIN(Sharing):
    """Sharing whose queries, keys and values keep their own statistics."""

    def influence(
        self,
        strengths: Sequence[float],
        weights: Sequence[float],
        device: torch.device,
        dimming: Dimming | None = None,
    ) -> Influence:
        usual = super().influence(strengths, weights, device, dimming)
        return _NoAdaIN(**{each.name: getattr(usual, each.name) for each in fields(usual)})


class JointProcessor:
    """Self-attention in which every picture of the batch attends to all of them, itself included, without AdaIN."""

    def __init__(self, groups: int) -> None:
        self.groups = groups  # guidance branches, which never see each other

    def __call__(self, attn: Attention, hidden_states: Tensor, *_: object, **__: object) -> Tensor:
        parts = project(attn, hidden_states, self.groups)  # each (G, N, H, L, D)
        pictures = parts[0].shape[1]
        query, key, value = (x.transpose(1, 2).flatten(2, 3) for x in parts)  # (G, H, N * L, D)
        out = attend(query, key, value, attn.scale).out
        return join(attn, out.unflatten(2, (pictures, -1)).transpose(1, 2).flatten(0, 1))


@contextmanager
def all_to_all(unet: nn.Module, groups: int) -> Iterator[None]:
    """Within this, the rows of each call of `unet`, in `groups` branches, are one set whose pictures see each other."""
    layers = SharedLayers(unet).attention
    before = {name: attention.processor for name, attention in layers.items()}
    for attention in layers.values():
        attention.processor = JointProcessor(groups)
    try:
        yield
    finally:
        for name, attention in layers.items():
            attention.processor = before[name]
