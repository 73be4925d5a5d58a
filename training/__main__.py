"""Everything in order: ``python -m training OUT --size full``. Run it again to go on where it stopped."""

from __future__ import annotations

import multiprocessing
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import torch
import typer
from diffusers import AutoencoderKL

from training import artwork, data
from training.clip import clip_run
from training.config import SIZES, Size
from training.controlnet import control_run
from training.data import Pictures
from training.loop import Run, pick_device, prepare
from training.options import Device, Minutes, SizeName, Threads
from training.structure import KINDS
from training.train import diffusion_run
from training.train_vae import vae_run


@dataclass(frozen=True)
class Folders:
    """Where each step leaves its work."""

    root: Path

    def __getitem__(self, name: str) -> Path:
        return self.root / name

    @property
    def pipeline(self) -> Path:
        return self.root / "unet" / "pipeline"


def runs(size: Size, folders: Folders, device: torch.device) -> Iterator[Callable[[], Run]]:
    """The training runs in the order in which they need each other, each made only when it is its turn."""
    pictures = Pictures.open(folders["data"])

    def unet() -> Run:
        vae = AutoencoderKL.from_pretrained(folders["vae"] / "vae", torch_dtype=torch.float32)
        return diffusion_run(size, pictures, vae, folders["unet"], device)

    yield partial(vae_run, size, pictures, folders["vae"], device)
    yield unet
    for kind in KINDS:
        yield partial(control_run, size, kind, pictures, folders.pipeline, folders[kind], device)
    yield partial(clip_run, size, pictures, folders["clip"], device)


def collect(folders: Folders) -> Path:
    """The finished models beside each other in ``model/``, and the credit that the artwork asks for."""
    model = folders["model"]
    shutil.rmtree(model, ignore_errors=True)
    shutil.copytree(folders.pipeline, model)
    for kind in KINDS:
        shutil.copytree(folders[kind] / "controlnet", model / f"controlnet_{kind}")
    shutil.copytree(folders["clip"] / "clip", model / "clip")
    lines = (f"- {source.credit}: {source.licence} (npm {source.package})" for source in artwork.SOURCES.values())
    (model / "CREDITS.md").write_text("Trained on renderings of\n\n" + "\n".join(lines) + "\n")
    return model


def main(
    out: Annotated[Path, typer.Argument(help="folder for data, states and models")],
    size: SizeName = "small",
    minutes: Minutes = None,
    device: Device = "auto",
    threads: Threads = None,
    workers: Annotated[int, typer.Option(help="processes that draw the data")] = multiprocessing.cpu_count(),
) -> None:
    """Make the bundled model: data, VAE, UNet with text encoders, ControlNets and CLIP."""
    chosen, folders, place = SIZES[size], Folders(out), pick_device(device)
    prepare(place, threads)
    began = time.monotonic()

    def left() -> float | None:
        return None if minutes is None else max(0.0, minutes - (time.monotonic() - began) / 60)

    sprites = artwork.load(artwork.fetch(folders["artwork"]), chosen.objects, chosen.pixels * 5 // 4)
    finished = data.build(chosen, folders["data"], sprites, left(), workers, typer.echo)
    for make in runs(chosen, folders, place) if finished else ():
        run = make()
        finished = run.done or run.fit(left())
        if not finished:
            break
    if not finished:
        typer.echo("time is up; run again to go on")
        raise typer.Exit(3)
    typer.echo(f"finished: {collect(folders)}")


if __name__ == "__main__":
    typer.run(main)
