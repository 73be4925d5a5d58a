"""Count the cost of a size, without training it: ``python -m training.budget --size full``.

Parameters and multiply-adds are counted on models without memory (the meta device); the operations of a plan follow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import typer
from diffusers import AutoencoderKL, ControlNetModel, UNet2DConditionModel
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from transformers import CLIPModel, CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from training.config import SIZES, Plan, Size
from training.data.structure import KINDS
from training.measures.figures import table
from training.models.clip import clip_config
from training.models.diffusion import time_ids
from training.options import SizeName

META = torch.device("meta")
BACKWARD = 2  # the backward pass costs about twice the forward pass: gradients of inputs and of weights


@dataclass(frozen=True)
class Parts:
    """The models of a size, all on the meta device: shapes without data."""

    unet: UNet2DConditionModel
    control: ControlNetModel
    vae: AutoencoderKL
    text: nn.ModuleList
    clip: CLIPModel

    @classmethod
    def of(cls, size: Size) -> Parts:
        with META:
            unet = UNet2DConditionModel(**size.unet_config())
            control = ControlNetModel.from_unet(
                unet, conditioning_embedding_out_channels=size.hint_channels, load_weights_from_unet=False
            )
            config = CLIPTextConfig(**size.text_config(size.vocabulary))  # the tokenizer may need fewer
            text = nn.ModuleList([CLIPTextModel(config), CLIPTextModelWithProjection(config)])
            clip = CLIPModel(clip_config(size, size.vocabulary))
            return cls(unet, control, AutoencoderKL(**size.vae_config()), text, clip)

    def parameters(self) -> dict[str, int]:
        """The number of parameters of each part; the ControlNets are one entry."""
        counted = {"UNet": self.unet, "text encoders": self.text, "VAE": self.vae, "CLIP": self.clip}
        counts = {name: sum(weight.numel() for weight in module.parameters()) for name, module in counted.items()}
        one = sum(weight.numel() for weight in self.control.parameters())
        return {**counts, f"{len(KINDS)} ControlNets": len(KINDS) * one}


def mebibytes(counts: dict[str, int]) -> float:
    """The size of all parts in half precision, in MiB."""
    return 2 * sum(counts.values()) / 2**20


def multiply_adds(size: Size, parts: Parts) -> dict[str, int]:
    """Multiply-adds of one forward pass of each part, for one picture of full size."""
    with META:
        latents = torch.randn(1, size.latent_channels, size.latent, size.latent)
        states = torch.randn(1, size.tokens, 2 * size.text_width)
        told = {"text_embeds": torch.randn(1, size.text_width), "time_ids": time_ids(size.pixels, 1, META)}
        told_all = {"timestep": torch.ones(1), "encoder_hidden_states": states, "added_cond_kwargs": told}
        picture = torch.randn(1, 3, size.pixels, size.pixels)
        seen = torch.randn(1, 3, size.clip_pixels, size.clip_pixels)
        return {
            "UNet": _counted(lambda: parts.unet(latents, **told_all)),
            "ControlNet": _counted(lambda: parts.control(latents, controlnet_cond=picture, **told_all)),
            "VAE encoder": _counted(lambda: parts.vae.encode(picture)),
            "VAE decoder": _counted(lambda: parts.vae.decode(latents)),
            "CLIP, pictures": _counted(lambda: parts.clip.vision_model(pixel_values=seen)),
        }


def _counted(call: Callable[[], Any]) -> int:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        call()
    return int(counter.get_total_flops()) // 2


def operations(size: Size, macs: dict[str, int]) -> dict[str, float]:
    """Floating-point operations of each whole run, forward and backward."""
    crop = (size.vae_crop / size.pixels) ** 2
    learnt = 1 + BACKWARD
    each = {
        "VAE": (size.vae, learnt * crop * (macs["VAE encoder"] + macs["VAE decoder"])),
        "VAE decoder, once more": (size.decoder, learnt * macs["VAE decoder"]),
        "UNet": (size.unet, learnt * macs["UNet"]),
        "UNet, on sets too": (size.sets, learnt * macs["UNet"]),
        # The UNet is frozen, but the ControlNet's gradients pass through its second half.
        f"{len(KINDS)} ControlNets": (size.controlnet, len(KINDS) * (learnt * macs["ControlNet"] + 2 * macs["UNet"])),
        "CLIP": (size.clip, learnt * macs["CLIP, pictures"]),
    }
    return {name: 2.0 * _samples(plan) * cost for name, (plan, cost) in each.items()}


def _samples(plan: Plan) -> int:
    return plan.steps * plan.batch


def tables(size: Size) -> str:
    """Markdown tables of parameters, multiply-adds and the operations of the plan."""
    parts = Parts.of(size)
    counts, macs = parts.parameters(), multiply_adds(size, parts)
    work = operations(size, macs)
    weights = [[name, f"{count / 1e6:.2f} M", f"{2 * count / 2**20:.1f}"] for name, count in counts.items()]
    together = ["**together**", f"**{sum(counts.values()) / 1e6:.2f} M**", f"**{mebibytes(counts):.1f}**"]
    passes = [[name, f"{count / 1e9:.2f}"] for name, count in macs.items()]
    plans = [[name, f"{count / 1e15:.1f}"] for name, count in work.items()]
    return "\n\n".join(
        [
            table([size.name, "parameters", "MiB, half precision"], [*weights, together]),
            table(["a forward pass", "GMAC"], passes),
            table(["the whole plan", "PFLOP"], [*plans, ["**together**", f"**{sum(work.values()) / 1e15:.1f}**"]]),
        ]
    )


def main(size: SizeName = "full") -> None:
    """Print the cost of a size."""
    typer.echo(tables(SIZES[size]))


if __name__ == "__main__":
    typer.run(main)
