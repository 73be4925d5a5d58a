"""Sizes and plans. A size describes the model and its data; a plan describes how one part is trained."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from training.data.looks import LOOKS
from training.data.vocabulary import FEW_OBJECTS, LATE_OBJECTS, OBJECTS


@dataclass(frozen=True)
class Plan:
    """One training run. The learning rate warms up, then falls along a half cosine to 1.5 % at the last step."""

    steps: int
    batch: int
    rate: float
    warmup: int = 200
    ema: float = 0.9993
    kept: float = 0.0  # share of the initial weights in the resulting weights, 0 to 1
    weight_decay: float = 0.01
    beta2: float = 0.98
    clip_norm: float = 1.0
    seed: int = 7
    log_every: int = 50
    check_every: int = 500  # steps between held-out measurements


@dataclass(frozen=True)
class Size:
    name: str
    pixels: int
    objects: tuple[str, ...]
    looks: tuple[str, ...]
    variants: int  # pictures of each object in each look
    colours: float  # share of the variants in a colour that the caption names, where the look has colour
    pairs: float  # pictures of two objects, as a share of those of one
    held_out: float  # share of the combinations of object and look that training never sees
    held_out_of: tuple[str, ...]  # the objects whose combinations can be held out
    latent_channels: int
    vae_channels: tuple[int, ...]
    vae_crop: int
    vae_pictures: int | None  # the VAE learns from this many pictures, the first ones; None: from all
    drawn: int  # latents that the UNet draws for the decoder (`training.data.drawn`); twice as many are redrawn
    unet_channels: tuple[int, ...]
    unet_layers: int  # residual blocks per level
    transformers: tuple[int, ...]  # transformer blocks per level; 0 as in SDXL's first: no attention
    heads: tuple[int, ...]
    groups: int
    text_width: int
    text_layers: int
    text_heads: int
    tokens: int
    vocabulary: int
    time_ids: int  # width of the embedding of each of SDXL's six size and crop values
    clip_pixels: int  # side of the CLIP's input, px
    clip_width: int
    clip_layers: int
    clip_patch: int
    hint_channels: tuple[int, ...]
    vae: Plan
    decoder: Plan  # the VAE's decoder again (`training.models.decoder`); a third of each batch per kind of latents
    encoder: Plan  # learns from another VAE's encoder (`training.models.encoder`)
    unet: Plan
    sets: Plan  # the UNet again, on sets (`training.models.sets`)
    controlnet: Plan
    clip: Plan

    @property
    def latent(self) -> int:
        """Side of the latents; each VAE level after the first halves the side."""
        return self.pixels >> (len(self.vae_channels) - 1)

    def unet_config(self) -> dict[str, Any]:
        down = tuple("CrossAttnDownBlock2D" if blocks else "DownBlock2D" for blocks in self.transformers)
        return {
            "sample_size": self.latent,
            "in_channels": self.latent_channels,
            "out_channels": self.latent_channels,
            "block_out_channels": self.unet_channels,
            "layers_per_block": self.unet_layers,
            "down_block_types": down,
            "up_block_types": tuple(name.replace("Down", "Up") for name in reversed(down)),
            # diffusers calls it attention_head_dim for historical reasons: it is the number of heads.
            "attention_head_dim": list(self.heads),
            "transformer_layers_per_block": [max(1, blocks) for blocks in self.transformers],
            "cross_attention_dim": 2 * self.text_width,
            "use_linear_projection": True,
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": self.time_ids,
            "projection_class_embeddings_input_dim": self.text_width + 6 * self.time_ids,
            "norm_num_groups": self.groups,
        }

    def vae_config(self) -> dict[str, Any]:
        levels = len(self.vae_channels)
        return {
            "in_channels": 3,
            "out_channels": 3,
            "down_block_types": ("DownEncoderBlock2D",) * levels,
            "up_block_types": ("UpDecoderBlock2D",) * levels,
            "block_out_channels": self.vae_channels,
            "layers_per_block": 1,
            "latent_channels": self.latent_channels,
            "norm_num_groups": 8,
            "mid_block_add_attention": False,
            "sample_size": self.pixels,
            "force_upcast": False,
        }

    def text_config(self, words: int) -> dict[str, Any]:
        """Configuration of either text encoder, for ``words`` tokens; the first two are start and end of text."""
        return {
            "vocab_size": words,
            "hidden_size": self.text_width,
            "intermediate_size": 2 * self.text_width,
            "num_hidden_layers": self.text_layers,
            "num_attention_heads": self.text_heads,
            "max_position_embeddings": self.tokens,
            "projection_dim": self.text_width,
            "bos_token_id": 0,
            "eos_token_id": 1,
            "pad_token_id": 1,
            "hidden_act": "gelu",
        }


SMALL = Size(
    name="small",
    pixels=256,
    objects=FEW_OBJECTS,
    looks=tuple(LOOKS),
    variants=24,
    colours=0.25,
    pairs=0.3,
    held_out=0.06,
    held_out_of=LATE_OBJECTS,  # the bundled weights continue earlier ones, which saw all other objects in every look
    latent_channels=8,  # more than SDXL's four: cheap at 16 x 16, and a VAE trained for minutes needs them
    vae_channels=(16, 16, 48, 96, 128),
    vae_crop=128,
    vae_pictures=None,
    drawn=4096,
    unet_channels=(80, 160),
    unet_layers=1,
    transformers=(1, 2),
    heads=(2, 5),
    groups=16,
    text_width=128,
    text_layers=2,
    text_heads=4,
    tokens=24,
    vocabulary=1200,
    time_ids=32,
    clip_pixels=128,
    clip_width=128,
    clip_layers=4,
    clip_patch=16,
    hint_channels=(8, 8, 16, 32, 64),
    vae=Plan(steps=6_000, batch=16, rate=2e-3, warmup=100, ema=0.995, weight_decay=1e-4, beta2=0.99),
    decoder=Plan(steps=6_000, batch=6, rate=4e-4, ema=0.998, weight_decay=1e-4, beta2=0.99, check_every=250),
    encoder=Plan(steps=1_000, batch=8, rate=5e-4, warmup=50, ema=0.99, weight_decay=1e-4, beta2=0.99, check_every=250),
    unet=Plan(steps=20_000, batch=32, rate=1e-3),
    sets=Plan(steps=2_000, batch=32, rate=4e-4, warmup=150, ema=0.998, kept=0.5, seed=31, check_every=400),
    controlnet=Plan(steps=4_000, batch=32, rate=4e-4),
    clip=Plan(steps=12_000, batch=32, rate=7e-4, check_every=1_000),
)

# All parts together stay below 60 MiB in half precision. Lengths suit about twenty minutes on an H100, estimated from
# the operations that `python -m training.budget` counts.
FULL = replace(
    SMALL,
    name="full",
    pixels=256,
    objects=OBJECTS,
    variants=12,
    pairs=0.15,
    held_out=0.03,
    held_out_of=OBJECTS,
    latent_channels=4,
    vae_channels=(24, 48, 96, 128),
    vae_crop=128,
    vae_pictures=16_384,
    unet_channels=(64, 128, 160),
    transformers=(0, 1, 2),
    heads=(2, 4, 5),
    text_width=160,
    text_layers=2,
    text_heads=5,
    tokens=32,
    vocabulary=2400,
    clip_pixels=256,
    clip_width=160,
    clip_layers=6,
    hint_channels=(8, 16, 32, 64),
    vae=Plan(steps=10_000, batch=64, rate=1e-3, ema=0.999, weight_decay=1e-4, beta2=0.99, check_every=1_000),
    decoder=Plan(steps=2_000, batch=48, rate=4e-4, ema=0.998, weight_decay=1e-4, beta2=0.99, check_every=500),
    unet=Plan(steps=20_000, batch=256, rate=8e-4, warmup=500, ema=0.9996, check_every=1_000),
    sets=Plan(steps=2_000, batch=256, rate=3e-4, warmup=150, ema=0.998, kept=0.5, seed=31, check_every=1_000),
    controlnet=Plan(steps=5_000, batch=128, rate=3e-4, check_every=1_000),
    clip=Plan(steps=4_000, batch=512, rate=1e-3, check_every=1_000),
)

_BRIEF = Plan(steps=60, batch=8, rate=3e-3, warmup=5, ema=0.9, log_every=5, check_every=30)

# For tests: takes seconds on one core. It is too small and too short to learn to draw.
TINY = replace(
    SMALL,
    name="tiny",
    pixels=32,
    objects=("disc", "box"),
    held_out=0.0,
    looks=("flat", "icon"),
    variants=6,
    pairs=0.1,
    vae_channels=(16, 16),
    vae_crop=32,
    vae_pictures=24,
    drawn=16,
    latent_channels=4,
    unet_channels=(16, 32),
    heads=(1, 2),
    transformers=(1, 1),
    groups=8,
    text_width=32,
    text_layers=2,
    text_heads=2,
    tokens=24,
    vocabulary=300,
    time_ids=8,
    clip_pixels=32,
    clip_width=32,
    clip_layers=2,
    clip_patch=8,
    hint_channels=(8, 8),
    vae=_BRIEF,
    decoder=replace(_BRIEF, batch=6, rate=1e-3),
    encoder=replace(_BRIEF, rate=1e-3),
    unet=_BRIEF,
    sets=replace(_BRIEF, kept=0.5),
    controlnet=replace(_BRIEF, steps=30),
    clip=_BRIEF,
)

SIZES = {size.name: size for size in (SMALL, FULL, TINY)}
