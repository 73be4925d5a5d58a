"""Advice on pictures that are made to deserve it, or not to."""

import io
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from app.quality.advice import Concern, advice, glance, nearest
from tests.quality.drawn import lines, noisy, scene

LOOKS = Path(__file__).parents[1] / "data" / "looks"
SIDE = 512


def drawn(name: str) -> Image.Image:
    with Image.open(LOOKS / f"{name}.webp") as picture:
        return picture.convert("RGB")


def painting(seed: int = 0, side: int = 640) -> Image.Image:
    """Soft shapes in many colours with the grain of paper, as sharp as its pixels."""
    random = np.random.default_rng(seed)
    cells = random.integers(40, 216, (7, 7, 3), dtype=np.uint8)
    picture = Image.fromarray(cells).resize((side, side), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    for _ in range(12):
        x, y, radius = [*random.integers(40, side - 40, 2).tolist(), int(random.integers(15, 60))]
        ink = tuple(random.integers(20, 236, 3).tolist())
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=ink)
    return noisy(picture, 3, seed)


def compressed(picture: Image.Image, quality: int) -> Image.Image:
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=quality)
    with Image.open(data) as opened:
        return opened.convert("RGB")


def enlarged(picture: Image.Image, times: int) -> Image.Image:
    less = picture.resize((picture.width // times, picture.height // times), Image.Resampling.LANCZOS)
    return less.resize(picture.size, Image.Resampling.BICUBIC)


def framed(picture: Image.Image, by: int = 40, colour: str = "white") -> Image.Image:
    frame = Image.new("RGB", (picture.width + 2 * by, picture.height + 2 * by), colour)
    frame.paste(picture, (by, by))
    return frame


def barred(picture: Image.Image) -> Image.Image:
    bars = Image.new("RGB", (picture.width, picture.height + 120), "black")
    bars.paste(picture, (0, 60))
    return bars


def written(picture: Image.Image, ink: str = "white", ground: str | None = None) -> Image.Image:
    picture = picture.copy()
    draw = ImageDraw.Draw(picture)
    if ground:
        draw.rectangle((20, 240, 620, 310), fill=ground)
    draw.text((40, 250), "Summer sale begins", font=ImageFont.load_default(36), fill=ink, stroke_width=1)
    return picture


def collage(first: Image.Image, second: Image.Image) -> Image.Image:
    both = Image.new("RGB", (1280, 640))
    both.paste(first.resize((640, 640)), (0, 0))
    both.paste(second.resize((640, 640)), (640, 0))
    return both


def concerns(picture: Image.Image, side: int = SIDE) -> set[Concern]:
    return {found.concern for found in advice(picture, side)}


GOOD: dict[str, Callable[[], Image.Image]] = {
    "painting": painting,
    "another painting": lambda: painting(5),
    "lines": lambda: lines(8, side=640),
    "a subject on white": lambda: scene((200, 30, 40), side=640),
    "barely compressed": lambda: compressed(painting(), 95),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_reference_gets_no_advice(name: str) -> None:
    assert concerns(GOOD[name]()) == set()


@pytest.mark.parametrize(
    ("make", "concern"),
    [
        (lambda: painting(side=300), Concern.SMALL),
        (lambda: Image.new("RGB", (640, 640), "teal"), Concern.FLAT),
        (lambda: noisy(Image.new("RGB", (640, 640), "teal"), 2), Concern.FLAT),
        (lambda: enlarged(painting(), 2), Concern.ENLARGED),
        (lambda: enlarged(painting(), 4), Concern.ENLARGED),
        (lambda: compressed(painting(), 10), Concern.BLOCKS),
        (lambda: compressed(painting(3), 30), Concern.BLOCKS),
        (lambda: framed(painting()), Concern.BORDER),
        (lambda: framed(painting(), 25, "#202020"), Concern.BORDER),
        (lambda: barred(painting()), Concern.BORDER),
        (lambda: written(painting()), Concern.TEXT),
        (lambda: written(painting(), "black", "white"), Concern.TEXT),
        (lambda: collage(drawn("neon-guitar"), drawn("pencil-handbag")), Concern.LOOKS),
        (
            lambda: collage(drawn("poster-pear"), drawn("blueprint-camera")).transpose(Image.Transpose.TRANSPOSE),
            Concern.LOOKS,
        ),
    ],
)
def test_each_concern_is_seen_where_it_is_and_not_in_the_picture_before(
    make: Callable[[], Image.Image], concern: Concern
) -> None:
    assert concern in concerns(make())
    assert concern not in concerns(painting())


def test_the_amounts_say_how_much() -> None:
    assert dict(advice(painting(side=300), SIDE))[Concern.SMALL] == 300
    assert dict(advice(framed(painting(), 40), SIDE))[Concern.BORDER] == pytest.approx(1 - (640 / 720) ** 2, abs=0.01)
    assert dict(advice(enlarged(painting(), 4), SIDE))[Concern.ENLARGED] >= 3
    assert dict(advice(written(painting(), "black", "white"), SIDE))[Concern.TEXT] >= 8


def test_a_small_picture_is_enough_for_a_small_model() -> None:
    assert Concern.SMALL not in concerns(painting(side=300), 128)


@pytest.mark.parametrize("size", [(1, 1), (3, 400), (400, 3), (64, 64), (65, 33)])
def test_any_size_is_judged(size: tuple[int, int]) -> None:
    random = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    assert concerns(Image.fromarray(random)) <= set(Concern)
    assert concerns(Image.new("RGB", size, "white")) == {Concern.SMALL, Concern.FLAT}


def test_nearly_the_same_picture_is_found_among_others() -> None:
    pictures = [painting(seed) for seed in range(4)]
    again = glance(compressed(pictures[2].resize((300, 300)), 60))
    assert nearest(again, [glance(each) for each in pictures]) == 2
    assert nearest(again, [glance(each) for each in (pictures[0], pictures[1], pictures[3])]) is None
    assert nearest(again, []) is None


@pytest.mark.parametrize("what", ["painting", "noise", "dots"])
def test_the_largest_reference_takes_less_than_a_second(what: str) -> None:
    large = painting(side=512).resize((4096, 4096), Image.Resampling.NEAREST)
    if what != "painting":
        side = {"noise": 4096, "dots": 128}[what]
        values = np.random.default_rng(0).integers(0, 2, (side, side), dtype=np.uint8) * 255
        large = Image.fromarray(values).resize((4096, 4096), Image.Resampling.NEAREST)
    advice(large, 1024)
    began = time.process_time()
    advice(large, 1024)
    assert time.process_time() - began < 1
