"""Train on a GPU that is free for minutes, on a bare machine:
``python -m training.sprint MODEL --artwork FILE --out DIR``.

The bundled model keeps learning. All processors draw pictures first; then the UNet learns from them, a fifth of the
time on sets, and the decoder learns from what that UNet draws. Each run gets its share of the minutes, measured on its
first steps, so its learning rate falls to the end. Finished parts are written to ``out`` immediately, in files of at
most 16 MiB: an interrupted sprint still leaves results.

Pack the artwork first, on a machine with npm: ``python -m training.sprint --pack DATA --artwork FILE``.
"""

from __future__ import annotations

import io
import multiprocessing
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from diffusers import AutoencoderKL
from PIL import Image

from training.config import SIZES, Plan, Size
from training.data import artwork, drawn
from training.data.drawn import Drawn
from training.data.pictures import Pictures, build, drawn_rows
from training.loop import Run, pick_device, prepare
from training.models.decoder import decoder_run
from training.models.unet import diffusion_run
from training.options import Device, SizeName

QUALITY = 92  # WebP quality of the packed artwork
PICTURES = 16_384  # drawn at most; a fair sample, since scenes are shuffled
LATENTS = 512  # drawn for the decoder
GPU_BATCHES = {"unet": 256, "sets": 256, "decoder": 48}
SHARES = {"unet": 0.45, "sets": 0.12, "decoder": 0.25}  # of the minutes; the rest is for all work between the runs
WARM, TIMED = 5, 10  # steps before the measurement, which compile, and measured steps


def pack(folder: Path, file: Path) -> None:
    """Pack the artwork of a data folder into one file of a few MiB."""
    packed: dict[str, Any] = {}
    for (thing, source), pixels in artwork.open_saved(folder).items():
        held = io.BytesIO()
        Image.fromarray(np.array(pixels)).save(held, "WEBP", quality=QUALITY, exact=True)
        packed[f"{thing}|{source}"] = np.frombuffer(held.getvalue(), np.uint8)
    np.savez(file, **packed)


def unpack(file: Path, folder: Path) -> None:
    with np.load(file) as packed:
        sprites = {
            tuple(name.split("|")): np.asarray(Image.open(io.BytesIO(packed[name].tobytes())).convert("RGBA"))
            for name in packed.files
        }
    artwork.save({(thing, source): pixels for (thing, source), pixels in sprites.items()}, folder)


@dataclass
class Sprint:
    """The folders of a sprint, and its clock."""

    size: Size
    model: Path
    work: Path
    out: Path
    device: torch.device
    minutes: float
    began: float

    @property
    def seconds_left(self) -> float:
        return self.minutes * 60 - (time.monotonic() - self.began)

    def fitted(self, part: str, make: Callable[[Size, Path], Run]) -> Run:
        """Create the run of a part, fitted to its share of the time or to the time left.

        The time per step is measured on a few steps, which are then discarded.
        """
        trial = make(self._sized(part, steps=1_000_000), self.work / f"{part}-trial")
        for _ in range(WARM):
            trial._one_step()
        self._settled()
        began = time.monotonic()
        for _ in range(TIMED):
            trial._one_step()
        self._settled()
        each = (time.monotonic() - began) / TIMED
        spare = min(SHARES[part] * self.minutes * 60, 0.9 * self.seconds_left)
        steps = max(1, int(spare / each))
        typer.echo(f"{part}: {each:.3f} s a step, {steps} steps")
        del trial
        return make(self._sized(part, steps=steps), self.work / part)

    def _sized(self, part: str, steps: int) -> Size:
        plan: Plan = getattr(self.size, part)
        batch = GPU_BATCHES[part] if self.device.type == "cuda" else plan.batch
        warmup = min(plan.warmup, max(1, steps // 20))
        changed = replace(plan, steps=steps, batch=batch, warmup=warmup, check_every=steps)
        return replace(self.size, **{part: changed})  # type: ignore[arg-type]

    def _settled(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def keep(self, part: str, files: dict[str, Path]) -> None:
        """Copy results to ``out``. The keys of ``files`` are the names there."""
        self.out.mkdir(parents=True, exist_ok=True)
        for name, file in files.items():
            shutil.copyfile(file, self.out / name)
        typer.echo(f"{part} is saved, {self.seconds_left:.0f} s left")


def pictures(sprint: Sprint, packed: Path, workers: int) -> Pictures:
    """Draw as many pictures as a fifth of the minutes allows."""
    folder = sprint.work / "data"
    unpack(packed, folder)
    build(sprint.size, folder, sprint.minutes / 5, workers, typer.echo, first=PICTURES)
    return Pictures.open(folder, drawn_rows(folder))


def further(sprint: Sprint, shown: Pictures) -> Path:
    """Train the pipeline in its two runs and save the result of each; return the pipeline."""
    source = sprint.model

    def make(start: Path, on_sets: bool, size: Size, folder: Path) -> Run:
        vae = AutoencoderKL.from_pretrained(sprint.model / "vae", torch_dtype=torch.float32)
        return diffusion_run(size, shown, vae, folder, sprint.device, start, on_sets)

    for part in ("unet", "sets"):
        sprint.fitted(part, partial(make, source, part == "sets")).fit()
        source = sprint.work / part / "pipeline"
        weights = [*source.glob("unet/*.safetensors"), *source.glob("text_encoder*/*.safetensors")]
        sprint.keep(part, {f"{file.parent.name}-{file.name}": file for file in weights})
    return source


def cleaner(sprint: Sprint, shown: Pictures, pipeline: Path) -> None:
    """Train the decoder on what the trained pipeline draws, and save it."""
    latents = sprint.work / "drawn"
    folder, first = sprint.work / "data", len(shown.scenes)
    count = min(LATENTS, sprint.size.drawn)
    drawn.build(str(pipeline), folder, latents, count, first, max(0.0, sprint.seconds_left / 60 / 3), 1, typer.echo)

    def make(size: Size, folder: Path) -> Run:
        vae, clip = sprint.model / "vae", sprint.model / "clip"
        return decoder_run(size, shown, Drawn.open(latents), vae, clip, folder, sprint.device)

    sprint.fitted("decoder", make).fit()
    file = sprint.work / "decoder" / "vae" / "diffusion_pytorch_model.safetensors"
    sprint.keep("decoder", {f"vae-{file.name}": file})


def main(
    model: Annotated[Path | None, typer.Argument(help="the model folder to train further", exists=True)] = None,
    packed: Annotated[Path, typer.Option("--artwork", help="the packed artwork")] = Path("out/artwork.npz"),
    pack_from: Annotated[Path | None, typer.Option("--pack", help="only pack the artwork of this data folder")] = None,
    out: Annotated[Path, typer.Option(help="folder for the results")] = Path("out/sprint"),
    work: Annotated[Path, typer.Option(help="folder for data and states")] = Path("out/sprint-work"),
    size: SizeName = "small",
    minutes: Annotated[float, typer.Option(help="limit for everything together")] = 10.0,
    device: Device = "auto",
    workers: Annotated[int, typer.Option(help="processes that draw")] = multiprocessing.cpu_count(),
) -> None:
    """Train a finished model further in a few minutes."""
    if pack_from:
        pack(pack_from, packed)
        typer.echo(f"{packed}: {packed.stat().st_size / 2**20:.1f} MiB")
        return
    if model is None:
        raise typer.BadParameter("name the model folder to train further")
    place = pick_device(device)
    prepare(place, None)
    sprint = Sprint(SIZES[size], model, work, out, place, minutes, time.monotonic())
    shown = pictures(sprint, packed, workers)
    cleaner(sprint, shown, further(sprint, shown))


if __name__ == "__main__":
    typer.run(main)
