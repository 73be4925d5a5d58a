"""Draws the training pictures: ``python -m training.data --size small --out DIR``.

A data folder holds ``scenes.jsonl`` (what is in each picture), ``pictures.npy`` ``(N, S, S, 3)`` and ``structure.npy``
``(N, S, S, 2)``, both uint8 and memory-mapped, row by row the same scenes.
"""

from __future__ import annotations

import json
import multiprocessing
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from PIL import Image

from training import artwork, structure
from training.artwork import Sprites
from training.config import SIZES, Size
from training.looks import LOOKS, SUBSTITUTES, Cutout
from training.scenes import Scene, all_scenes
from training.vocabulary import HUES

Pixels = NDArray[np.uint8]
CHUNK = 512


def tint(rgb: Pixels, hue: float) -> Pixels:
    """The same shading in one colour; whites and greys take on a lighter tone of it."""
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
    """A transparent canvas with the object scaled to ``share`` of the side; ``at`` divides the room that is left."""
    length = int(side * share)
    image = Image.fromarray(rgba)
    if flip:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    canvas = Image.new("RGBA", (side, side))
    corner = (int((side - length) * at[0]), int((side - length) * at[1]))
    canvas.paste(image.resize((length, length), Image.Resampling.LANCZOS), corner)
    return canvas


def compose(scene: Scene, sprites: Sprites, side: int) -> Cutout:
    """One object near the middle, or two beside each other."""
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
    """The picture ``(S, S, 3)`` and its structure maps ``(S, S, 2)``.

    The maps come from the bare object, not from the drawn look, so that structure says nothing about the look.
    """
    cut = compose(scene, sprites, side)
    plain = (cut.on((1.0, 1.0, 1.0)) * 255).astype(np.uint8)
    maps = np.stack([structure.edges(plain), structure.silhouette(cut.alpha)], -1)
    picture = np.clip(LOOKS[scene.look].draw(cut), 0, 1) * 255
    return picture.astype(np.uint8), maps


@dataclass(frozen=True)
class Pictures:
    """A data folder, opened."""

    scenes: list[Scene]
    pixels: Pixels  # (N, S, S, 3)
    structure: Pixels  # (N, S, S, 2)

    @classmethod
    def open(cls, folder: Path) -> Pictures:
        lines = (folder / "scenes.jsonl").read_text().splitlines()
        scenes = [Scene.from_json(json.loads(line)) for line in lines]
        state = json.loads((folder / "progress.json").read_text())
        if state["drawn"] < len(scenes):
            raise RuntimeError(f"{folder}: {state['drawn']} of {len(scenes)} pictures drawn; run training.data again")
        return cls(scenes, np.load(folder / "pictures.npy", "r"), np.load(folder / "structure.npy", "r"))

    def rows(self, split: str) -> NDArray[np.int64]:
        return np.array([row for row, scene in enumerate(self.scenes) if scene.split == split], np.int64)


_SPRITES: Sprites = {}  # set before the workers fork, so that they share it instead of each receiving a copy


def _draw_one(scene: Scene, side: int) -> tuple[Pixels, Pixels]:
    return draw(scene, _SPRITES, side)


def _drawn(scenes: list[Scene], sprites: Sprites, side: int, workers: int) -> Iterator[list[tuple[Pixels, Pixels]]]:
    """Pictures and maps in chunks, in order."""
    _SPRITES.clear()
    _SPRITES.update(sprites)
    one = partial(_draw_one, side=side)
    chunks = [scenes[start : start + CHUNK] for start in range(0, len(scenes), CHUNK)]
    if workers == 1:
        yield from (list(map(one, chunk)) for chunk in chunks)
        return
    with multiprocessing.get_context("fork").Pool(workers) as pool:
        for chunk in chunks:
            yield pool.map(one, chunk, chunksize=32)


def _open(file: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    mode = "r+" if file.exists() else "w+"
    array: NDArray[np.uint8] = np.lib.format.open_memmap(file, mode, np.uint8, shape)
    if array.shape != shape:
        raise RuntimeError(f"{file} was made for another size: delete the folder or name another")
    return array


def build(
    size: Size,
    folder: Path,
    sprites: Sprites,
    minutes: float | None = None,
    workers: int = 1,
    say: Callable[[str], None] = print,
) -> bool:
    """Draw what is still missing; return whether all is drawn."""
    folder.mkdir(parents=True, exist_ok=True)
    scenes = [scene for scene in all_scenes(size) if set(scene.objects) <= artwork.drawn_objects(sprites)]
    (folder / "scenes.jsonl").write_text("".join(json.dumps(scene.to_json()) + "\n" for scene in scenes))
    pixels = _open(folder / "pictures.npy", (len(scenes), size.pixels, size.pixels, 3))
    maps = _open(folder / "structure.npy", (len(scenes), size.pixels, size.pixels, 2))
    progress = folder / "progress.json"
    row = json.loads(progress.read_text())["drawn"] if progress.exists() else 0
    began = time.monotonic()
    for drawn in _drawn(scenes[row:], sprites, size.pixels, workers):
        for picture, structure_maps in drawn:
            pixels[row], maps[row] = picture, structure_maps
            row += 1
        progress.write_text(json.dumps({"size": size.name, "drawn": row}))
        say(f"{row} of {len(scenes)} pictures")
        if minutes is not None and time.monotonic() - began > minutes * 60:
            break
    return row == len(scenes)


def main(
    out: Annotated[Path, typer.Option(help="data folder to make or to complete")],
    size: Annotated[str, typer.Option(help="small (128 px) or full (256 px)")] = "small",
    artwork_folder: Annotated[Path | None, typer.Option("--artwork", help="where the npm packages go")] = None,
    minutes: Annotated[float | None, typer.Option(help="stop after so long; run again to go on")] = None,
    workers: Annotated[int, typer.Option()] = multiprocessing.cpu_count(),
) -> None:
    """Fetch the emoji artwork and draw every object in every look."""
    chosen = SIZES[size]
    modules = artwork.fetch(artwork_folder or out.parent / "artwork")
    # A quarter larger than ever needed, so that placing only ever shrinks.
    sprites = artwork.load(modules, chosen.objects, chosen.pixels * 5 // 4)
    missing = set(chosen.objects) - artwork.drawn_objects(sprites)
    if missing:
        typer.echo(f"no artwork for: {', '.join(sorted(missing))}")
    if not build(chosen, out, sprites, minutes, workers, typer.echo):
        raise typer.Exit(3)


if __name__ == "__main__":
    typer.run(main)
