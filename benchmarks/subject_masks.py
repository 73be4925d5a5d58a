"""How well the outlines of subjects fit, on drawings whose outline is known: `python -m benchmarks.subject_masks`.

Each drawing of the training data, at the noise of the last steps, is shown to the bundled model with its prompt; the
attention of the object's words is its outline, as in a picture that the model paints. The truth is the cut-out object
that the look was drawn from. Fetches two packages of openly licensed artwork through npm.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from PIL import Image

from app.style_aligned import Studio
from app.style_aligned.maps import LATE, SubjectRecorder
from app.style_aligned.panorama import Canvas
from app.style_aligned.reference import NoisedTrack
from app.style_aligned.sharing import within_part
from training.config import SIZES
from training.data import artwork
from training.data.looks import LOOKS
from training.data.pictures import compose
from training.data.scenes import Scene, prompt

SIDE = 64  # px: masks are compared at this size
Mask = NDArray[np.bool_]


def drawings(art: Path, a_look: int, side: int) -> Iterator[tuple[Scene, Image.Image, Mask]]:
    """Drawings of `a_look` objects in each look, with the outlines of the objects."""
    objects = SIZES["small"].objects
    sprites = artwork.load(artwork.fetch(art), objects, side)
    rng = np.random.default_rng(17)
    for look in LOOKS:
        for thing in rng.choice(objects, a_look, replace=False):
            scene = Scene((str(thing),), look, 1000)
            cut = compose(scene, sprites, side)
            pixels = (np.clip(LOOKS[look].draw(cut), 0, 1) * 255).astype(np.uint8)
            outline = Image.fromarray((cut.alpha[..., 0] * 255).astype(np.uint8))
            yield scene, Image.fromarray(pixels), np.asarray(outline.resize((SIDE, SIDE), Image.Resampling.BOX)) > 127


@torch.inference_mode()
def seen(studio: Studio, picture: Image.Image, said: str, words: str) -> Image.Image:
    """The outline of what the words name in a picture, grey."""
    size, steps = studio.defaults.size, studio.defaults.steps
    conditioning = studio.condition([said], "", 1.0, size)
    marks = studio.texts.marks([(said, words)], conditioning.tokens)
    clean = studio.encode(picture.resize(size, Image.Resampling.LANCZOS))
    canvas = Canvas.whole(*clean.shape[-2:])
    recorder = SubjectRecorder(studio.unet, [marks], (canvas.height, canvas.width))
    track = NoisedTrack(clean, studio.noise([1], size), studio.levels)
    ((patch,),) = canvas.patches([None])
    for step, t in enumerate(studio.scheduler("ddim", steps).timesteps):
        if within_part(LATE, step, steps):
            with recorder.call(step, steps, 0, patch):
                studio.sampler.predict(track.at(step, float(t)), float(t), conditioning, 1.0)
    (mask,) = recorder.masks()
    if mask is None:
        raise RuntimeError(f"the model reads none of {words!r} in {said!r}")
    return Image.fromarray((mask * 255).round().byte().numpy())


def main(
    art: Annotated[Path, typer.Option(help="folder for the artwork")] = Path("out/artwork"),
    a_look: Annotated[int, typer.Option(help="drawings in each look")] = 4,
    sheet: Annotated[Path | None, typer.Option(help="write drawings and outlines to this picture")] = None,
) -> None:
    """Print the intersection over union of outlines and objects."""
    studio = Studio.load("demo", device="cpu")
    found: dict[str, list[float]] = {}
    rows = []
    for scene, picture, truth in drawings(art, a_look, studio.defaults.size[0]):
        said = prompt(scene)
        outline = seen(studio, picture, said, re.sub(r"^(an?) ", "", scene.objects[0]))
        mask = np.asarray(outline.resize((SIDE, SIDE), Image.Resampling.BICUBIC)) > 127
        iou = float(np.sum(mask & truth) / np.sum(mask | truth))
        found.setdefault(scene.look, []).append(iou)
        triple = Image.new("RGB", (3 * 128, 128))
        for place, each in enumerate((picture, outline, Image.fromarray(truth))):
            triple.paste(each.convert("RGB").resize((128, 128)), (place * 128, 0))
        rows.append(triple)
    for look, values in found.items():
        print(f"{look:20} {np.mean(values):.2f}  least {min(values):.2f}")
    every = np.concatenate([*found.values()])
    draws = np.random.default_rng(0).choice(every, (2000, len(every))).mean(1)
    low, high = np.percentile(draws, (2.5, 97.5))
    print(f"{len(every)} drawings: mean {every.mean():.3f} ({low:.3f} to {high:.3f}), median {np.median(every):.3f}")
    print(f"over 0.5: {(every > 0.5).mean():.0%}")
    if sheet:
        columns = 6
        whole = Image.new("RGB", (columns * 3 * 128, -(-len(rows) // columns) * 128))
        for place, row in enumerate(rows):
            whole.paste(row, (place % columns * 3 * 128, place // columns * 128))
        whole.save(sheet)


if __name__ == "__main__":
    typer.run(main)
