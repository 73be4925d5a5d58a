"""The noise schedule and the loss of epsilon prediction, for the UNet and the ControlNets alike."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler
from torch import Tensor

from training.data import Pictures
from training.loop import Draw, autocast
from training.tensors import as_pictures, picture_rows

# Hang et al. 2023: without the bound nearly clean steps, where there is little to learn, take the batch over.
MIN_SNR = 5.0


def sdxl_scheduler() -> DDIMScheduler:
    """SDXL's own schedule, so that samplers meant for SDXL suit."""
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )


@dataclass(frozen=True)
class Noised:
    latents: Tensor  # (B, C, H, W), what the UNet sees
    noise: Tensor  # (B, C, H, W), what it has to find
    times: Tensor  # (B,)


class Noising:
    def __init__(self, device: torch.device) -> None:
        scheduler = sdxl_scheduler()
        self.signal = scheduler.alphas_cumprod.to(device)
        ratio = self.signal / (1 - self.signal)
        self.weight = ratio.clamp(max=MIN_SNR) / ratio
        self.device = device

    def __call__(self, clean: Tensor, draw: Draw) -> Noised:
        times = torch.randint(0, len(self.signal), (len(clean),), generator=draw.torch)
        noise = torch.randn(clean.shape, generator=draw.torch).to(self.device)
        times = times.to(self.device)
        share = self.signal[times].view(-1, 1, 1, 1)
        return Noised(share.sqrt() * clean + (1 - share).sqrt() * noise, noise, times)

    def loss(self, found: Tensor, noised: Noised) -> tuple[Tensor, Tensor]:
        """The weighted loss, and the plain mean squared error to watch."""
        error = (found.float() - noised.noise).pow(2).mean((1, 2, 3))
        return (self.weight[noised.times] * error).mean(), error.detach().mean()


def time_ids(pixels: int, count: int, device: torch.device) -> Tensor:
    """SDXL's ``(B, 6)``: original size, crop corner, target size."""
    row = torch.tensor([[pixels, pixels, 0, 0, pixels, pixels]], dtype=torch.float32, device=device)
    return row.expand(count, -1)


@torch.no_grad()
def encode_all(vae: AutoencoderKL, data: Pictures, device: torch.device, cache: Path) -> Tensor:
    """Scaled latents ``(N, C, H, W)`` of every picture, in half precision. Encoded once: the VAE no longer changes."""
    if cache.exists():
        latents: Tensor = torch.load(cache, weights_only=True)
        if len(latents) == len(data.scenes):
            return latents
    parts = []
    for rows in torch.arange(len(data.scenes)).split(64):
        with autocast(device):
            posterior = vae.encode(as_pictures(picture_rows(data.pixels, rows), device)).latent_dist
        parts.append((posterior.mean.float() * vae.config.scaling_factor).half().cpu())
    latents = torch.cat(parts)
    torch.save(latents, cache)
    return latents
