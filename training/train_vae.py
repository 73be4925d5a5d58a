"""Trains the autoencoder: ``python -m training.train_vae DATA --out DIR``.

On crops: a quarter of the cost for half the side, and a convolutional VAE draws whole pictures as well as parts.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
import typer
from diffusers import AutoencoderKL
from torch import Tensor
from torch.nn import functional

from training.config import SIZES, Size
from training.data import Pictures
from training.loop import Draw, Run, autocast, pick_device, prepare
from training.options import Device, Minutes, SizeName, Steps, Threads, planned
from training.scenes import CHECK, TRAIN
from training.tensors import as_pictures, picture_rows

EDGES = 0.5  # weight of the slopes' error: without it thin lines, half of the looks, come out grey
DIVERGENCE = 2e-4  # just enough for latents of about unit scale without holes; more blurs


def slopes(pictures: Tensor) -> tuple[Tensor, Tensor]:
    return pictures[..., 1:] - pictures[..., :-1], pictures[..., 1:, :] - pictures[..., :-1, :]


def reconstruction_loss(drawn: Tensor, wanted: Tensor) -> Tensor:
    """Mean absolute error of ``(B, 3, H, W)`` and of its slopes in both directions."""
    pairs = zip(slopes(drawn), slopes(wanted), strict=True)
    return functional.l1_loss(drawn, wanted) + EDGES * sum(functional.l1_loss(mine, true) for mine, true in pairs)


def psnr(drawn: Tensor, wanted: Tensor) -> float:
    error = ((drawn.clamp(-1, 1) - wanted) / 2).pow(2).mean((1, 2, 3))
    return float((-10 * torch.log10(error)).mean())


@dataclass
class VaeTask:
    vae: AutoencoderKL
    data: Pictures
    size: Size
    device: torch.device

    def __post_init__(self) -> None:
        self.train_rows = torch.from_numpy(self.data.rows(TRAIN))
        self.check_rows = torch.from_numpy(self.data.rows(CHECK))[:: max(1, len(self.data.rows(CHECK)) // 128)]

    def crops(self, draw: Draw) -> Tensor:
        """``(B, 3, C, C)``, all cut at one random place that is whole in latents."""
        side, crop = self.size.pixels, self.size.vae_crop
        factor = side // self.size.latent
        top, left = (int(draw.numpy.integers((side - crop) // factor + 1)) * factor for _ in range(2))
        pictures = picture_rows(self.data.pixels, draw.rows(self.train_rows, self.size.vae.batch))
        return as_pictures(pictures[:, top : top + crop, left : left + crop], self.device)

    def loss(self, draw: Draw) -> tuple[Tensor, dict[str, float]]:
        wanted = self.crops(draw)
        with autocast(self.device):
            posterior = self.vae.encode(wanted).latent_dist
            noise = torch.randn(posterior.mean.shape, generator=draw.torch).to(self.device)
            drawn = self.vae.decode(posterior.mean + posterior.std * noise).sample
        divergence = posterior.kl().float().mean() / posterior.mean[0].numel()
        error = reconstruction_loss(drawn.float(), wanted)
        return error + DIVERGENCE * divergence, {"error": error.item(), "divergence": divergence.item()}

    def check(self) -> dict[str, float]:
        scores = []
        for rows in self.check_rows.split(32):
            wanted = as_pictures(picture_rows(self.data.pixels, rows), self.device)
            with autocast(self.device):
                drawn = self.vae.decode(self.vae.encode(wanted).latent_dist.mean).sample
            scores.append(psnr(drawn.float(), wanted))
        return {"psnr": sum(scores) / len(scores)}

    def export(self, folder: Path) -> None:
        """Half precision, with the factor that gives latents unit variance, as diffusion expects."""
        latents = []
        for rows in self.check_rows.split(32):
            with autocast(self.device):
                pictures = as_pictures(picture_rows(self.data.pixels, rows), self.device)
                latents.append(self.vae.encode(pictures).latent_dist.mean.float())
        self.vae.register_to_config(scaling_factor=1 / torch.cat(latents).std().item())
        copy = AutoencoderKL.from_config(self.vae.config)
        copy.load_state_dict(self.vae.state_dict())
        copy.half().save_pretrained(folder / "vae")


def vae_run(size: Size, data: Pictures, folder: Path, device: torch.device) -> Run:
    torch.manual_seed(size.vae.seed)
    vae = AutoencoderKL(**size.vae_config()).to(device).train()
    task = VaeTask(vae, data, size, device)
    return Run(folder, size.vae, {"vae": vae}, task.loss, task.check, task.export, typer.echo)


def main(
    data: Annotated[Path, typer.Argument(help="folder made by training.data")],
    out: Annotated[Path, typer.Option(help="folder for the VAE, the log and the state to go on from")],
    size: SizeName = "small",
    minutes: Minutes = None,
    steps: Steps = None,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Train the autoencoder."""
    place = pick_device(device)
    prepare(place, threads)
    run = vae_run(planned(SIZES[size], "vae", steps), Pictures.open(data), out, place)
    if not run.fit(minutes):
        raise typer.Exit(3)


if __name__ == "__main__":
    typer.run(main)
