"""What the measures of a picture cost and how well they tell drawings apart: `python -m benchmarks.measures`.

Times all measures of a 1024 px picture on two cores, without embeddings and with the bundled CLIP. `--art FOLDER` also
draws the bundled model's objects in its looks, whose answers are known, and tells how often each measure orders them
rightly; it fetches two packages of openly licensed artwork through npm into FOLDER.
"""

import io
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Annotated

os.environ["OMP_NUM_THREADS"] = "2"

import cv2
import numpy as np
import torch
import typer
from PIL import Image, ImageDraw, ImageFont

from app.quality.advice import advice
from app.quality.embeddings import loaded
from app.quality.features import Features, compared, features
from app.quality.looks import look_of
from app.quality.measures import DEFINITIONS, Measure

SIDE = 1024  # px, of the timed picture
TIMES = 5  # that each is timed
MOST = 0.5  # s, for all measures without embeddings
DRAWN = 128  # px, of the drawings that are compared
QUANTILES = (0.5, 0.9, 0.95, 0.99)  # of how far pictures of one look stray
VARIANTS = 3  # sets of each look
ADVISED = 256  # px, of those that advice is given on

M = Measure


def main(
    art: Annotated[Path | None, typer.Option(help="folder for the artwork; without it, only times")] = None,
    pairs: Annotated[int, typer.Option(help="pairs of drawings of each kind")] = 150,
    each: Annotated[int, typer.Option(help="drawings of each look for advice")] = 10,
    side: Annotated[int, typer.Option(help="px, of the timed picture")] = SIDE,
    times: Annotated[int, typer.Option(help="how often each is timed")] = TIMES,
) -> None:
    cv2.setNumThreads(2)
    torch.set_num_threads(2)
    took = timed(side, times)
    if art is not None:
        advised(art, each)
        told(art, pairs)
        usual(art, each)
    if took > MOST:
        raise SystemExit(f"all measures took {took:.2f} s; at most {MOST} s were promised")


def timed(side: int, times: int) -> float:
    """Print what measuring and comparing costs; return the seconds of all measures without embeddings."""
    random = np.random.default_rng(0)
    rough = Image.fromarray(random.integers(0, 256, (side // 16, side // 16, 3), dtype=np.uint8))
    picture, mask = rough.resize((side, side), Image.Resampling.BICUBIC), Image.new("L", (128, 128))
    ImageDraw.Draw(mask).ellipse((30, 30, 90, 90), fill=255)
    took = seconds(times, lambda: features(picture, subject=mask, windows=True, ends_meet=True))
    print(f"all measures of a {side} px picture, without embeddings: {took:.2f} s")
    clip = loaded("")
    whole = seconds(times, lambda: features(picture, subject=mask, text="a fox", embedders=clip, windows=True))
    print(f"with the bundled CLIP: {whole:.2f} s")
    measured = features(picture, subject=mask, text="a fox", embedders=clip, windows=True)
    for count in (4, 100, 1000):
        took_to_compare = seconds(times, partial(compared, measured, [measured], [measured] * (count - 1)))
        print(f"compared with a set of {count}: {took_to_compare * 1000:.0f} ms")
    return took


def seconds(times: int, act: Callable[[], object]) -> float:
    """The median of so many times, after one that does not count."""
    act()
    took = []
    for _ in range(times):
        began = time.perf_counter()
        act()
        took.append(time.perf_counter() - began)
    return float(np.median(took))


def told(art: Path, pairs: int) -> None:
    """Print how often each measure puts a pair of drawings of one look, or object, before one of two."""
    draws = drawn_pairs(art, pairs)
    kinds: dict[str, list[dict[Measure, float]]] = {}
    for kind, picture, reference in draws:
        kinds.setdefault(kind, []).append(compared(picture, [reference], [reference]))
    for measure in (M.CLIP_REFERENCE, M.HUE_REFERENCE, M.PALETTE_REFERENCE, M.TEXTURE_REFERENCE, M.STROKE_REFERENCE):
        right = separation(values(kinds["another look"], measure), values(kinds["same look"], measure))
        right = 1 - right if measure is M.CLIP_REFERENCE else right
        limit = np.quantile(values(kinds["same look"], measure), 0.05 if measure is M.CLIP_REFERENCE else 0.95)
        known = len(values(kinds["same look"], measure)) / pairs
        print(f"{measure}: {right:.2f}; of one look, 95 % are within {limit:.2f}; known for {known:.0%}")
    leaks = {kind: values(found, M.LEAKAGE) for kind, found in kinds.items()}
    for kind in ("same object", "same object, another look", "both objects"):
        print(f"leakage, {kind}: {separation(leaks[kind], leaks['same look']):.2f}")
    print(f"leakage, a shared look alone (0.5: no effect): {separation(leaks['same look'], leaks['another look']):.2f}")
    for kind, found in leaks.items():
        print(f"leakage, {kind}: median {np.median(found):.2f}, 5 to 95 %: {np.quantile(found, [0.05, 0.95]).round(2)}")
    texts = kinds["same look"]
    right = separation(values(texts, M.TEXT_ALIGNMENT), values(kinds["another text"], M.TEXT_ALIGNMENT))
    print(f"text alignment, its own object before another: {right:.2f}")


def usual(art: Path, each: int) -> None:
    """Print how far pictures of one look stray, in sets of `each` drawings, and how many the usual bounds flag."""
    found: dict[Measure, list[float]] = {}
    for drawn in drawn_sets(art, each):
        reference, *pictures = drawn
        for picture in pictures:
            others = [other for other in pictures if other is not picture]
            for measure, value in compared(picture, [reference], others).items():
                found.setdefault(measure, []).append(value)
    for measure, strayed in found.items():
        definition = DEFINITIONS[measure]
        if definition.worse:
            ends = np.quantile(strayed, QUANTILES if definition.worse == "high" else [1 - each for each in QUANTILES])
            flagged = np.mean([definition.beyond(value, definition.usual) for value in strayed])
            told = ", ".join(f"{end:.2f}" for end in ends)
            print(f"{measure}: {told} of {len(strayed)} at {QUANTILES}; {definition.usual} flags {flagged:.1%}")


def advised(art: Path, each: int) -> None:
    """Print how often advice is given on drawings, which are good references, and on the same ones spoiled."""
    kinds: dict[str, list[Image.Image]] = {}
    named = []
    for look, picture in drawings(art, each):
        kinds.setdefault("as drawn", []).append(picture)
        for spoiled, spoil in SPOILED.items():
            kinds.setdefault(spoiled, []).append(spoil(picture))
        found = look_of(picture)
        named.append((look, found.words if found else ""))
    for kind, pictures in kinds.items():
        counts = Counter(found.concern for picture in pictures for found in advice(picture, ADVISED))
        print(f"advice, {kind}:", ", ".join(f"{concern} {counts[concern]}/{len(pictures)}" for concern in counts))
    right = sum(look == words for look, words in named)
    print(f"looks named rightly: {right}/{len(named)}; wrongly: {sum(bool(w) for _, w in named) - right}/{len(named)}")
    took = seconds(TIMES, lambda: advice(kinds["as drawn"][0].resize((4096, 4096)), SIDE))
    print(f"advice on the largest reference, 4096 px: {took:.2f} s")


def compressed(picture: Image.Image, quality: int) -> Image.Image:
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=quality)
    with Image.open(data) as opened:
        return opened.convert("RGB")


def enlarged(picture: Image.Image, times: int) -> Image.Image:
    less = picture.resize((ADVISED // times, ADVISED // times), Image.Resampling.LANCZOS)
    return less.resize(picture.size, Image.Resampling.BICUBIC)


def framed(picture: Image.Image) -> Image.Image:
    frame = Image.new("RGB", (ADVISED * 5 // 4, ADVISED * 5 // 4), "#b0a090")
    frame.paste(picture, (ADVISED // 8, ADVISED // 8))
    return frame


def written(picture: Image.Image) -> Image.Image:
    picture = picture.copy()
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(18)
    draw.text((30, 220), "Summer sale begins", font=font, fill="white", stroke_width=2, stroke_fill="black")
    return picture


def beside(picture: Image.Image) -> Image.Image:
    """With the picture's negative in coarse tiles, another look, on its right."""
    other = (
        Image.eval(picture, lambda value: 255 - value).resize((32, 32)).resize(picture.size, Image.Resampling.NEAREST)
    )
    both = Image.new("RGB", (2 * picture.width, picture.height))
    both.paste(picture, (0, 0))
    both.paste(other, (picture.width, 0))
    return both


SPOILED: dict[str, Callable[[Image.Image], Image.Image]] = {
    "JPEG at 10": lambda picture: compressed(picture, 10),
    "JPEG at 30": lambda picture: compressed(picture, 30),
    "JPEG at 75": lambda picture: compressed(picture, 75),
    "enlarged twice": lambda picture: enlarged(picture, 2),
    "enlarged four times": lambda picture: enlarged(picture, 4),
    "with a border": framed,
    "with text": written,
    "next to another look": beside,
}


def drawings(art: Path, each: int) -> Iterator[tuple[str, Image.Image]]:
    """`each` drawings of every look, with its words, ADVISED px wide: as large as the artwork is sharp."""
    from training.config import SIZES
    from training.data import artwork
    from training.data.looks import LOOKS
    from training.data.pictures import compose
    from training.data.scenes import Scene

    objects = SIZES["small"].objects
    sprites = artwork.load(artwork.fetch(art), objects, ADVISED * 5 // 4)
    random = np.random.default_rng(23)
    for name, look in LOOKS.items():
        for thing in random.choice(objects, each, replace=False):
            cut = compose(Scene((str(thing),), name, 1002), sprites, ADVISED)
            yield look.phrases[0], Image.fromarray((np.clip(look.draw(cut), 0, 1) * 255).astype(np.uint8))


def values(found: list[dict[Measure, float]], measure: Measure) -> list[float]:
    return [each[measure] for each in found if measure in each]


def separation(higher: list[float], lower: list[float]) -> float:
    """How often a value of `higher` is above one of `lower` (the area under the ROC curve): 0.5 is chance."""
    one, other = np.array(higher)[:, None], np.array(lower)[None]
    return float(((one > other) + 0.5 * (one == other)).mean())


def drawn_sets(art: Path, each: int) -> Iterator[list[Features]]:
    """Sets of `each` drawings of different things in one look, a few of every look."""
    from training.config import SIZES
    from training.data.looks import LOOKS

    measured, random = drawer(art), np.random.default_rng(29)
    for look in LOOKS:
        for variant in range(VARIANTS):
            things = map(str, random.choice(SIZES["small"].objects, each, replace=False))
            yield [measured([thing], look, 2000 + variant, thing) for thing in things]


def drawer(art: Path) -> Callable[[list[str], str, int, str], Features]:
    """What draws things in a look, as variant such and such, and measures the drawing with a text."""
    from training.config import SIZES
    from training.data import artwork
    from training.data.looks import LOOKS
    from training.data.pictures import compose
    from training.data.scenes import Scene
    from training.data.vocabulary import with_article

    sprites = artwork.load(artwork.fetch(art), SIZES["small"].objects, DRAWN * 5 // 4)
    clip = loaded("")

    def measured(things: list[str], look: str, variant: int, text: str) -> Features:
        cut = compose(Scene(tuple(things), look, variant), sprites, DRAWN)
        picture = Image.fromarray((np.clip(LOOKS[look].draw(cut), 0, 1) * 255).astype(np.uint8))
        alpha = cut.alpha[..., 0].copy()
        if len(things) > 1:  # its own subject, the first, stands on the left
            alpha[:, DRAWN // 2 :] = 0
        mask = Image.fromarray((alpha * 255).astype(np.uint8))
        return features(picture, subject=mask, text=with_article(text), embedders=clip)

    return measured


def drawn_pairs(art: Path, count: int) -> Iterator[tuple[str, Features, Features]]:
    """Pairs of a drawing and its reference, by what they share."""
    from training.config import SIZES
    from training.data.looks import LOOKS

    objects, measured, random = SIZES["small"].objects, drawer(art), np.random.default_rng(17)
    for _ in range(count):
        look, other_look = map(str, random.choice(list(LOOKS), 2, replace=False))
        thing, other = map(str, random.choice(objects, 2, replace=False))
        reference = measured([thing], look, 1000, thing)
        yield "same look", measured([other], look, 1001, other), reference
        yield "another look", measured([other], other_look, 1001, other), reference
        yield "same object", measured([thing], look, 1001, thing), reference
        yield "same object, another look", measured([thing], other_look, 1001, thing), reference
        yield "both objects", measured([other, thing], look, 1001, other), reference
        yield "another text", measured([other], look, 1001, thing), reference


if __name__ == "__main__":
    typer.run(main)
