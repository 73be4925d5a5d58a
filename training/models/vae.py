"""Train the autoencoder: ``python -m training.models.vae DATA --out DIR``.

It learns on crops: half the side is a quarter of the cost, and a convolutional VAE works on parts as on whole pictures.
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
from training.data.pictures import Pictures
from training.data.scenes import CHECK, TRAIN
from training.loop import Draw, Run, autocast, compiled, laid_out, pick_device, prepare
from training.options import Device, Minutes, SizeName, Steps, Threads, planned
from training.tensors import Rows, as_pictures

EDGES = 0.5  # weight of the slopes' error: without it, thin lines (in half of the looks) turn grey
DIVERGENCE = 2e-4  # enough for latents of about unit scale without gaps; more causes blur


def slopes(pictures: Tensor) -> tuple[Tensor, Tensor]:
    return pictures[..., 1:] - pictures[..., :-1], pictures[..., 1:, :] - pictures[..., :-1, :]


def reconstruction_loss(drawn: Tensor, wanted: Tensor) -> Tensor:
    """Mean absolute error of ``(B, 3, H, W)`` plus the weighted error of its slopes in both directions."""
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
        self.pictures = Rows(self.data.pixels, self.device)
        self.fast_redrawn = compiled(self.redrawn, self.device)
        self.train_rows = torch.from_numpy(self.data.rows(TRAIN))
        self.check_rows = torch.from_numpy(self.data.rows(CHECK))[:: max(1, len(self.data.rows(CHECK)) // 128)]

    def crops(self, draw: Draw) -> Tensor:
        """Crops ``(B, 3, C, C)``, all cut at one random place on the grid of the latents."""
        side, crop = self.size.pixels, self.size.vae_crop
        factor = side // self.size.latent
        top, left = (int(draw.numpy.integers((side - crop) // factor + 1)) * factor for _ in range(2))
        pictures = self.pictures[draw.rows(self.train_rows, self.size.vae.batch)]
        return as_pictures(pictures[:, top : top + crop, left : left + crop])

    def redrawn(self, wanted: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Encode and decode; return the pictures and the latents' mean KL divergence from a standard normal.

        Uses the VAE's parts on plain tensors, which compile well. ``noise`` ``(B, C, H, W)`` samples the latents.
        """
        mean, log_variance = self.vae.quant_conv(self.vae.encoder(wanted)).chunk(2, 1)
        log_variance = log_variance.float().clamp(-30, 20)  # as diffusers bounds it
        divergence = 0.5 * (mean.float().pow(2) + log_variance.exp() - 1 - log_variance).mean()
        drawn = self.vae.decoder(self.vae.post_quant_conv(mean + (0.5 * log_variance).exp() * noise))
        return drawn.float(), divergence

    def loss(self, draw: Draw) -> tuple[Tensor, dict[str, Tensor]]:
        wanted = self.crops(draw)
        side = self.size.vae_crop * self.size.latent // self.size.pixels
        noise = draw.normal((len(wanted), self.size.latent_channels, side, side))
        with autocast(self.device):
            drawn, divergence = self.fast_redrawn(wanted, noise)
        error = reconstruction_loss(drawn, wanted)
        return error + DIVERGENCE * divergence, {"error": error.detach(), "divergence": divergence.detach()}

    def check(self) -> dict[str, float]:
        scores = []
        for rows in self.check_rows.split(32):
            wanted = as_pictures(self.pictures[rows])
            with autocast(self.device):
                drawn = self.vae.decode(self.vae.encode(wanted).latent_dist.mean).sample
            scores.append(psnr(drawn.float(), wanted))
        return {"psnr": sum(scores) / len(scores)}

    def export(self, folder: Path) -> None:
        """Write the VAE in half precision, with the scaling factor that gives latents unit variance for diffusion."""
        latents = []
        for rows in self.check_rows.split(32):
            with autocast(self.device):
                latents.append(self.vae.encode(as_pictures(self.pictures[rows])).latent_dist.mean.float())
        self.vae.register_to_config(scaling_factor=1 / torch.cat(latents).std().item())
        copy = AutoencoderKL.from_config(self.vae.config)
        copy.load_state_dict(self.vae.state_dict())
        copy.half().save_pretrained(folder / "vae")


def vae_run(size: Size, data: Pictures, folder: Path, device: torch.device) -> Run:
    torch.manual_seed(size.vae.seed)
    vae = laid_out(AutoencoderKL(**size.vae_config()), device).train()
    task = VaeTask(vae, data, size, device)
    return Run(folder, size.vae, {"vae": vae}, task.loss, task.check, task.export, typer.echo)


def main(
    data: Annotated[Path, typer.Argument(help="folder made by training.data.pictures", exists=True)],
    out: Annotated[Path, typer.Option(help="folder for the VAE, the log and the state to resume from")],
    size: SizeName = "small",
    minutes: Minutes = None,
    steps: Steps = None,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Train the autoencoder."""
    place = pick_device(device)
    prepare(place, threads)
    chosen = planned(SIZES[size], "vae", steps)
    run = vae_run(chosen, Pictures.open(data, chosen.vae_pictures), out, place)
    if not run.fit(minutes):
        raise typer.Exit(3)


if __name__ == "__main__":
    typer.run(main)
