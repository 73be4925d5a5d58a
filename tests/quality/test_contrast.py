"""Contrast of text on pictures, against published values."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageColor

from app.quality.colour import Floats, light_of
from app.quality.contrast import (
    AA,
    AA_LARGE,
    BLACK,
    WHITE,
    apca,
    best_text,
    cover,
    legibility,
    needed,
    ratio,
    worst_ratio,
)


def colour(code: str) -> Floats:
    return np.array(ImageColor.getrgb(code), dtype=np.float64) / 255


@pytest.mark.parametrize(
    ("text", "ground", "lc"),
    [
        ("#888", "#fff", 63.056469930209424),
        ("#fff", "#888", -68.54146436644962),
        ("#000", "#aaa", 58.146262578561334),
        ("#aaa", "#000", -56.24113336839742),
        ("#123", "#def", 91.66830811481631),
        ("#def", "#123", -93.06770049484275),
        ("#123", "#234", 0.0),
    ],
)
def test_apca_gives_the_values_that_its_author_published(text: str, ground: str, lc: float) -> None:
    assert apca(colour(text), colour(ground)) == pytest.approx(lc, abs=1e-6)


@pytest.mark.parametrize(
    ("one", "other", "expected"), [("#000", "#fff", 21.0), ("#777", "#fff", 4.478), ("#f00", "#fff", 3.998)]
)
def test_ratios_are_those_of_wcag(one: str, other: str, expected: float) -> None:
    first, second = (light_of(Image.new("RGB", (1, 1), code))[0, 0] for code in (one, other))
    assert ratio(first, second) == pytest.approx(expected, abs=1e-3)
    assert ratio(first, second) == ratio(second, first)


@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_one_of_black_and_white_can_always_be_read_on_one_colour(rgb: tuple[int, int, int]) -> None:
    place = Image.new("RGB", (4, 4), rgb)
    assert legibility(place, "#000000").ratio >= 4.5 or legibility(place, "#ffffff").ratio >= 4.5
    assert legibility(place, best_text(place)).lc >= 40


def test_what_is_told_is_the_worst_of_the_place_but_for_a_few_pixels() -> None:
    place = Image.new("RGB", (100, 1), "#ffffff")
    for x in range(4):
        place.putpixel((x, 0), (0, 0, 0))
    assert legibility(place, "#000000").level == "any text"
    assert legibility(place, "#000000").readable == pytest.approx(0.96)
    for x in range(10):
        place.putpixel((x, 0), (0, 0, 0))
    assert legibility(place, "#000000").level == "no text"


def test_no_colour_is_refused() -> None:
    with pytest.raises(ValueError, match="color"):
        legibility(Image.new("RGB", (1, 1)), "nothing")


def test_typical_is_what_half_of_the_place_has() -> None:
    place = Image.new("RGB", (100, 1), "#ffffff")
    place.paste("#000000", (0, 0, 40, 1))
    found = legibility(place, BLACK)
    assert (found.ratio, found.typical_ratio) == (1.0, pytest.approx(21.0))
    assert (found.lc, found.typical_lc) == (0.0, pytest.approx(106, abs=0.1))


def test_a_large_place_is_measured_by_pixels_of_its_own() -> None:
    """Mixed pixels would be grey, on which both black and white can be read."""
    large = Image.effect_noise((900, 900), 60).point(lambda value: 255 * (value > 128)).convert("RGB")
    found = legibility(large, WHITE)
    assert found.ratio == 1.0
    assert found.readable == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize(
    ("size", "bold", "expected"),
    [
        (12, False, (AA, None, False)),
        (14, True, (AA, 75, False)),
        (18, True, (AA, 60, False)),
        (19, True, (AA_LARGE, 60, True)),
        (23, False, (AA, 75, False)),
        (24, False, (AA_LARGE, 60, True)),
        (24, True, (AA_LARGE, 45, True)),
        (36, False, (AA_LARGE, 45, True)),
    ],
)
def test_larger_and_bolder_text_needs_less(size: float, bold: bool, expected: tuple[object, ...]) -> None:
    assert tuple(needed(size, bold)) == expected


@given(st.tuples(*[st.integers(0, 255)] * 3), st.sampled_from([BLACK, WHITE]))
def test_a_cover_is_enough_and_not_more(rgb: tuple[int, int, int], text: str) -> None:
    place = Image.new("RGB", (4, 4), rgb)
    found = cover(place, text, AA)
    assert found is not None
    assert found.colour == (BLACK if text == WHITE else WHITE)

    def covered(opacity: int) -> float:
        return worst_ratio(Image.blend(place, Image.new("RGB", (4, 4), found.colour), opacity / 100), text)

    assert covered(found.opacity) >= AA
    assert found.opacity == 1 or covered(found.opacity - 1) < AA


def test_nothing_covers_enough_for_more_than_there_is() -> None:
    assert cover(Image.new("RGB", (4, 4), "#ffffff"), "#777777", 7) is None
