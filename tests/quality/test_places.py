"""Places for text: what they cut out, and better ones."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from app.quality.contrast import AA, WHITE, worst_ratio
from app.quality.places import OVERLAP, Rect, better_places


def busy(size: tuple[int, int] = (300, 200), seed: int = 0) -> Image.Image:
    """Black and white dots, on which nothing can be read."""
    width, height = size
    dots = np.random.default_rng(seed).integers(0, 2, (height, width), dtype=np.uint8)
    return Image.fromarray(dots * 255).convert("RGB")


@pytest.mark.parametrize("seed", range(8))
def test_a_calm_dark_place_is_found_and_a_calm_light_one_is_not(seed: int) -> None:
    picture = busy(seed=seed)
    picture.paste("#102030", (180, 20, 290, 90))
    picture.paste("#f0f0f0", (10, 120, 140, 190))
    place = Rect(0.1, 0.05, 0.3, 0.3)
    assert worst_ratio(place.of(picture), WHITE) < AA
    best, *others = better_places(picture, place, WHITE)
    assert best.ratio >= AA
    assert (best.place.width, best.place.height) == (place.width, place.height)
    assert 0.55 <= best.place.x <= 0.70
    assert 0.05 <= best.place.y <= 0.20
    assert all(each.ratio < AA for each in others)


def test_suggestions_are_apart_and_better() -> None:
    picture = Image.linear_gradient("L").resize((400, 400)).convert("RGB")
    place = Rect(0, 0.7, 0.5, 0.2)
    found = better_places(picture, place, WHITE)
    assert len(found) == 3
    now = worst_ratio(place.of(picture), WHITE)
    every = [place, *(each.place for each in found)]
    for index, each in enumerate(found, 1):
        assert each.ratio > now
        assert each.ratio == worst_ratio(each.place.of(picture), WHITE)
        assert all(each.place.shared(other) <= OVERLAP for other in every[:index])
    assert [each.ratio for each in found] == sorted((each.ratio for each in found), reverse=True)


def test_nowhere_is_better_on_one_colour_or_for_all_of_a_picture() -> None:
    assert better_places(Image.new("RGB", (64, 64), "#888888"), Rect(0, 0, 0.3, 0.3), WHITE) == []
    assert better_places(busy(), Rect(0, 0, 1, 1), WHITE) == []


fractions = st.floats(0, 1)


@given(fractions, fractions, st.floats(0.001, 1), st.floats(0.001, 1), st.integers(1, 40), st.integers(1, 40))
def test_a_place_has_pixels_of_the_picture(x: float, y: float, width: float, height: float, w: int, h: int) -> None:
    place = Rect(x * (1 - width), y * (1 - height), width, height)
    part = place.of(Image.new("RGB", (w, h)))
    assert 1 <= part.width <= w
    assert 1 <= part.height <= h


def test_a_part_of_a_part_and_what_two_share() -> None:
    assert Rect(0.5, 0.5, 0.5, 0.5).within(Rect(0.2, 0, 0.4, 1)) == pytest.approx((0.4, 0.5, 0.2, 0.5))
    assert Rect(0, 0, 0.5, 0.5).shared(Rect(0.25, 0, 1, 1)) == pytest.approx(0.5)
    assert Rect(0, 0, 0.5, 0.5).shared(Rect(0.5, 0, 0.5, 0.5)) == 0
