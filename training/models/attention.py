"""Self-attention in plain matrix products, for training on a CPU."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import ControlNetModel, UNet2DConditionModel
from diffusers.models.attention_processor import Attention, AttnProcessor2_0
from torch import Tensor


class PlainSelfAttention:
    """What ``AttnProcessor2_0`` computes, without the fused kernel.

    The CPU kernel saves memory by recomputing its scores in the backward pass. With 256 tokens the scores are small,
    and keeping them makes a whole training step a sixth faster.
    """

    def __call__(self, attn: Attention, hidden_states: Tensor, *_: Any, **__: Any) -> Tensor:
        """Attend from ``(B, L, C)`` to itself; return ``(B, L, C)``."""
        batch, length, width = hidden_states.shape
        depth = width // attn.heads

        def by_head(projected: Tensor) -> Tensor:
            return projected.view(batch, length, attn.heads, depth).transpose(1, 2).reshape(-1, length, depth)

        query, key, value = (by_head(to(hidden_states)) for to in (attn.to_q, attn.to_k, attn.to_v))
        with torch.autocast(hidden_states.device.type, enabled=False):  # autocast would compute the softmax in float32
            scores = torch.bmm(query * depth**-0.5, key.transpose(1, 2))
            mixed = torch.bmm(scores.softmax(-1), value)
        joined = mixed.view(batch, attn.heads, length, depth).transpose(1, 2).reshape(batch, length, width)
        projected: Tensor = attn.to_out[0](joined)
        return projected


def use_plain_self_attention(unet: UNet2DConditionModel | ControlNetModel) -> None:
    processors = {
        name: PlainSelfAttention() if "attn1" in name else AttnProcessor2_0() for name in unet.attn_processors
    }
    unet.set_attn_processor(processors)
