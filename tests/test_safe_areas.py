"""Common formats: what they show of a picture, and what they cover."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import safe_areas
from app.quality.places import Rect
from app.safe_areas import BY_KEY, FORMATS, OUTSIDE, PublishedFormat, laid
from app.web.templating import PREFERENCES


@pytest.mark.parametrize("format", FORMATS, ids=lambda each: each.key)
def test_zones_are_in_their_format_and_apart(format: PublishedFormat) -> None:
    assert format.source.endswith(".")
    for index, zone in enumerate(format.zones):
        x, y, width, height = zone.box
        assert min(x, y) >= 0
        assert min(width, height) > 0
        assert max(x + width, y + height) <= 1 + 1e-9
        assert all(zone.box.shared(other.box) < 1e-9 for other in format.zones[:index]), zone.words


@given(st.sampled_from(FORMATS), st.integers(16, 4096), st.integers(16, 4096), st.floats(0, 1))
def test_the_crop_has_the_shape_and_touches_two_edges(
    format: PublishedFormat, width: int, height: int, shift: float
) -> None:
    found = laid(format.key, width, height, shift)
    assert found is not None
    crop = found.crop
    assert crop.width * width / (crop.height * height) == pytest.approx(format.width / format.height)
    assert max(crop.width, crop.height) == 1
    assert min(crop.x, crop.y) >= 0
    assert max(crop.x + crop.width, crop.y + crop.height) <= 1 + 1e-9
    assert all(zone.box.shared(crop) == pytest.approx(1) for zone in found.zones)


def test_the_part_is_chosen_from_one_side_to_the_other() -> None:
    story = BY_KEY["instagram-story"]
    assert [story.crop(1600, 900, shift).x for shift in (0, 1)] == pytest.approx([0, 1 - 81 / 256])
    assert story.crop(1080, 1920) == Rect(0, 0, 1, 1)


def test_a_story_is_covered_at_the_top_and_the_bottom_as_published() -> None:
    found = laid("instagram-story", 1080, 1920)
    assert found is not None
    assert [round(zone.box.height * 1920) for zone in found.zones] == [269, 384]
    assert all(zone.published for zone in found.zones)
    assert found.hit(Rect(0.1, 0.4, 0.8, 0.2)) == []
    assert found.hit(Rect(0.1, 0.05, 0.8, 0.2)) == ["Account and progress"]
    wide = laid("instagram-story", 1920, 1080)
    assert wide is not None
    assert wide.hit(Rect(0.1, 0.4, 0.8, 0.2)) == [OUTSIDE]


def test_a_sheet_is_cut_off_by_its_bleed_of_3_mm() -> None:
    found = laid("postcard", 1060, 1540)
    assert found is not None
    assert (found.format.width, found.format.height) == (106, 154)
    cut = [zone for zone in found.zones if zone.published]
    assert [round(zone.box.height * 154, 3) for zone in cut[:2]] == [3, 3]
    assert [round(zone.box.width * 106, 3) for zone in cut[2:]] == [3, 3]
    assert found.dpi == pytest.approx(254)
    assert found.hit(Rect(0.01, 0.4, 0.5, 0.2)) == ["Cut off", "Keep text out"]


def test_enlarging_is_told_for_screens_only() -> None:
    square, sheet = laid("instagram-square", 540, 960), laid("a4", 540, 960)
    assert square is not None
    assert sheet is not None
    assert (square.enlarged, square.dpi) == (2, 0)
    assert sheet.enlarged == 0


def test_no_format_and_an_unknown_one_lay_nothing() -> None:
    assert laid(safe_areas.NONE, 100, 100) is laid("gone", 100, 100) is None
    assert PREFERENCES["format"] == (safe_areas.NONE, *BY_KEY)
