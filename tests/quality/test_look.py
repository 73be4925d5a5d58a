"""The measure of looks: correct colours, sensible distances, indifference to content."""

import numpy as np
import pytest
from coloraide import Color
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from app.quality.colour import oklab
from app.quality.look import Look, disagreement


def noise(seed: int, tint: tuple[int, int, int] = (128, 128, 128), amount: int = 20) -> Image.Image:
    random = np.random.default_rng(seed)
    return Image.fromarray(
        (random.integers(-amount, amount, (96, 64, 3)) + np.array(tint)).clip(0, 255).astype(np.uint8)
    )


@given(st.tuples(*[st.integers(0, 255)] * 3))
@settings(max_examples=50, deadline=None)
def test_oklab_agrees_with_coloraide(rgb: tuple[int, int, int]) -> None:
    ours = oklab(Image.new("RGB", (1, 1), rgb))[0, 0]
    theirs = Color("srgb", [c / 255 for c in rgb]).convert("oklab").coords()
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_the_same_picture_is_at_no_distance() -> None:
    assert Look.of(noise(1)).distance(Look.of(noise(1))) == 0


def test_distance_is_symmetric_and_black_on_white_is_about_one_from_its_negative() -> None:
    page, negative = (Image.new("RGB", (64, 64), c) for c in ("white", "black"))
    a, b = Look.of(page), Look.of(negative)
    assert a.distance(b) == b.distance(a)
    assert 0.3 < a.distance(b) < 1.1


def test_moving_what_is_shown_matters_less_than_changing_how() -> None:
    def drawing(x: int, ink: str, paper: str) -> Look:
        picture = Image.new("RGB", (128, 128), paper)
        picture.paste(ink, (x, 30, x + 40, 70))
        return Look.of(picture)

    first = drawing(10, "navy", "beige")
    moved, other_ink = drawing(70, "navy", "beige"), drawing(10, "crimson", "beige")
    assert first.distance(moved) < 0.1 * first.distance(other_ink)


def test_texture_is_seen_where_colour_is_not() -> None:
    smooth = Image.fromarray(np.sort(np.asarray(noise(1)), axis=0))
    rough = noise(1)
    assert Look.of(smooth).colour_distance(Look.of(rough)) < 0.01
    assert Look.of(smooth).texture_distance(Look.of(rough)) > 0.02


def test_disagreement_grows_with_an_outlier() -> None:
    alike = [noise(i) for i in range(4)]
    assert disagreement([*alike[:3], noise(9, (250, 60, 60))]) > 2 * disagreement(alike)


def test_one_picture_cannot_disagree() -> None:
    with pytest.raises(ValueError, match="at least two"):
        disagreement([noise(1)])
