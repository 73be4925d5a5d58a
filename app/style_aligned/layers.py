"""Which self-attention layers share: all, those of the upward half, or the most style-sensitive ones of a ranking."""

from collections.abc import Sequence
from typing import Any

from torch import nn

Layers = Sequence[str]
"""Names of layers or of blocks around them, such as "up_blocks.0"; none: all layers."""

ALL: Layers = ()
UP: Layers = ("up_blocks",)
"""The layers after the middle, as in StyleKeeper (arXiv 2510.06827) and Visual Style Prompting (arXiv 2402.12974)."""


def self_attentions(unet: nn.Module, layers: Layers = ALL) -> dict[str, Any]:
    """The UNet's self-attention layers among `layers`, by name, in the UNet's order.

    Raises ValueError for a name that the UNet does not have.
    """
    found = {
        name: module
        for name, module in unet.named_modules()
        if name.endswith("attn1") and hasattr(module, "set_processor")
    }
    for layer in layers:
        if not any(_within(name, layer) for name in found):
            raise ValueError(f"this model has no self-attention layer {layer!r}")
    return {
        name: module for name, module in found.items() if not layers or any(_within(name, layer) for layer in layers)
    }


def _within(name: str, layer: str) -> bool:
    """Whether `layer` is this name or a block around it."""
    return name == layer or name.startswith(f"{layer}.")
