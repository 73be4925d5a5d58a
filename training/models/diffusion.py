"""The noise schedule and the loss of epsilon prediction, for the UNet and the ControlNets."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler
from numpy.typing import NDArray
from torch import Tensor

from app import atomic
from training.data.pictures import Pictures
from training.loop import Draw, autocast
from training.tensors import Rows, as_pictures

# Hang et al. 2023: without the bound, nearly clean steps, which teach little, dominate the batch.
LATENTS = "latents.pt"
MIN_SNR = 5.0


def sdxl_scheduler() -> DDIMScheduler:
    """SDXL's own noise schedule; samplers made for SDXL then work unchanged."""
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
    latents: Tensor  # (B, C, H, W), the UNet's input
    noise: Tensor  # (B, C, H, W), the UNet's target
    times: Tensor  # (B,), timesteps


class Noising:
    def __init__(self, device: torch.device) -> None:
        scheduler = sdxl_scheduler()
        self.signal = scheduler.alphas_cumprod.to(device)
        ratio = self.signal / (1 - self.signal)
        self.weight = ratio.clamp(max=MIN_SNR) / ratio

    def times(self, count: int, draw: Draw) -> Tensor:
        """Draw uniformly distributed timesteps ``(B,)``."""
        return torch.randint(0, len(self.signal), (count,), generator=draw.here, device=self.signal.device)

    def __call__(self, clean: Tensor, draw: Draw, times: Tensor | None = None) -> Noised:
        times = self.times(len(clean), draw) if times is None else times
        noise = draw.normal(clean.shape)
        share = self.signal[times].view(-1, 1, 1, 1)
        return Noised(share.sqrt() * clean + (1 - share).sqrt() * noise, noise, times)

    def loss(self, found: Tensor, noised: Noised) -> tuple[Tensor, Tensor]:
        """The weighted loss, and the unweighted mean squared error for the log."""
        error = (found.float() - noised.noise).pow(2).mean((1, 2, 3))
        return (self.weight[noised.times] * error).mean(), error.detach().mean()


@lru_cache(maxsize=16)  # cached: creating it would wait for a copy to the GPU
def time_ids(pixels: int, count: int, device: torch.device) -> Tensor:
    """SDXL's size conditioning ``(B, 6)`` in px: original size, crop corner, target size."""
    row = torch.tensor([[pixels, pixels, 0, 0, pixels, pixels]], dtype=torch.float32, device=device)
    return row.expand(count, -1)


def _fingerprint(vae: AutoencoderKL, data: Pictures) -> str:
    """A hash of the pictures and of the VAE in half precision, as it is saved."""
    digest = hashlib.sha256(repr((data.scenes, data.pixels.shape, vae.config.scaling_factor)).encode())
    for weight in vae.state_dict().values():
        digest.update(weight.half().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


@torch.no_grad()
def encode_all(vae: AutoencoderKL, data: Pictures, device: torch.device, folder: Path) -> NDArray[np.float16]:
    """Scaled latents ``(N, C, H, W)`` of every picture. The VAE no longer changes, so they are encoded only once.

    They are saved in the run's ``folder``, or read from a sibling folder that has them for the same pictures and VAE.
    """
    fingerprint = _fingerprint(vae, data)
    for file in (folder / LATENTS, *sorted(folder.parent.glob(f"*/{LATENTS}"))):
        if file.exists():
            kept = torch.load(file, weights_only=True)
            if isinstance(kept, dict) and kept["of"] == fingerprint:
                return np.asarray(kept["latents"])
    pictures = Rows(data.pixels, device)
    parts = []
    for rows in torch.arange(len(data.scenes)).split(64):
        with autocast(device):
            mean = vae.encode(as_pictures(pictures[rows])).latent_dist.mean
        parts.append((mean.float() * vae.config.scaling_factor).half())
    latents = torch.cat(parts).cpu().contiguous()
    with atomic.writing(folder / LATENTS) as temporary:  # another run may read it
        torch.save({"of": fingerprint, "latents": latents}, temporary)
    return latents.numpy()
