"""Train an encoder to give the latents of another VAE:
``python -m training.models.encoder DATA --vae VAE --teacher VAE --out DIR``.

A VAE for larger pictures (`training.models.enlarge`) then gives the latents that the UNet knows. The encoder learns the
means and log-variances that the teacher gives for pictures of the teacher's side.
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
from training.loop import Draw, Run, autocast, forget_paths, laid_out, pick_device, prepare
from training.options import Device, Minutes, SizeName, Steps, Threads, planned
from training.tensors import Rows, as_pictures

SPREAD = 0.02  # weight of the log-variances' error; only the training of a VAE uses them


@dataclass
class EncoderTask:
    vae: AutoencoderKL
    teacher: AutoencoderKL
    data: Pictures
    size: Size
    device: torch.device

    def __post_init__(self) -> None:
        self.pictures = Rows(self.data.pixels, self.device)
        self.train_rows = torch.from_numpy(self.data.rows(TRAIN))
        rows = torch.from_numpy(self.data.rows(CHECK))
        self.check_rows = rows[:: max(1, len(rows) // 64)][:64]
        self.scale = self.teacher.config.scaling_factor

    def errors(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Mean squared errors of the means, in units of scaled latents, and of the log-variances."""
        side = self.teacher.config.sample_size
        with autocast(self.device):
            with torch.no_grad():
                true = self.teacher.encode(functional.interpolate(pictures, (side, side), mode="area")).latent_dist
            mine = self.vae.encode(pictures).latent_dist
        off = (mine.mean.float() - true.mean.float()) * self.scale
        return off.pow(2).mean(), functional.mse_loss(mine.logvar.float(), true.logvar.float())

    def loss(self, draw: Draw) -> tuple[Tensor, dict[str, Tensor]]:
        """Rotate half of the pictures by quarter turns and permute their channels: references can be of any kind."""
        pictures = as_pictures(self.pictures[draw.rows(self.train_rows, self.size.encoder.batch)])
        half = len(pictures) // 2
        turned = pictures[half:].rot90(int(draw.numpy.integers(4)), (2, 3))[:, draw.numpy.permutation(3)]
        mean, spread = self.errors(torch.cat([pictures[:half], turned]))
        return mean + SPREAD * spread, {"mean": mean.detach(), "spread": spread.detach()}

    def check(self) -> dict[str, float]:
        errors = [self.errors(as_pictures(self.pictures[rows])) for rows in self.check_rows.split(8)]
        mean, spread = (float(torch.stack(one).mean()) for one in zip(*errors, strict=True))
        return {"mean_mse": mean, "spread_mse": spread}

    def export(self, folder: Path) -> None:
        copy = AutoencoderKL.from_config(self.vae.config)
        copy.load_state_dict(self.vae.state_dict())
        copy.half().save_pretrained(folder / "vae")
        forget_paths(folder / "vae")


def encoder_run(size: Size, data: Pictures, vae: Path, teacher: Path, folder: Path, device: torch.device) -> Run:
    """Train the encoder of ``vae`` to give the latents of ``teacher``."""
    torch.manual_seed(size.encoder.seed)
    pupil = laid_out(AutoencoderKL.from_pretrained(vae, torch_dtype=torch.float32), device)
    tutor = laid_out(AutoencoderKL.from_pretrained(teacher, torch_dtype=torch.float32), device)
    task = EncoderTask(pupil.requires_grad_(False), tutor.requires_grad_(False).eval(), data, size, device)
    learning = {"encoder": pupil.encoder, "quant_conv": pupil.quant_conv}
    for module in learning.values():
        module.requires_grad_(True).train()
    return Run(folder, size.encoder, learning, task.loss, task.check, task.export, typer.echo)


def main(
    data: Annotated[Path, typer.Argument(help="folder made by training.data.pictures", exists=True)],
    vae: Annotated[Path, typer.Option(help="the VAE to train, made by training.models.enlarge", exists=True)],
    teacher: Annotated[Path, typer.Option(help="the VAE whose latents to reproduce", exists=True)],
    out: Annotated[Path, typer.Option(help="folder for the VAE, the log and the state to resume from")],
    first: Annotated[int | None, typer.Option(help="train on this many pictures, the first ones")] = None,
    size: SizeName = "small",
    minutes: Minutes = None,
    steps: Steps = None,
    rate: Annotated[float | None, typer.Option(help="peak learning rate; use a lower one for trained weights")] = None,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Train the encoder of an enlarged VAE to give the latents of the original VAE."""
    place = pick_device(device)
    prepare(place, threads)
    chosen = planned(SIZES[size], "encoder", steps, rate)
    if not encoder_run(chosen, Pictures.open(data, first), vae, teacher, out, place).fit(minutes):
        raise typer.Exit(3)


if __name__ == "__main__":
    typer.run(main)
