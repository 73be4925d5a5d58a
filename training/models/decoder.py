"""Train the decoder for clean pictures:
``python -m training.models.decoder DATA --vae VAE --clip CLIP --drawn DIR --out DIR``.

The latents stay the same. A decoder trained only with its encoder reproduces the UNet's smudges. This one learns from
pictures' own latents with noise, from redrawn ones, and from drawn ones through a discriminator of patches (Isola et
al., CVPR 2017; hinge loss and spectral norm: Miyato et al., ICLR 2018), because drawn latents are what people see. The
pictures' latents are the teacher's, whose side may be smaller; see `training.models.enlarge`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm
from transformers import CLIPModel

from training.config import SIZES, Size
from training.data.drawn import Drawn
from training.data.pictures import Pictures
from training.data.scenes import CHECK, TRAIN
from training.loop import Draw, Run, autocast, forget_paths, laid_out, pick_device, prepare
from training.models.vae import psnr, reconstruction_loss, slopes
from training.options import Device, Minutes, SizeName, Steps, Threads, planned
from training.tensors import Rows, as_pictures

NOISE = 0.3  # largest standard deviation of the noise; latents have unit variance
FEATURES = 0.1  # weight of the error in the CLIP's features
REALISM = 0.5  # the discriminator's gradient in the last layer, relative to that of all other errors
CRITIC_STEPS = 4  # discriminator steps per decoder step, which costs ten times as much
COARSE = 4  # px: redrawn latents are compared with their pictures in means of this side
CRITIC_RATE = 1e-3
WIDTHS = (24, 48, 96)  # channels of the discriminator's layers; each layer halves the side
KEPT = 32  # drawn latents held out from training; fewer if there are few
SHEET = 8


def critic() -> nn.Sequential:
    """A discriminator: scores how real each patch of ``(B, 3, H, W)`` looks, as ``(B, 1, H / 8, W / 8)``."""
    layers: list[nn.Module] = []
    before = 3
    for width in WIDTHS:
        layers += [spectral_norm(nn.Conv2d(before, width, 4, 2, 1)), nn.LeakyReLU(0.2)]
        before = width
    layers += [spectral_norm(nn.Conv2d(before, before, 3, 1, 1)), nn.LeakyReLU(0.2), nn.Conv2d(before, 1, 3, 1, 1)]
    return nn.Sequential(*layers)


def steepest(pictures: Tensor) -> float:
    """Sharpness of edges: the 99th percentile of the slopes of ``(B, 3, H, W)`` in -1..1, in levels of 255 per px."""
    both = torch.cat([one.abs().flatten() for one in slopes(pictures)])
    return float(np.percentile(both.cpu().numpy(), 99) * 127.5)


@dataclass
class DecoderTask:
    vae: AutoencoderKL
    teacher: AutoencoderKL
    clip: CLIPModel
    data: Pictures
    drawn: Drawn
    size: Size
    device: torch.device

    def __post_init__(self) -> None:
        self.pictures = Rows(self.data.pixels, self.device)
        self.train_rows = torch.from_numpy(self.data.rows(TRAIN))
        rows = torch.from_numpy(self.data.rows(CHECK))
        self.check_rows = rows[:: max(1, len(rows) // 64)][:64]
        self.scale = self.vae.config.scaling_factor
        self.critic = laid_out(critic(), self.device)
        self.critic_optimizer = torch.optim.AdamW(
            self.critic.parameters(), lr=CRITIC_RATE, betas=(0.5, self.size.decoder.beta2), fused=True
        )

    @property
    def companions(self) -> dict[str, Any]:
        return {"critic": self.critic, "critic_optimizer": self.critic_optimizer}

    @torch.no_grad()
    def latents(self, wanted: Tensor) -> Tensor:
        """The teacher's scaled latents ``(B, C, H, W)`` of pictures ``(B, 3, S, S)`` in -1..1."""
        side = self.teacher.config.sample_size
        seen = wanted if wanted.shape[-1] == side else functional.interpolate(wanted, (side, side), mode="area")
        mean: Tensor = self.teacher.encode(seen).latent_dist.mean
        return mean.float() * float(self.scale)

    def decoded(self, latents: Tensor) -> Tensor:
        drawn: Tensor = self.vae.decoder(self.vae.post_quant_conv(latents / self.scale))
        return drawn.float()

    def batch(self, draw: Draw) -> tuple[Tensor, Tensor]:
        """Draw pictures ``(P, 3, S, S)`` and latents ``(P + D, C, H, W)``; the first ``P`` belong to the pictures."""
        count = self.size.decoder.batch // 3
        own = as_pictures(self.pictures[draw.rows(self.train_rows, count)])
        again = draw.rows(torch.arange(len(self.drawn.rows)), count)
        others = as_pictures(self.pictures[torch.from_numpy(self.drawn.rows)[again]])
        noise = NOISE * draw.uniform((count, 1, 1, 1))
        clean = self.latents(own)
        mine = clean + noise * draw.normal(clean.shape)
        free = draw.rows(torch.arange(len(self.drawn.drawn) - self.kept_count), count)
        found = [self._chosen(self.drawn.redrawn, again), self._chosen(self.drawn.drawn, free)]
        return torch.cat([own, others]), torch.cat([mine, *found])

    def _chosen(self, latents: NDArray[np.float16], rows: Tensor) -> Tensor:
        return torch.from_numpy(latents[rows.numpy()]).float().to(self.device)

    def features(self, pictures: Tensor) -> Tensor:
        """The CLIP's features of every layer, ``(L, B, T, W)``, normalised to unit variance per token."""
        side = self.clip.config.vision_config.image_size
        seen = functional.interpolate(pictures, (side, side), mode="area")
        states = self.clip.vision_model(pixel_values=seen, output_hidden_states=True).hidden_states[1:]
        found: Tensor = functional.layer_norm(torch.stack(states).float(), states[0].shape[-1:])
        return found

    def loss(self, draw: Draw) -> tuple[Tensor, dict[str, Tensor]]:
        with autocast(self.device):
            wanted, latents = self.batch(draw)
            drawn = self.decoded(latents)
        doubt = self._teach_critic(drawn.detach(), draw)
        with autocast(self.device):
            with torch.no_grad():
                true = self.features(wanted)
            seen = functional.mse_loss(self.features(drawn[: len(wanted)]), true)
            self.critic.requires_grad_(False)
            real = self.critic(drawn).float().mean()
            self.critic.requires_grad_(True)
        own = len(wanted) // 2
        error = reconstruction_loss(drawn[:own], wanted[:own]) + self._coarse(drawn[own : 2 * own], wanted[own:])
        faithful = error + FEATURES * seen
        loss = faithful - self._weight(faithful, real) * real
        numbers = {"error": error, "features": seen, "real": real, "critic": doubt}
        return loss, {name: value.detach() for name, value in numbers.items()}

    def _weight(self, faithful: Tensor, real: Tensor) -> Tensor:
        """The weight that balances realism's gradient in the last layer with the rest (Esser et al., CVPR 2021)."""
        last = self.vae.decoder.conv_out.weight
        wants, says = (torch.autograd.grad(one, last, retain_graph=True)[0].norm() for one in (faithful, real))
        weight: Tensor = (REALISM * wants / (says + 1e-6)).clamp(max=REALISM)
        return weight.detach()

    @staticmethod
    def _coarse(drawn: Tensor, wanted: Tensor) -> Tensor:
        """The error of redrawn pictures at low resolution: their edges have moved, and a px-wise error rewards blur."""
        return functional.l1_loss(functional.avg_pool2d(drawn, COARSE), functional.avg_pool2d(wanted, COARSE))

    def _teach_critic(self, drawn: Tensor, draw: Draw) -> Tensor:
        """Train the discriminator before the decoder's step, with new pictures each time; return its last loss."""
        for _ in range(CRITIC_STEPS):
            real = as_pictures(self.pictures[draw.rows(self.train_rows, len(drawn))])
            with autocast(self.device):
                said = self.critic(torch.cat([real, drawn])).float()
            loss = functional.relu(1 - said[: len(real)]).mean() + functional.relu(1 + said[len(real) :]).mean()
            self.critic_optimizer.zero_grad()
            loss.backward()
            self.critic_optimizer.step()
        return loss.detach()

    def check(self) -> dict[str, float]:
        """PSNR on held-out pictures, and the sharpness of edges in held-out drawn latents and in the data."""
        found, true, drawn = [], [], []
        for rows in self.check_rows.split(8):
            wanted = as_pictures(self.pictures[rows])
            found.append(psnr(self.decoded(self.latents(wanted)), wanted))
            true.append(wanted)
        for part in self.kept().split(8):
            drawn.append(self.decoded(part).clamp(-1, 1))
        return {
            "psnr": sum(found) / len(found),
            "slope": steepest(torch.cat(drawn)),
            "slope_in_data": steepest(torch.cat(true)),
        }

    @property
    def kept_count(self) -> int:
        return min(KEPT, len(self.drawn.drawn) // 4)

    def kept(self) -> Tensor:
        """The drawn latents held out from training, ``(N, C, H, W)``."""
        return self._chosen(self.drawn.drawn, torch.arange(len(self.drawn.drawn))[-self.kept_count :])

    def export(self, folder: Path) -> None:
        """Write the VAE in half precision, and a sheet of decoded held-out latents."""
        copy = AutoencoderKL.from_config(self.vae.config)
        copy.load_state_dict(self.vae.state_dict())
        copy.half().save_pretrained(folder / "vae")
        forget_paths(folder / "vae")
        rows = [torch.cat(list(self.decoded(part)), -1) for part in self.kept()[: 2 * SHEET].split(SHEET)]
        sheet = torch.cat(rows, -2).clamp(-1, 1)
        Image.fromarray(((sheet + 1) * 127.5).round().byte().permute(1, 2, 0).cpu().numpy()).save(folder / "sheet.png")


def decoder_run(
    size: Size,
    data: Pictures,
    drawn: Drawn,
    vae: Path,
    clip: Path,
    folder: Path,
    device: torch.device,
    teacher: Path | None = None,
) -> Run:
    """Train the decoder of ``vae`` on the latents of ``teacher``, or on its own latents without one."""
    torch.manual_seed(size.decoder.seed)
    pupil = laid_out(AutoencoderKL.from_pretrained(vae, torch_dtype=torch.float32), device).requires_grad_(False)
    tutor = laid_out(AutoencoderKL.from_pretrained(teacher or vae, torch_dtype=torch.float32), device)
    seeing = CLIPModel.from_pretrained(clip, dtype=torch.float32).to(device)
    task = DecoderTask(
        pupil, tutor.requires_grad_(False).eval(), seeing.requires_grad_(False).eval(), data, drawn, size, device
    )
    learning = {"decoder": pupil.decoder, "post_quant_conv": pupil.post_quant_conv}
    for module in learning.values():
        module.requires_grad_(True).train()
    return Run(
        folder, size.decoder, learning, task.loss, task.check, task.export, typer.echo, companions=task.companions
    )


def main(
    data: Annotated[Path, typer.Argument(help="folder made by training.data.pictures", exists=True)],
    vae: Annotated[Path, typer.Option(help="the VAE to train", exists=True)],
    clip: Annotated[Path, typer.Option(help="a CLIP folder made by training.models.clip", exists=True)],
    drawn: Annotated[Path, typer.Option(help="folder made by training.data.drawn", exists=True)],
    out: Annotated[Path, typer.Option(help="folder for the VAE, the log and the state to resume from")],
    teacher: Annotated[
        Path | None, typer.Option(help="the VAE that encodes the pictures, if another", exists=True)
    ] = None,
    first: Annotated[int | None, typer.Option(help="train on this many pictures, the first ones")] = None,
    size: SizeName = "small",
    minutes: Minutes = None,
    steps: Steps = None,
    rate: Annotated[float | None, typer.Option(help="peak learning rate; use a lower one for trained weights")] = None,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Train the decoder of a finished model for clean pictures."""
    place = pick_device(device)
    prepare(place, threads)
    chosen = planned(SIZES[size], "decoder", steps, rate)
    run = decoder_run(chosen, Pictures.open(data, first), Drawn.open(drawn), vae, clip, out, place, teacher)
    if not run.fit(minutes):
        raise typer.Exit(3)


if __name__ == "__main__":
    typer.run(main)
