"""Pictures in other shapes."""

import pytest
from PIL import Image, ImageDraw

from app.exports.shapes import border_colour, fitted, steps, window

GROUND = (230, 225, 210)


def scene(size: tuple[int, int], centre: tuple[int, int], radius: int = 30) -> Image.Image:
    """A detailed disc on a plain ground."""
    picture = Image.new("RGB", size, GROUND)
    draw = ImageDraw.Draw(picture)
    for step in range(radius, 0, -5):
        colour = "firebrick" if step % 10 else "white"
        draw.ellipse([centre[0] - step, centre[1] - step, centre[0] + step, centre[1] + step], fill=colour)
    return picture


@pytest.mark.parametrize("at", [40, 128, 200])
@pytest.mark.parametrize("tall", [True, False])
def test_the_crop_keeps_the_motif(at: int, tall: bool) -> None:
    size, centre = ((256, 128), (at, 64)) if not tall else ((128, 256), (64, at))
    left, top, right, bottom = window(scene(size, centre), (100, 100))
    assert (right - left, bottom - top) == (128, 128)
    assert left <= centre[0] - 30
    assert centre[0] + 30 <= right
    assert top <= centre[1] - 30
    assert centre[1] + 30 <= bottom


def test_the_crop_follows_the_motif_and_not_the_texture_of_the_ground() -> None:
    picture = scene((300, 100), (250, 50))
    noise = Image.effect_noise((300, 100), 12).convert("RGB")
    assert window(Image.blend(picture, noise, 0.15), (100, 100))[0] > 150


def test_without_a_motif_the_crop_is_the_middle() -> None:
    assert window(Image.new("RGB", (300, 100), GROUND), (100, 100)) == (100, 0, 200, 100)
    assert window(Image.new("RGB", (100, 301), GROUND), (10, 10)) == (0, 100, 100, 200)


@pytest.mark.parametrize("fit", ["crop", "pad"])
@pytest.mark.parametrize("size", [(1080, 1350), (1200, 628), (64, 64), (1, 400), (500, 16)])
def test_the_size_is_exact(fit: str, size: tuple[int, int]) -> None:
    assert fitted(scene((128, 96), (60, 50)), size, fit).size == size  # type: ignore[arg-type]


def test_the_picture_of_that_size_is_left_as_it_is() -> None:
    picture = scene((128, 96), (60, 50))
    assert fitted(picture, (128, 96), "crop") is picture


def test_padding_shows_the_whole_picture_on_its_own_ground() -> None:
    padded = fitted(scene((100, 100), (50, 50)), (300, 100), "pad")
    assert padded.getpixel((0, 0)) == padded.getpixel((299, 99)) == GROUND
    assert padded.crop((100, 0, 200, 100)).tobytes() == scene((100, 100), (50, 50)).tobytes()


def test_a_motif_at_the_border_does_not_tint_the_ground() -> None:
    assert border_colour(scene((128, 128), (10, 64))) == GROUND


@pytest.mark.parametrize(
    ("fit", "size", "expected"),
    [
        ("crop", (128, 96), ()),
        ("crop", (64, 48), ("resized",)),
        ("crop", (96, 96), ("cropped",)),
        ("crop", (1080, 1080), ("cropped", "resized")),
        ("pad", (64, 48), ("resized",)),
        ("pad", (128, 128), ("padded",)),
        ("pad", (300, 300), ("resized", "padded")),
    ],
)
def test_what_is_done_is_named(fit: str, size: tuple[int, int], expected: tuple[str, ...]) -> None:
    assert steps((128, 96), size, fit) == expected  # type: ignore[arg-type]
