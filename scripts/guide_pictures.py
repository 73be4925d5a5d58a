"""Make the guide's pictures with the bundled model: `python -m scripts.guide_pictures [NAME ...]`, by default all.

Each function marked with `@picture` makes static/guide/<its name>.webp: a row with a reference and the set that it
gives, or the small picture of a setting (`setting-…`). All are real: seeds are fixed, so that the same weights give the
same pictures. None has words in it, so they serve every language.
"""

import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from app.models import MapKind
from app.structures import maps
from app.style_aligned import ImageReady, Sharing, Structure, Studio
from app.style_aligned.layers import UP
from app.styles.presets import PRESETS

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "static" / "guide"
SAMPLES = ROOT / "static" / "samples"
LOOKS = ROOT / "tests" / "data" / "looks"  # pictures that the model was not trained on
SIDE, GAP, APART, EVEN = 256, 16, 40, 22  # px: of a picture as the model draws it, between pictures, after a reference,
# and between pictures without one, so that five are as wide
LARGEST = 1024 * 1024  # bytes of all files
SEED = 7
THINGS = ("a teapot", "a house", "a tulip", "a car")
CLOSE = (88, 88, 168, 168)  # a crop without ground

PICTURES: dict[str, Callable[[], Image.Image]] = {}


def picture(make: Callable[[], Image.Image]) -> Callable[[], Image.Image]:
    """Register the function that makes static/guide/<its name, with hyphens>.webp."""
    PICTURES[make.__name__.replace("_", "-")] = make
    return make


@cache
def studio() -> Studio:
    return Studio.load("demo")


@cache
def sample(name: str) -> Image.Image:
    """A sample reference, such as "poster"."""
    return Image.open(SAMPLES / f"look-{name}.webp").convert("RGB")


@cache
def look(name: str) -> Image.Image:
    """Another reference, such as "neon-guitar"."""
    return Image.open(LOOKS / f"{name}.webp").convert("RGB")


def made(
    prompts: Sequence[str],
    reference: Image.Image | None,
    *,
    seeds: Sequence[int] = (),
    sharing: Sharing | None = None,
    shows: str = "",
    method: Any = "noise",
    **how: Any,
) -> list[Image.Image]:
    """The pictures of a set; seeds rise from `SEED` unless given."""
    usual = Sharing.for_picture() if reference else Sharing(0.0)
    events = studio().generate(
        prompts,
        reference=studio().reference(reference, shows, method=method) if reference else None,
        sharing=sharing or usual,
        seeds=seeds or range(SEED, SEED + len(prompts)),
        preview_every=0,
        **how,
    )
    return [event.picture for event in events if isinstance(event, ImageReady)]


def tile(given: Image.Image, side: int = SIDE) -> Image.Image:
    return given.convert("RGB").resize((side, side), Image.Resampling.LANCZOS)


def row(reference: Image.Image | None, pictures: Sequence[Image.Image]) -> Image.Image:
    """A reference, and a little apart from it its pictures, on a transparent ground: (1368, 256) of five in all."""
    tiles = [*([tile(reference)] if reference else []), *map(tile, pictures)]
    gaps = [APART if reference else EVEN, *([GAP if reference else EVEN] * (len(tiles) - 2))]
    sheet = Image.new("RGBA", (len(tiles) * SIDE + sum(gaps), SIDE))
    left = 0
    for each, gap in zip(tiles, [*gaps, 0], strict=True):
        sheet.paste(each, (left, 0))
        left += SIDE + gap
    return sheet


def lines(rows: Sequence[Image.Image]) -> Image.Image:
    """Rows of equal width, stacked."""
    sheet = Image.new("RGBA", (rows[0].width, len(rows) * (SIDE + GAP) - GAP))
    for place, each in enumerate(rows):
        sheet.paste(each, (0, place * (SIDE + GAP)))
    return sheet


def strength_of(value: float, **other: Any) -> Sharing:
    return Sharing(value, share_group_norm=True, adain_values=True, **other)


# Choose a reference


@picture
def reference_good() -> Image.Image:
    return row(sample("poster"), made(THINGS, sample("poster")))


@picture
def reference_collage() -> Image.Image:
    half = SIDE // 2
    board = Image.new("RGB", (SIDE, SIDE))
    for place, name in enumerate(("poster", "blueprint", "riso", "watercolour")):
        board.paste(tile(sample(name), half), (place % 2 * half, place // 2 * half))
    return row(board, made(THINGS, board))


@picture
def reference_crop() -> Image.Image:
    close = sample("poster").crop(CLOSE).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    return row(close, made(THINGS, close))


# Write prompts without style words


@picture
def prompts_plain() -> Image.Image:
    return row(sample("sticker"), made(THINGS, sample("sticker")))


@picture
def prompts_styled() -> Image.Image:
    styled = ("a teapot, neon sign", "a house, watercolor", "a tulip, pixel art", "a car, pop art")
    return row(sample("sticker"), made(styled, sample("sticker")))


# Set the strength


def at_strength(value: float) -> Image.Image:
    return row(sample("blueprint"), made(THINGS, sample("blueprint"), sharing=strength_of(value)))


@picture
def strength_0() -> Image.Image:
    return at_strength(0.0)


@picture
def strength_half() -> Image.Image:
    return at_strength(0.5)


@picture
def strength_1() -> Image.Image:
    return at_strength(1.0)


@picture
def strength_2() -> Image.Image:
    return at_strength(2.0)


# Choose what is shared


def with_shared(group_norm: bool, values: bool) -> Image.Image:
    sharing = Sharing(1.0, share_group_norm=group_norm, adain_values=values)
    return row(sample("blueprint"), made(THINGS, sample("blueprint"), sharing=sharing))


@picture
def layers_both() -> Image.Image:
    return with_shared(True, True)


@picture
def layers_texture() -> Image.Image:
    return with_shared(False, True)


@picture
def layers_colour() -> Image.Image:
    return with_shared(True, False)


@picture
def layers_neither() -> Image.Image:
    return with_shared(False, False)


# When the reference shows through

OTHERS = ("a cactus", "a whale", "an elephant", "a penguin")  # nothing orange


@picture
def leakage_bad() -> Image.Image:
    return row(sample("sticker"), made(OTHERS, sample("sticker"), sharing=strength_of(2.0, scale=1.5)))


@picture
def leakage_cured() -> Image.Image:
    sharing = strength_of(0.8, scale=0.5)
    return row(sample("sticker"), made(OTHERS, sample("sticker"), sharing=sharing, shows="a sushi"))


# Give pictures a structure


@cache
def drawing() -> Image.Image:
    """A teapot on white: also the sample that the exercise opens with."""
    teapot = Image.open(SAMPLES / "teapot.webp").convert("RGB").resize((512, 512), Image.Resampling.LANCZOS)
    teapot.putalpha(maps.silhouette(teapot))  # without the rays behind it, which have edges too
    return Image.alpha_composite(Image.new("RGBA", teapot.size, "white"), teapot).convert("RGB")


def in_looks(looks: Sequence[Image.Image], structures: Sequence[Structure] = ()) -> list[Image.Image]:
    """A teapot in each of these looks."""
    return [made(["a teapot"], each, seeds=[3], structures=structures)[0] for each in looks]


def three_looks() -> list[Image.Image]:
    return [look("neon-guitar"), look("pencil-handbag"), look("blueprint-camera")]


@picture
def structure_set() -> Image.Image:
    edges = maps.draw(drawing(), MapKind.EDGES, studio().defaults.size)
    return row(drawing(), [edges, *in_looks(three_looks(), [Structure(studio().control("edges"), [edges])])])


@picture
def structure_none() -> Image.Image:
    return row(None, in_looks([*three_looks(), sample("poster"), sample("riso")]))


def make_sample_map() -> None:
    drawing().resize((384, 384), Image.Resampling.LANCZOS).save(
        SAMPLES / "map-teapot.webp", "WEBP", quality=85, method=6
    )


# Teach it your product


@cache
def drawings() -> tuple[Image.Image, ...]:
    from tests.style_aligned.drawings import drawing

    return tuple(drawing(number) for number in range(6))


@cache
def learned(line: int) -> list[Image.Image]:
    """Four pictures of the trained toy: a line of docs/images/subjects.webp, which scripts/doc_pictures.py makes."""
    sheet, side = Image.open(ROOT / "docs" / "images" / "subjects.webp").convert("RGB"), 192
    return [sheet.crop((left, top, left + side, top + side)) for left, top in ((200 * n, 200 * line) for n in range(4))]


@picture
def subjects_pictures() -> Image.Image:
    return row(None, drawings()[:5])


@picture
def subjects_poster() -> Image.Image:
    return row(look("poster-pear"), learned(2))


def make_sample_pictures() -> None:
    folder = SAMPLES / "subject"
    folder.mkdir(exist_ok=True)
    for number, each in enumerate(drawings(), 1):
        each.save(folder / f"toy-{number}.webp", "WEBP", quality=85, method=6)


# Agree on review criteria, and settle the rights


@picture
def review_right() -> Image.Image:
    prompts = ("a teapot", "a penguin", "a camera", "a crab")
    return row(sample("poster"), made(prompts, sample("poster"), seeds=[21] * 4))


@picture
def review_changes() -> Image.Image:
    prompts = ("a teapot", "a bicycle", "a camera", "an umbrella")
    return row(sample("poster"), made(prompts, sample("poster"), seeds=[11] * 4))


@picture
def review_wrong() -> Image.Image:
    prompts = ("a house, watercolor", "a tulip, pixel art", "a car, pop art", "a penguin, 3d render")
    return row(sample("poster"), made(prompts, sample("poster"), seeds=[8, 9, 10, 11]))


@picture
def rights() -> Image.Image:
    return row(sample("riso"), made(THINGS, sample("riso")))


# From pilot to automatic

TWELVE = (
    *THINGS,
    "a penguin",
    "a bicycle",
    "a cupcake",
    "a camera",
    "a sailboat",
    "a guitar",
    "a mushroom",
    "a clock",
)


@picture
def automatic_four() -> Image.Image:
    return row(sample("watercolour"), made(THINGS, sample("watercolour")))


@picture
def automatic_twelve() -> Image.Image:
    pictures = made(TWELVE, sample("watercolour"))
    return lines([row(None, pictures[:6]), row(None, pictures[6:])])


# What each setting does: three pictures, or as many as show it, on 308 x 96 px

SMALL, BETWEEN = 96, 10
STRIP = (308, SMALL)


def strip(pictures: Sequence[Image.Image]) -> Image.Image:
    """Pictures of equal height side by side, from the left."""
    sheet = Image.new("RGBA", STRIP)
    left = 0
    for each in pictures:
        width = round(each.width * SMALL / each.height)
        sheet.paste(each.convert("RGB").resize((width, SMALL), Image.Resampling.LANCZOS), (left, 0))
        left += width + BETWEEN
    return sheet


@cache
def one(name: str = "poster", prompt: str = "a teapot", *, seed: int = SEED, **how: Any) -> Image.Image:
    """A picture in the look of a sample."""
    return made([prompt], sample(name), seeds=[seed], **how)[0]


def labelled(pictures: Sequence[Image.Image], folder: bool = False) -> Image.Image:
    """Four pictures as one card with a line for its name, or in a folder with others."""
    sheet = Image.new("RGBA", STRIP)
    draw = ImageDraw.Draw(sheet)
    grey = (128, 128, 128, 255)
    for place in range(3 if folder else 1):
        left = place * 104
        if folder:
            draw.rounded_rectangle((left, 10, left + 97, 94), 8, outline=grey, width=2)
            draw.rounded_rectangle((left, 2, left + 40, 20), 5, fill=grey)
        for number, each in enumerate(pictures):
            column, line = number % 2, number // 2
            side = 30 if folder else 36
            at = (left + 17 + column * 33, 26 + line * 33) if folder else (column * 38, line * 38)
            sheet.paste(each.convert("RGB").resize((side, side), Image.Resampling.LANCZOS), at)
    if not folder:
        draw.rounded_rectangle((0, 82, 74, 90), 4, fill=grey)
    return sheet


def cut(name: str, *places: int) -> list[Image.Image]:
    """Pictures of a row that was made before: 0 is its reference."""
    sheet = Image.open(FOLDER / f"{name}.webp").convert("RGB")
    lefts = [place and SIDE + APART + (place - 1) * (SIDE + GAP) for place in places]
    return [sheet.crop((left, 0, left + SIDE, SIDE)) for left in lefts]


@picture
def setting_set_style() -> Image.Image:
    return strip(cut("rights", 0, 1, 2))


@picture
def setting_set_prompts() -> Image.Image:
    return strip(cut("review-right", 1, 2, 3))


@picture
def setting_set_strength() -> Image.Image:
    return strip([*cut("strength-0", 2), *cut("strength-1", 2), *cut("strength-2", 2)])


@picture
def setting_set_size() -> Image.Image:
    return strip([one(size=size) for size in ((3 * SIDE // 4, SIDE), (SIDE, SIDE), (5 * SIDE // 4, SIDE))])


@picture
def setting_set_count() -> Image.Image:
    return strip([one("sticker", seed=seed) for seed in (SEED, SEED + 1, SEED + 2)])


@picture
def setting_set_quality() -> Image.Image:
    return strip([one("pencil", steps=steps) for steps in (8, 20)])


@picture
def setting_set_name() -> Image.Image:
    return labelled(cut("reference-good", 1, 2, 3, 4))


@picture
def setting_set_campaign() -> Image.Image:
    return labelled(cut("reference-good", 1, 2, 3, 4), folder=True)


@picture
def setting_set_structures() -> Image.Image:
    return strip(cut("structure-set", 0, 1, 3))


@picture
def setting_set_subjects() -> Image.Image:
    return strip([drawings()[0], learned(2)[3], learned(3)[3]])


@picture
def setting_set_regions() -> Image.Image:
    """Three regions, of docs/images/regions.webp, which scripts/doc_pictures.py makes."""
    return strip([Image.open(ROOT / "docs" / "images" / "regions.webp")])


@picture
def setting_set_steps() -> Image.Image:
    return strip([one("pencil", steps=steps) for steps in (4, 10, 20)])


@picture
def setting_set_guidance() -> Image.Image:
    return strip([one("sticker", guidance=guidance) for guidance in (1.0, 5.0, 12.0)])


@picture
def setting_set_scheduler() -> Image.Image:
    return strip([one("poster", "a house", scheduler=name) for name in ("ddim", "dpm++", "euler-a")])


@picture
def setting_set_seed() -> Image.Image:
    return strip([one("sticker", seed=seed) for seed in (SEED, SEED, SEED + 2)])


@picture
def setting_set_negative_prompt() -> Image.Image:
    return strip([one("sticker", "a car", negative_prompt=words) for words in ("", "red")])


@picture
def setting_set_seamless() -> Image.Image:
    """The end and the beginning of a panorama, of docs/images/panorama-seamless.webp, where they meet in the middle."""
    twice = Image.open(ROOT / "docs" / "images" / "panorama-seamless.webp")
    width = twice.height * STRIP[0] // SMALL
    return strip([twice.crop(((twice.width - width) // 2, 0, (twice.width + width) // 2, twice.height))])


@picture
def setting_style_picture() -> Image.Image:
    return strip(cut("strength-1", 0, 1, 2))


@picture
def setting_style_crop() -> Image.Image:
    framed = sample("poster").copy()
    ImageDraw.Draw(framed).rectangle(CLOSE, outline=(0, 70, 255), width=6)
    return strip([framed, *cut("reference-crop", 0, 1)])


@picture
def setting_style_name() -> Image.Image:
    return labelled(cut("rights", 0, 1, 2, 3))


@picture
def setting_style_reference_prompt() -> Image.Image:
    return strip([*cut("leakage-bad", 0, 1), *cut("leakage-cured", 1)])


@picture
def setting_style_text() -> Image.Image:
    return strip([sample("watercolour"), *(one("watercolour", f"a car{text}") for text in ("", ", in watercolor"))])


@picture
def setting_style_method() -> Image.Image:
    return strip([sample("riso"), *(one("riso", "a fox", method=method) for method in ("noise", "ddim"))])


@picture
def setting_style_scale() -> Image.Image:
    return strip([one("sticker", "a cactus", sharing=strength_of(2.0, scale=scale)) for scale in (0.5, 1.0, 1.5)])


@picture
def setting_style_share_group_norm() -> Image.Image:
    return strip([*cut("layers-both", 0, 2), *cut("layers-texture", 2)])


@picture
def setting_style_adain_values() -> Image.Image:
    return strip([*cut("layers-both", 0, 2), *cut("layers-colour", 2)])


def by_preset(key: str) -> Sharing:
    """How a preset of the style form shares."""
    values = dict(PRESETS[key].values)
    values["colour"] = values.pop("calibration")
    part = values.pop("calibration_start"), values.pop("calibration_end")
    return Sharing(**values, colour_steps=part)


@picture
def setting_style_preset() -> Image.Image:
    return strip([one("sticker", "a whale", sharing=by_preset(key), shows="a sushi") for key in PRESETS])


def with_option(name: str, prompt: str, **option: Any) -> Image.Image:
    """A reference, a picture as in the paper, and one with an option."""
    usual, other = strength_of(1.0), strength_of(1.0, **option)
    return strip([sample(name), one(name, prompt, sharing=usual), one(name, prompt, sharing=other)])


@picture
def setting_style_layers() -> Image.Image:
    return with_option("sticker", "a penguin", layers=UP)


@picture
def setting_style_calibration() -> Image.Image:
    return with_option("watercolour", "a car", colour=1.0)


@picture
def setting_style_reference_queries() -> Image.Image:
    return with_option("poster", "a fox", reference_queries=0.3)


@picture
def setting_style_subject_attention() -> Image.Image:
    return with_option("sticker", "a cactus", subject_attention=0.0)


def save(made: Image.Image, name: str) -> None:
    made.save(FOLDER / f"{name}.webp", "WEBP", quality=82, method=6)
    print(f"{name}: {(FOLDER / f'{name}.webp').stat().st_size:,} bytes", flush=True)


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    make_sample_map()
    make_sample_pictures()
    for name in sys.argv[1:] or PICTURES:
        save(PICTURES[name](), name)
    if sum(file.stat().st_size for file in FOLDER.iterdir()) > LARGEST:
        raise SystemExit(f"the pictures are larger than {LARGEST // 1024} KiB")


if __name__ == "__main__":
    main()
