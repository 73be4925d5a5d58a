"""Draw the training pictures: ``python -m training.data.pictures --size small --out DIR``.

A data folder holds ``scenes.jsonl`` (what is in each picture), ``pictures.npy`` ``(N, S, S, 3)`` and ``structure.npy``
``(N, S, S, 2)``, both uint8, memory-mapped and in the order of the scenes. Drawing processes write straight into them;
``progress.json`` says how many rows from the start are complete.
"""

from __future__ import annotations

import json
import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from PIL import Image

from app import atomic
from training.config import SIZES, Size
from training.data import artwork, structure
from training.data.artwork import Sprites
from training.data.looks import LOOKS, SUBSTITUTES, Cutout
from training.data.scenes import Scene, all_scenes
from training.data.vocabulary import HUES
from training.parallel import PROCESSES, spread

Pixels = NDArray[np.uint8]
PICTURES, STRUCTURE = "pictures.npy", "structure.npy"
SPAN = 64  # pictures per job of a drawing process: one or two seconds
SAY_EVERY = 2048


def tint(rgb: Pixels, hue: float) -> Pixels:
    """Keep the shading but use one hue (0..1); whites and greys become a lighter tone of it."""
    bands = np.array(Image.fromarray(rgb).convert("HSV"))
    bands[..., 0] = round(hue * 255)
    bands[..., 1] = 90 + bands[..., 1].astype(np.uint16) * 165 // 255
    return np.asarray(Image.merge("HSV", [Image.fromarray(band) for band in np.moveaxis(bands, -1, 0)]).convert("RGB"))


def _artwork_for(scene: Scene, thing: str, sprites: Sprites, rng: np.random.Generator) -> Pixels:
    suitable = [name for name in LOOKS[scene.look].artwork if (thing, name) in sprites]
    suitable = suitable or [name for name in SUBSTITUTES if (thing, name) in sprites]
    rgba = sprites[thing, suitable[rng.integers(len(suitable))]]
    if scene.colour:
        rgba = np.concatenate([tint(np.ascontiguousarray(rgba[..., :3]), HUES[scene.colour]), rgba[..., 3:]], -1)
    return rgba


def _place(rgba: Pixels, share: float, at: tuple[float, float], flip: bool, side: int) -> Image.Image:
    """Scale the object to ``share`` of the side on a transparent canvas; ``at`` (0..1) splits the remaining space."""
    length = int(side * share)
    image = Image.fromarray(rgba)
    if flip:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    canvas = Image.new("RGBA", (side, side))
    corner = (int((side - length) * at[0]), int((side - length) * at[1]))
    canvas.paste(image.resize((length, length), Image.Resampling.LANCZOS), corner)
    return canvas


def compose(scene: Scene, sprites: Sprites, side: int) -> Cutout:
    """Place one object near the middle, or two side by side."""
    rng = np.random.default_rng(scene.seed)
    canvas = Image.new("RGBA", (side, side))
    places = ((0.3, 0.7),) if len(scene.objects) == 1 else ((0.0, 0.06), (0.94, 1.0))
    for thing, (left, right) in zip(scene.objects, places, strict=True):
        rgba = _artwork_for(scene, thing, sprites, rng)
        share = rng.uniform(0.62, 0.88) if len(places) == 1 else rng.uniform(0.42, 0.5)
        at = (rng.uniform(left, right), rng.uniform(0.3, 0.7))
        canvas.alpha_composite(_place(rgba, share, at, bool(rng.random() < 0.5), side))
    values = np.asarray(canvas, np.float32) / np.float32(255)
    return Cutout(values[..., :3], values[..., 3:], rng, HUES[scene.colour] if scene.colour else None)


def draw(scene: Scene, sprites: Sprites, side: int) -> tuple[Pixels, Pixels]:
    """Draw a scene; return the picture ``(S, S, 3)`` and its structure maps ``(S, S, 2)``, all uint8.

    The maps come from the bare object, before the look is drawn, and therefore reveal nothing about the look.
    """
    cut = compose(scene, sprites, side)
    plain = (cut.on((1.0, 1.0, 1.0)) * 255).astype(np.uint8)
    maps = np.stack([structure.edges(plain), structure.silhouette(cut.alpha)], -1)
    picture = np.clip(LOOKS[scene.look].draw(cut), 0, 1) * 255
    return picture.astype(np.uint8), maps


@dataclass(frozen=True)
class Pictures:
    """The scenes, pictures and structure maps of a data folder."""

    scenes: list[Scene]
    pixels: Pixels  # (N, S, S, 3)
    structure: Pixels  # (N, S, S, 2)

    @classmethod
    def open(cls, folder: Path, first: int | None = None) -> Pictures:
        """Open all pictures, or only the ``first`` ones. Raises RuntimeError until all of these are drawn."""
        scenes = read_scenes(folder)[:first]
        if (there := drawn_rows(folder)) < len(scenes):
            raise RuntimeError(f"{folder}: {there} of {len(scenes)} pictures drawn; run training.data.pictures again")
        files = (np.load(folder / name, "r") for name in (PICTURES, STRUCTURE))
        return cls(scenes, *(array[: len(scenes)] for array in files))

    def rows(self, split: str) -> NDArray[np.int64]:
        return np.array([row for row, scene in enumerate(self.scenes) if scene.split == split], np.int64)


def read_scenes(folder: Path) -> list[Scene]:
    return [Scene.from_json(json.loads(line)) for line in (folder / "scenes.jsonl").read_text().splitlines()]


def drawn_rows(folder: Path) -> int:
    """How many pictures are drawn, counted from the first row."""
    file = folder / "progress.json"
    return int(json.loads(file.read_text())["drawn"]) if file.exists() else 0


def complete(folder: Path) -> bool:
    return (folder / "scenes.jsonl").exists() and drawn_rows(folder) == len(read_scenes(folder))


def fetch_artwork(size: Size, folder: Path, packages: Path, workers: int, say: Callable[[str], None] = print) -> None:
    """Install and rasterise the emoji for the data in ``folder``, unless already done."""
    if artwork.is_saved(folder) or complete(folder):
        return
    # A quarter larger than needed: placing an object then only shrinks it.
    sprites = artwork.load(artwork.fetch(packages), size.objects, size.pixels * 5 // 4, workers)
    if missing := set(size.objects) - artwork.drawn_objects(sprites):
        say(f"no artwork for: {', '.join(sorted(missing))}")
    artwork.save(sprites, folder)


@dataclass(frozen=True)
class Span:
    """Consecutive rows of a data folder that one process draws."""

    folder: Path
    first: int
    scenes: list[Scene]
    side: int

    def draw(self) -> int:
        """Draw the rows; return the number of the row after the last."""
        sprites = artwork.open_saved(self.folder)
        pixels, maps = (np.load(self.folder / name, "r+") for name in (PICTURES, STRUCTURE))
        for row, scene in enumerate(self.scenes, self.first):
            pixels[row], maps[row] = draw(scene, sprites, self.side)
        return self.first + len(self.scenes)


def _planned(size: Size, folder: Path) -> list[Scene]:
    """The scenes of the folder, in its existing order. Raises RuntimeError if it was made for other scenes."""
    file = folder / "scenes.jsonl"
    planned = all_scenes(size)
    if file.exists():
        begun = read_scenes(folder)
        if not set(begun) <= set(planned):
            raise RuntimeError(f"{folder} was made for other pictures: delete the folder or name another")
        return begun
    there = artwork.drawn_objects(artwork.open_saved(folder))
    scenes = [scene for scene in planned if set(scene.objects) <= there]
    for name, planes in ((PICTURES, 3), (STRUCTURE, 2)):
        np.lib.format.open_memmap(folder / name, "w+", np.uint8, (len(scenes), size.pixels, size.pixels, planes))
    atomic.write(file, "".join(json.dumps(scene.to_json()) + "\n" for scene in scenes).encode())
    return scenes


def build(
    size: Size,
    folder: Path,
    minutes: float | None = None,
    workers: int = 1,
    say: Callable[[str], None] = print,
    first: int | None = None,
) -> bool:
    """Draw the missing pictures, or those among the ``first`` ones; return whether all of these are drawn."""
    began = time.monotonic()
    scenes = _planned(size, folder)
    wanted = len(scenes[:first])
    starts = range(drawn_rows(folder), wanted, SPAN)
    spans = (Span(folder, start, scenes[start : min(start + SPAN, wanted)], size.pixels) for start in starts)
    for row in spread(Span.draw, spans, workers):
        atomic.write(folder / "progress.json", json.dumps({"size": size.name, "drawn": row}).encode())
        if row % SAY_EVERY < SPAN or row == wanted:
            say(f"{row} of {len(scenes)} pictures")
        if minutes is not None and time.monotonic() - began > minutes * 60:
            break
    return drawn_rows(folder) >= wanted


@contextmanager
def drawn_beside(
    size: Size, folder: Path, minutes: float | None, workers: int, say: Callable[[str], None] = print
) -> Iterator[Callable[[], bool]]:
    """Draw the missing pictures in another process during the ``with`` block.

    Yields a function that waits for the process and returns whether every picture is drawn. It raises RuntimeError if
    drawing failed.
    """
    if complete(folder):
        yield lambda: True
        return
    process = PROCESSES.Process(target=build, args=(size, folder, minutes, workers, say))
    process.start()

    def wait() -> bool:
        process.join()
        if process.exitcode:
            raise RuntimeError(f"drawing the pictures of {folder} failed; its message is above")
        return complete(folder)

    try:
        yield wait
    finally:
        process.terminate()
        process.join()


def main(
    out: Annotated[Path, typer.Option(help="data folder to create or complete")],
    size: Annotated[str, typer.Option(help="small or full")] = "small",
    packages: Annotated[Path | None, typer.Option("--artwork", help="folder for the npm packages")] = None,
    minutes: Annotated[float | None, typer.Option(help="stop after this many minutes; run again to resume")] = None,
    workers: Annotated[int, typer.Option()] = multiprocessing.cpu_count(),
) -> None:
    """Fetch the emoji artwork and draw every object in every look."""
    fetch_artwork(SIZES[size], out, packages or out.parent / "artwork", workers, typer.echo)
    if not build(SIZES[size], out, minutes, workers, typer.echo):
        raise typer.Exit(3)


if __name__ == "__main__":
    typer.run(main)
