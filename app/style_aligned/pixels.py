"""Between pictures and latents, by a VAE."""

from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from app.style_aligned.finite import NotFinite, is_finite
from app.style_aligned.panorama import Canvas, decode


def encoded(vae: Any, picture: Image.Image, device: torch.device) -> Tensor:
    """Latents (1, C, h, w) of an RGB picture: the mean of the VAE's distribution."""
    pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None]
    pixels = pixels.to(device, vae.dtype) / 127.5 - 1
    latents: Tensor = vae.encode(pixels).latent_dist.mean * vae.config.scaling_factor
    return latents


def decoded(vae: Any, latents: Tensor, canvas: Canvas, factor: int) -> Image.Image:
    """The picture of `latents` (1, C, h, w), decoded window by window of `canvas`, with `factor` px per latent.

    Raises NotFinite if the VAE overflows.
    """

    def pixels(part: Tensor) -> Tensor:
        scaled = part.to(vae.dtype) / vae.config.scaling_factor
        drawn: Tensor = vae.decode(scaled, return_dict=False)[0]
        return drawn

    picture = decode(latents, canvas, factor, pixels)
    if not is_finite(picture):
        kind = str(vae.dtype).removeprefix("torch.")
        raise NotFinite(f"the numbers of the VAE overflowed in {kind}", decoding=True)
    picture = ((picture + 1) * 127.5).round().clamp(0, 255)
    return Image.fromarray(picture.byte().permute(1, 2, 0).numpy())
