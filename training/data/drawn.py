"""Latents drawn by the finished UNet: ``python -m training.data.drawn PIPELINE --data DATA --out DIR``.

People see decodings of these, never of a picture's own latents, so the decoder has to learn from them too. Two kinds:

- ``drawn``: from noise, as the product draws, half of them sharing the look of a picture. They have no target picture.
- ``redrawn``: a picture's latents with noise added, denoised from there (SDEdit: Meng et al., ICLR 2022). They have the
  UNet's faults, and the picture is still their target.

Each is a file ``(N, C, H, W)``, float16, in the UNet's scale; ``progress.json`` says how many are drawn.
"""

from __future__ import annotations

import json
import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from app import atomic
from app.style_aligned import ImageReady, Sharing, Studio
from app.style_aligned.panorama import Canvas
from app.style_aligned.sampler import Brush
from training.data.pictures import Pictures
from training.data.scenes import TRAIN, Mix, Scene, caption, prompt
from training.data.vocabulary import with_article
from training.loop import autocast
from training.options import Minutes
from training.parallel import spread
from training.tensors import reduced

DRAWN, REDRAWN, ROWS = "drawn.npy", "redrawn.npy", "redrawn-rows.npy"
BATCH = 8
REDRAWN_BATCH = 16  # cheap: redrawing takes a tenth of the time
STRENGTHS = (0.0, 1.0, 0.0, 1.5, 0.5, 1.0, 0.0, 2.0)  # strengths of sharing; successive batches cycle through them
FEWEST, MOST = 3, 10  # denoising steps of a redrawing, out of the model's usual number
FIRST_SEED = 1_000_000
SAID = Mix(empty=0.0, no_look=0.2, look_only=0.0)


@lru_cache(maxsize=1)
def studio_of(pipeline: str) -> Studio:
    """The studio of a pipeline, loaded once per process."""
    torch.set_num_threads(1)
    return Studio.load(pipeline)


@lru_cache(maxsize=1)
def pictures_of(data: Path, first: int) -> Pictures:
    return Pictures.open(data, first)


@dataclass(frozen=True)
class Batch:
    """``BATCH`` drawn latents and ``REDRAWN_BATCH`` redrawn ones. The batch number alone determines their content."""

    number: int
    pipeline: str
    data: Path
    first: int
    folder: Path

    def draw(self) -> int:
        """Draw both kinds; return how many latents are complete afterwards."""
        studio, pictures = studio_of(self.pipeline), pictures_of(self.data, self.first)
        rng = np.random.default_rng([FIRST_SEED, self.number])
        drawn, redrawn, rows = (np.load(self.folder / name, "r+") for name in (DRAWN, REDRAWN, ROWS))
        here, again = (slice(self.number * size, (self.number + 1) * size) for size in (BATCH, REDRAWN_BATCH))
        rows[again] = rng.choice(pictures.rows(TRAIN), REDRAWN_BATCH, replace=False)
        with autocast(studio.place.device):
            redrawn[again] = self._redrawn(studio, pictures, rows[again], rng)
            drawn[here] = self._drawn(studio, pictures, rng)
        return here.stop

    def _drawn(self, studio: Studio, pictures: Pictures, rng: np.random.Generator) -> NDArray[np.float16]:
        """Draw from noise. Without sharing, the prompts name a look; with sharing, a picture gives the look."""
        strength = STRENGTHS[self.number % len(STRENGTHS)]
        scenes = [pictures.scenes[row] for row in rng.choice(pictures.rows(TRAIN), BATCH, replace=False)]
        things = [scene.objects[0] for scene in scenes]
        prompts = [prompt(Scene((thing,), scene.look, 0)) for thing, scene in zip(things, scenes, strict=True)]
        reference = None
        if strength:
            shown = pictures.pixels[rng.choice(pictures.rows(TRAIN))]
            reference = studio.reference(Image.fromarray(np.array(shown)), seed=self.number)
            prompts = [with_article(thing) for thing in things]
        events = studio.generate(
            prompts,
            reference=reference,
            sharing=Sharing.for_picture(strength),
            seeds=range(FIRST_SEED + self.number * BATCH, FIRST_SEED + (self.number + 1) * BATCH),
            batch_size=BATCH,
            preview_every=0,
        )
        latents = [event.latents for event in events if isinstance(event, ImageReady)]
        return np.asarray(torch.cat(latents).half().cpu().numpy())

    @torch.inference_mode()
    def _redrawn(
        self, studio: Studio, pictures: Pictures, rows: NDArray[np.int64], rng: np.random.Generator
    ) -> NDArray[np.float16]:
        clean = encoded(studio, np.stack([pictures.pixels[row] for row in rows]))
        captions = [caption(pictures.scenes[row], rng, SAID) for row in rows]
        how = studio.defaults
        scheduler = studio.scheduler("ddim", how.steps)
        scheduler.timesteps = scheduler.timesteps[-int(rng.integers(FEWEST, MOST + 1)) :]
        noise = studio.noise([FIRST_SEED + int(row) for row in rows], how.size)
        begun = scheduler.add_noise(clean, noise, scheduler.timesteps[:1].expand(len(clean)))
        brush = Brush(studio.condition(captions, "", how.guidance, how.size))
        canvas = Canvas.whole(*clean.shape[-2:])
        for state in studio.sampler.denoise(  # noqa: B007
            scheduler, begun, [brush], guidance=how.guidance, generators=[], canvas=canvas
        ):
            pass
        return np.asarray(state.latents.half().cpu().numpy())


def encoded(studio: Studio, pixels: NDArray[np.uint8]) -> Tensor:
    """Encode uint8 ``(B, S, S, 3)`` at the model's own size; return scaled latents ``(B, C, H, W)``."""
    pictures = reduced(torch.from_numpy(pixels), studio.defaults.size[0])
    means = torch.cat([studio.vae.encode(one[None]).latent_dist.mean for one in pictures])
    return means * float(studio.vae.config.scaling_factor)


@dataclass(frozen=True)
class Drawn:
    """The latents that a folder holds so far, copied into memory because the folder may still grow."""

    drawn: NDArray[np.float16]  # (N, C, H, W)
    redrawn: NDArray[np.float16]  # (M, C, H, W)
    rows: NDArray[np.int64]  # (M,): row of the picture that each redrawn one shows

    @classmethod
    def open(cls, folder: Path) -> Drawn:
        count = there(folder)
        again = count // BATCH * REDRAWN_BATCH
        lengths = {DRAWN: count, REDRAWN: again, ROWS: again}
        return cls(*(np.array(np.load(folder / name, "r")[:length]) for name, length in lengths.items()))


def there(folder: Path) -> int:
    file = folder / "progress.json"
    return int(json.loads(file.read_text())["drawn"]) if file.exists() else 0


def build(
    pipeline: str,
    data: Path,
    folder: Path,
    count: int,
    first: int,
    minutes: float | None = None,
    workers: int = 1,
    say: Callable[[str], None] = print,
) -> bool:
    """Draw the missing ones of ``count`` latents from noise, a multiple of ``BATCH``; return whether all are drawn.

    References and redrawn pictures are among the ``first`` rows of the data, which must be drawn already.
    """
    began = time.monotonic()
    _make_files(folder, studio_of(pipeline), count)
    numbers = range(there(folder) // BATCH, count // BATCH)
    for done in spread(Batch.draw, (Batch(n, pipeline, data, first, folder) for n in numbers), workers):
        atomic.write(folder / "progress.json", json.dumps({"drawn": done}).encode())
        if done % (16 * BATCH) == 0:
            say(f"{done} of {count} latents")
        if minutes is not None and time.monotonic() - began > minutes * 60:
            break
    return there(folder) >= count


def _make_files(folder: Path, studio: Studio, count: int) -> None:
    """Create the files in their full length; keep existing ones."""
    folder.mkdir(parents=True, exist_ok=True)
    side = studio.defaults.size[0] // studio.factor
    shape = (studio.unet.config.in_channels, side, side)
    again = count // BATCH * REDRAWN_BATCH
    for name, row, kind in ((DRAWN, shape, np.float16), (REDRAWN, shape, np.float16), (ROWS, (), np.int64)):
        file, length = folder / name, count if name == DRAWN else again
        kept = np.array(np.load(file)) if file.exists() else np.empty((0, *row), kind)
        if len(kept) < length:
            longer = np.lib.format.open_memmap(file, "w+", kind, (length, *row))
            longer[: len(kept)] = kept


def main(
    pipeline: Annotated[str, typer.Argument(help="a pipeline folder")],
    data: Annotated[Path, typer.Option(help="the data folder that the model was trained on", exists=True)],
    out: Annotated[Path, typer.Option(help="folder for the latents")],
    count: Annotated[int, typer.Option(help="latents drawn from noise; twice as many are redrawn")] = 4096,
    first: Annotated[int, typer.Option(help="use only this many pictures of the data, the first ones")] = 4096,
    minutes: Minutes = None,
    workers: Annotated[int, typer.Option()] = multiprocessing.cpu_count(),
) -> None:
    """Draw latents for the decoder to learn from."""
    if not build(pipeline, data, out, count, first, minutes, workers, typer.echo):
        raise typer.Exit(3)


if __name__ == "__main__":
    typer.run(main)
