"""Make the pictures of the sample campaign with the bundled model: `python scripts/sample_pictures.py`.

Writes them to app/samples/pictures. Settings and seeds are those of app/samples/contents.py, so that the same weights
give the same pictures; `--sheet FILE` also puts all of them on one sheet, to look at.
"""

import sys
from pathlib import Path

from PIL import Image

from app.samples import contents
from app.sets.spec import seeds_from
from app.style_aligned import ImageReady, Sharing, Studio

ROOT = Path(__file__).parents[1]
LOOK = ROOT / "static" / "samples" / "look-riso.webp"
COLUMNS = 4


def main() -> None:
    contents.PICTURES.mkdir(exist_ok=True)
    for left in contents.PICTURES.glob("*.png"):
        left.unlink()
    look = Image.open(LOOK).convert("RGB")
    look.save(contents.PICTURES / "reference.png", optimize=True)
    made = drawn(look)
    for thing, picture in zip(contents.THINGS, made, strict=True):
        picture.save(thing.png, optimize=True)
    if sys.argv[1:2] == ["--sheet"]:
        sheet(made).save(sys.argv[2])
    print(f"{len(made)} pictures, {sum(each.stat().st_size for each in contents.PICTURES.iterdir()) // 1024} KiB")


def drawn(look: Image.Image) -> list[Image.Image]:
    """The pictures, in the order of the things."""
    studio = Studio.load(contents.MODEL)
    events = studio.generate(
        [f"{thing.prompt}, {contents.LOOK}" for thing in contents.THINGS],
        reference=studio.reference(look, f"{contents.REFERENCE}, {contents.LOOK}"),
        sharing=Sharing.for_picture(contents.STRENGTH),
        seeds=seeds_from(contents.SEED, len(contents.THINGS)),
        steps=contents.STEPS,
        guidance=contents.GUIDANCE,
        scheduler=contents.SCHEDULER,
        preview_every=0,
    )
    found = {event.index: event.picture for event in events if isinstance(event, ImageReady)}
    return [found[index] for index in range(len(contents.THINGS))]


def sheet(pictures: list[Image.Image]) -> Image.Image:
    side = pictures[0].width
    made = Image.new("RGB", (side * COLUMNS, side * -(-len(pictures) // COLUMNS)), "white")
    for place, each in enumerate(pictures):
        made.paste(each, (place % COLUMNS * side, place // COLUMNS * side))
    return made


if __name__ == "__main__":
    main()
