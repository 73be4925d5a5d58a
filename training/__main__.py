"""Run every step in order: ``python -m training OUT --size full``. Run it again to resume."""

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

from training.config import SIZES, Size
from training.data import artwork, drawn
from training.data.drawn import Drawn
from training.data.pictures import Pictures, build, drawn_beside, fetch_artwork, read_scenes
from training.data.scenes import other_words
from training.data.structure import KINDS
from training.loop import Run, pick_device, prepare
from training.models.clip import clip_run
from training.models.controlnet import control_run
from training.models.decoder import decoder_run
from training.models.unet import diffusion_run
from training.models.vae import vae_run
from training.options import Device, Minutes, SizeName, Threads

Left = Callable[[], float | None]  # minutes


@dataclass(frozen=True)
class Folders:
    """The output folder of each step."""

    root: Path

    def __getitem__(self, name: str) -> Path:
        return self.root / name

    @property
    def pipeline(self) -> Path:
        return self.root / "sets" / "pipeline"


def unet_run(size: Size, pictures: Pictures, folders: Folders, device: torch.device) -> Run:
    vae = AutoencoderKL.from_pretrained(folders["vae"] / "vae", torch_dtype=torch.float32)
    return diffusion_run(size, pictures, vae, folders["unet"], device)


def sets_run(size: Size, pictures: Pictures, folders: Folders, device: torch.device) -> Run:
    start = folders["unet"] / "pipeline"
    vae = AutoencoderKL.from_pretrained(start / "vae", torch_dtype=torch.float32)
    return diffusion_run(size, pictures, vae, folders["sets"], device, start, on_sets=True)


def later_runs(size: Size, folders: Folders, device: torch.device) -> Iterator[Callable[[], Run]]:
    """The training runs after the VAE's, in order of dependence. Each is created only when its turn comes."""
    pictures = Pictures.open(folders["data"])
    yield partial(unet_run, size, pictures, folders, device)
    yield partial(sets_run, size, pictures, folders, device)
    for kind in KINDS:
        yield partial(control_run, size, kind, pictures, folders.pipeline, folders[kind], device)
    yield partial(clip_run, size, pictures, folders["clip"], device)


def taught(size: Size, folders: Folders, device: torch.device, workers: int, left: Left) -> bool:
    """Train the decoder on what the finished UNet draws, or resume that; return whether the training is complete."""
    drawing = 1 if device.type == "cuda" else workers  # several processes on one GPU slow each other down
    latents, vae = folders["drawn"], folders.pipeline / "vae"
    whole = len(read_scenes(folders["data"]))
    if not drawn.build(str(folders.pipeline), folders["data"], latents, size.drawn, whole, left(), drawing, typer.echo):
        return False
    pictures, found = Pictures.open(folders["data"]), Drawn.open(latents)
    run = decoder_run(size, pictures, found, vae, folders["clip"] / "clip", folders["decoder"], device)
    return trained(run, left)


def collect(folders: Folders) -> Path:
    """Copy the finished models into ``model/``, with the attribution that the artwork's licences require; return it."""
    model = folders["model"]
    shutil.rmtree(model, ignore_errors=True)
    shutil.copytree(folders.pipeline, model)
    shutil.copytree(folders["decoder"] / "vae", model / "vae", dirs_exist_ok=True)
    for kind in KINDS:
        shutil.copytree(folders[kind] / "controlnet", model / f"controlnet_{kind}")
    shutil.copytree(folders["clip"] / "clip", model / "clip")
    lines = (f"- {source.credit}: {source.licence} (npm {source.package})" for source in artwork.SOURCES.values())
    (model / "CREDITS.md").write_text("Trained on renderings of\n\n" + "\n".join(lines) + "\n")
    scenes = read_scenes(folders["data"])
    known = {thing for scene in scenes for thing in scene.objects}
    for file, words in (("words.txt", known), ("other_words.txt", other_words(scenes))):
        (model / file).write_text("".join(f"{word}\n" for word in sorted(words)))
    return model


def trained(run: Run, left: Left) -> bool:
    return run.done or run.fit(left())


def make(size: Size, folders: Folders, device: torch.device, workers: int, beside: bool, left: Left) -> bool:
    """Draw and train until everything is done or no time is ``left`` (minutes); return whether everything is done."""
    fetch_artwork(size, folders["data"], folders["artwork"], workers, typer.echo)
    draw = partial(build, size, folders["data"], workers=workers, say=typer.echo)
    if not draw(minutes=left(), first=size.vae_pictures if beside else None):
        return False
    spare = max(1, workers - 2)  # keep a core for the process that trains the VAE
    with drawn_beside(size, folders["data"], left(), spare, typer.echo) as all_drawn:
        first = Pictures.open(folders["data"], size.vae_pictures)
        if not (trained(vae_run(size, first, folders["vae"], device), left) and all_drawn()):
            return False
    if not all(trained(make_run(), left) for make_run in later_runs(size, folders, device)):
        return False
    return taught(size, folders, device, workers, left)


def main(
    out: Annotated[Path, typer.Argument(help="folder for data, states and models")],
    size: SizeName = "small",
    minutes: Minutes = None,
    device: Device = "auto",
    threads: Threads = None,
    workers: Annotated[int, typer.Option(help="processes that draw the data")] = multiprocessing.cpu_count(),
    beside: Annotated[
        bool | None, typer.Option(help="keep drawing while the VAE trains on the first pictures; default on a GPU")
    ] = None,
) -> None:
    """Make the bundled model: data, VAE, UNet with text encoders, ControlNets, CLIP, and the decoder again."""
    folders, place = Folders(out), pick_device(device)
    prepare(place, threads)
    began = time.monotonic()

    def left() -> float | None:
        return None if minutes is None else max(0.0, minutes - (time.monotonic() - began) / 60)

    if not make(SIZES[size], folders, place, workers, place.type == "cuda" if beside is None else beside, left):
        typer.echo("time is up; run again to resume")
        raise typer.Exit(3)
    typer.echo(f"finished: {collect(folders)}")


if __name__ == "__main__":
    typer.run(main)
