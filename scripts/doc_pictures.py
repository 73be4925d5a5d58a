"""Make the docs' pictures with the bundled model: `python scripts/doc_pictures.py [PAGE ...]`, by default all pages.

Each page of docs/ with pictures has a function of the same name here, which writes them to docs/images/. All are real:
seeds are fixed, so that the same weights give the same pictures.
"""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image

from app.models import MapKind
from app.structures import maps
from app.style_aligned import ImageReady, Region, Sharing, Structure, Studio
from app.style_aligned.dreambooth import Finished, Recipe, train
from app.style_aligned.layers import UP
from app.text import slug

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
LOOKS = ROOT / "tests" / "data" / "looks"  # pictures that the model was not trained on
SAMPLES = ROOT / "static" / "samples"
LARGEST = 200 * 1024  # bytes of a file
TILE = (192, 192)  # px, of a picture among others

PAGES: dict[str, Callable[[], None]] = {}


def page(make: Callable[[], None]) -> Callable[[], None]:
    """Register the function that makes the pictures of docs/<its name>.md."""
    PAGES[make.__name__] = make
    return make


@cache
def studio() -> Studio:
    return Studio.load("demo")


def look(name: str) -> Image.Image:
    """A reference, such as "neon-guitar"."""
    return Image.open(LOOKS / f"{name}.webp").convert("RGB")


def save(picture: Image.Image, name: str) -> None:
    """Write docs/images/<name>.webp."""
    file = IMAGES / f"{name}.webp"
    picture.save(file, "WEBP", quality=90, method=6)
    if file.stat().st_size > LARGEST:
        raise SystemExit(f"{file.name} is larger than {LARGEST // 1024} KiB")
    print(file.relative_to(ROOT))


def tile(picture: Image.Image) -> Image.Image:
    return picture.resize(TILE, Image.Resampling.LANCZOS)


def row(pictures: list[Image.Image], gap: int = 8, ground: str = "white") -> Image.Image:
    """Pictures side by side at the first one's height."""
    height = pictures[0].height
    pictures = [p.resize((round(p.width * height / p.height), height), Image.Resampling.LANCZOS) for p in pictures]
    sheet = Image.new("RGB", (sum(p.width + gap for p in pictures) - gap, height), ground)
    left = 0
    for picture in pictures:
        sheet.paste(picture, (left, 0))
        left += picture.width + gap
    return sheet


@page
def sharing() -> None:
    """Every option of sharing: in the first line pictures as usual, in the second with the option."""
    options: dict[str, tuple[str, dict[str, Any]]] = {
        "layers": ("poster-pear", {"layers": UP}),
        "colour": ("neon-guitar", {"colour": 1.0}),
        "queries": ("poster-pear", {"reference_queries": 1.0}),
        "subject": ("poster-pear", {"subject_attention": 0.0}),
    }
    things = ["a fox", "a teapot", "a house", "a car"]

    def made(references: Sequence[str], how: Sharing) -> list[Image.Image]:
        given = [studio().reference(look(name)) for name in references]
        events = studio().generate(things, reference=given, sharing=how, seeds=range(1, 5), preview_every=0)
        return [event.picture for event in events if isinstance(event, ImageReady)]

    def lines(shown: list[Image.Image], references: Sequence[str], option: dict[str, Any]) -> Image.Image:
        usual = Sharing.for_picture()
        sets = [made(references, each) for each in (usual, replace(usual, **option))]
        rows = [row([tile(each) for each in (*shown, *pictures)]) for pictures in sets]
        return stacked(rows)

    for name, (reference, option) in options.items():
        save(lines([look(reference)], [reference], option), f"sharing-{name}")
    two = ["poster-pear", "neon-guitar"]
    shown = [look(name) for name in two]
    save(lines(shown, two, {"blend": "sphere"}), "sharing-blend")


@page
def panoramas() -> None:
    """A banner in each of two looks, a seamless one twice side by side, and several looks in one picture."""

    def made(prompt: str, name: str, regions: Sequence[Region] = (), *, seed: int, **how: Any) -> Image.Image:
        events = studio().generate(
            [prompt],
            reference=studio().reference(look(name)),
            sharing=Sharing.for_picture(),
            seeds=[seed],
            regions=regions,
            preview_every=0,
            **how,
        )
        (picture,) = [event.picture for event in events if isinstance(event, ImageReady)]
        return picture

    def region(prompt: str, box: tuple[float, float, float, float], name: str) -> Region:
        return Region.box(prompt, box, studio().reference(look(name)), Sharing.for_picture())

    side = studio().defaults.size[1]
    poster = made("a house", "poster-pear", size=(4 * side, side), seed=3)
    save(row([look("poster-pear"), poster]), "panorama")
    tulips = made("a tulip", "pencil-handbag", size=(4 * side, side), seed=5, seamless=True)
    save(row([tulips, tulips], gap=0).resize((1536, 192), Image.Resampling.LANCZOS), "panorama-seamless")
    thirds = [
        region("a tulip", (1 / 3, 0, 1 / 3, 1), "neon-guitar"),
        region("a car", (2 / 3, 0, 1 / 3, 1), "blueprint-camera"),
    ]
    three = made("a house", "pencil-handbag", thirds, size=(3 * side, side), seed=4)
    save(three, "regions")


@page
def prompts() -> None:
    """Words at five weights."""

    def made(prompts: list[str], seed: int) -> list[Image.Image]:
        how = {"seeds": [seed] * len(prompts), "sharing": Sharing(0.0), "preview_every": 0}
        pictures = [event.picture for event in studio().generate(prompts, **how) if isinstance(event, ImageReady)]
        return [tile(picture) for picture in pictures]

    weighed = (
        ("a (blue:{}) teapot, sticker", 2),
        ("a fox, (watercolor:{})", 3),
        ("a (cat:{}) and an apple, flat design", 1),
    )
    rows = [row(made([form.format(weight) for weight in (0, 0.5, 1, 1.5, 2)], seed)) for form, seed in weighed]
    save(stacked(rows), "prompts-weights")


@page
def structure() -> None:
    """Maps of a drawing, and pictures that follow them in three looks."""
    drawing = Image.open(SAMPLES / "teapot.webp").convert("RGB").resize((512, 512), Image.Resampling.LANCZOS)
    drawing.putalpha(maps.silhouette(drawing))  # without the rays behind it, which have edges too
    opaque = Image.alpha_composite(Image.new("RGBA", drawing.size, "white"), drawing).convert("RGB")
    sources = {MapKind.EDGES: opaque, MapKind.SILHOUETTE: drawing}
    drawn = {kind: maps.draw(source, kind, (512, 512)) for kind, source in sources.items()}
    save(row([opaque, *(each.convert("RGB") for each in drawn.values())]), "structure-maps")
    size = studio().defaults.size
    rows = [followed(kind, maps.draw(sources[kind], kind, size)) for kind in drawn if kind in studio().controls]
    if rows:
        save(stacked(rows), "structure")


def followed(kind: MapKind, drawn: Image.Image) -> Image.Image:
    """A map, and next to it a teapot that follows it, in three looks."""
    side = (256, 256)
    pictures = [drawn.convert("RGB").resize(side, Image.Resampling.LANCZOS)]
    for name in ("neon-guitar", "pencil-handbag", "blueprint-camera"):
        events = studio().generate(
            ["a teapot"],
            reference=studio().reference(look(name)),
            sharing=Sharing.for_picture(1.0),
            seeds=[3],
            structures=[Structure(studio().control(str(kind)), [drawn])],
            preview_every=0,
        )
        pictures += [event.picture.resize(side) for event in events if isinstance(event, ImageReady)]
    return row(pictures)


def stacked(rows: list[Image.Image], gap: int = 8) -> Image.Image:
    """Rows of equal width, stacked."""
    sheet = Image.new("RGB", (rows[0].width, sum(each.height + gap for each in rows) - gap), "white")
    for place, each in enumerate(rows):
        sheet.paste(each, (0, place * (each.height + gap)))
    return sheet


@page
def subjects() -> None:
    """Drawings of an unknown thing, and the thing as learned from them, plain and in two looks."""
    sys.path.insert(0, str(ROOT))  # the tests are not an installed package
    from tests.style_aligned.drawings import drawing

    drawings = [drawing(number) for number in range(6)]
    recipe = Recipe("sks toy", "toy", steps=300, rate=1e-3, batch=2, priors=16, sample_every=0)
    learnt = next(event for event in train(studio(), drawings, recipe) if isinstance(event, Finished))
    with TemporaryDirectory() as folder:
        file = Path(folder) / "toy.safetensors"
        file.write_bytes(learnt.safetensors)
        toy = studio().adapter(file)
    rows = [drawings[:4]]
    for name in ("", "poster-pear", "pencil-handbag"):
        reference = studio().reference(look(name)) if name else None
        sharing = Sharing.for_picture() if name else Sharing(0.0)
        how = {"reference": reference, "sharing": sharing, "adapters": [toy], "preview_every": 0}
        events = studio().generate(["a sks toy"] * 4, **how)
        rows.append([event.picture for event in events if isinstance(event, ImageReady)])
    save(
        stacked([row([tile(each) for each in line]) for line in rows]),
        "subjects",
    )


EVALUATED = Path("evaluation")  # where `soroe evaluate --out evaluation` put its sets
EVALUATED_STYLES = 3  # of the sheet


@page
def evaluation() -> None:
    """The plot of an evaluation, and its first styles: a row for each setting."""
    results = json.loads((EVALUATED / "results.json").read_text())
    (IMAGES / "evaluation.svg").write_bytes((EVALUATED / "plot.svg").read_bytes())
    rows = []
    for setting in results["rows"]:
        folder = EVALUATED / "sets" / slug(setting["name"])
        styles = [folder / f"{number + 1:03}" for number in range(EVALUATED_STYLES)]
        files = [style / f"{place}.png" for style in styles for place in range(1, 5)]
        rows.append(row([Image.open(file).convert("RGB").resize((96, 96), Image.Resampling.LANCZOS) for file in files]))
    save(stacked(rows), "evaluation-sets")


def main() -> None:
    for name in sys.argv[1:] or PAGES:
        PAGES[name]()


if __name__ == "__main__":
    main()
