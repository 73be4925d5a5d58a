"""On brand, on pictures whose answer is known: flat colours, a ground with a spot on it, and a spot that moves."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from app.quality.brand import BrandPart, BrandRules, lab_of, merged, on_brand, proposed, valid_hex
from app.quality.colour import oklab
from app.quality.features import Features, features

TEAL, CREAM, RED = "#008080", "#fff4d6", "#d01010"
P = BrandPart


@cache
def drawn(ground: str, spot: str = "", box: tuple[int, int, int, int] = (48, 48, 80, 80)) -> Features:
    """A picture of 128 px with a spot, and the mask of the spot."""
    picture, mask = Image.new("RGB", (128, 128), ground), Image.new("L", (128, 128), 0)
    if spot:
        ImageDraw.Draw(picture).rectangle(box, fill=spot)
        ImageDraw.Draw(mask).rectangle(box, fill=255)
    return features(picture, subject=mask if spot else None)


def part(rules: BrandRules, picture: Features, of: BrandPart) -> float | None:
    found = on_brand(rules, picture)
    return found.parts.get(of) if found else None


def test_colours_are_read_as_pictures_are() -> None:
    for colour in (TEAL, CREAM, RED, "#000000", "#ffffff"):
        picture = oklab(Image.new("RGB", (1, 1), colour)).reshape(3)
        assert lab_of([colour])[0] == pytest.approx(picture, abs=1e-3)
    assert valid_hex(TEAL)
    assert not any(map(valid_hex, ("teal", "#00808", "#GG8080", "#0080801", " #008080")))


def test_a_palette_is_kept_by_its_share() -> None:
    assert part(BrandRules(palette=(TEAL,)), drawn(TEAL), P.PALETTE) == 100
    assert part(BrandRules(palette=(TEAL,)), drawn(CREAM), P.PALETTE) == 0
    half = drawn(TEAL, CREAM, (0, 0, 63, 127))
    assert part(BrandRules(palette=(TEAL,), palette_share=1.0), half, P.PALETTE) == pytest.approx(50, abs=1.5)
    assert part(BrandRules(palette=(TEAL,), palette_share=0.5), half, P.PALETTE) == pytest.approx(100, abs=2)
    assert part(BrandRules(palette=(TEAL, CREAM)), half, P.PALETTE) == 100


def test_a_colour_counts_less_the_further_it_is() -> None:
    shades = ["#008080", "#108888", "#209898", "#40b0b0", "#60c8c8"]
    found = [part(BrandRules(palette=(TEAL,), tolerance=0.06), drawn(shade), P.PALETTE) for shade in shades]
    assert found == sorted(found, reverse=True)  # type: ignore[type-var]
    assert (found[0], found[-1]) == (100, 0)


def test_a_forbidden_colour_shows_however_small_it_is() -> None:
    rules = BrandRules(never=(RED,))
    assert part(rules, drawn(CREAM), P.NEVER) == 100
    small = part(rules, drawn(CREAM, RED, (60, 60, 80, 80)), P.NEVER)
    assert small is not None
    assert 30 < small < 70  # 2.7 % of the picture
    assert part(rules, drawn(CREAM, RED), P.NEVER) == 0


def test_the_background_is_what_is_at_the_edge() -> None:
    rules = BrandRules(background=CREAM)
    assert part(rules, drawn(CREAM, RED), P.BACKGROUND) == 100
    assert part(rules, drawn(CREAM, RED, (40, 40, 88, 127)), P.BACKGROUND) == 100  # it stands on the lower edge
    assert part(rules, drawn(RED, CREAM), P.BACKGROUND) == 0


@pytest.mark.parametrize(("side", "kept"), [(32, 100), (64, 100), (128, 0), (96, 20)])
def test_the_size_of_the_subject(side: int, kept: float) -> None:
    rules = BrandRules(size=(0.05, 0.3625))  # 96 px are 0.5625 of the area: 0.2 beyond
    start = (128 - side) // 2
    picture = drawn(CREAM, RED, (start, start, start + side - 1, start + side - 1))
    assert part(rules, picture, P.SUBJECT_SIZE) == pytest.approx(kept, abs=6)


def test_the_place_of_the_subject() -> None:
    rules = BrandRules(place=(0.5, 0.5), place_tolerance=0.1)
    found = [part(rules, drawn(CREAM, RED, (x, 48, x + 31, 79)), P.SUBJECT_PLACE) for x in (48, 36, 24, 8, 0)]
    assert found[:2] == [100, 100]
    assert found == sorted(found, reverse=True)  # type: ignore[type-var]
    assert found[-1] is not None
    assert found[-1] < 40


def test_what_is_unknown_does_not_count() -> None:
    rules = BrandRules(palette=(CREAM,), size=(0.1, 0.5), place=(0.5, 0.5), checks=(1,))
    found = on_brand(rules, drawn(CREAM))
    assert found
    assert dict(found.parts) == {P.PALETTE: 100}
    assert on_brand(BrandRules(), drawn(CREAM)) is None
    assert on_brand(BrandRules(palette=(TEAL,)), None) is None


def test_words_and_checks_need_no_picture() -> None:
    rules = BrandRules(words=("acme",), checks=(1,))
    found = on_brand(rules, None, words_found=True, checks_kept=0.5)
    assert found
    assert dict(found.parts) == {P.WORDS: 0, P.CHECKS: 50}
    assert found.score == 12.5  # half of the mean, 25, and of the lowest, 0


def test_one_broken_rule_shows_among_many_kept() -> None:
    rules = BrandRules(palette=(CREAM,), background=CREAM, never=(RED,), words=("acme",))
    found = on_brand(rules, drawn(CREAM), words_found=True)
    assert found
    assert found.score == 37.5
    clean = on_brand(rules, drawn(CREAM))
    assert clean
    assert clean.score == 100


COLOURS = st.sampled_from([TEAL, CREAM, RED, "#000000", "#ffffff", "#7f7f7f"])


@given(COLOURS, COLOURS, st.lists(COLOURS, max_size=3), st.lists(COLOURS, max_size=2), st.floats(0.02, 0.5))
def test_scores_stay_in_range_and_more_tolerance_never_lowers_the_palette(
    ground: str, spot: str, palette: list[str], never: list[str], tolerance: float
) -> None:
    picture = drawn(ground, spot)
    rules = BrandRules(palette=tuple(palette), never=tuple(never), tolerance=tolerance, background=ground)
    found = on_brand(rules, picture)
    assert found
    assert all(0 <= each <= 100 for each in (found.score, *found.parts.values()))
    assert min(found.parts.values()) <= found.score <= max(found.parts.values())
    if palette:
        wider = on_brand(replace(rules, tolerance=tolerance * 1.5), picture)
        assert wider
        assert wider.parts[P.PALETTE] >= found.parts[P.PALETTE]


def test_a_campaign_replaces_the_rules_of_a_style_part_by_part() -> None:
    style = BrandRules(palette=(TEAL,), tolerance=0.2, background=CREAM, never=(RED,), words=("acme",), checks=(1,))
    campaign = BrandRules(palette=(CREAM,), tolerance=0.05, size=(0.1, 0.2), words=("zenith",), checks=(1, 2))
    both = merged(style, campaign)
    assert both
    assert (both.palette, both.tolerance, both.background, both.never) == ((CREAM,), 0.05, CREAM, (RED,))
    assert (both.size, both.words, both.checks) == ((0.1, 0.2), ("acme", "zenith"), (1, 2))
    assert merged(style, None) == style
    assert merged(None, campaign) == campaign
    assert merged(None, None) is None


# Proposals


def test_rules_are_proposed_that_the_pictures_keep() -> None:
    pictures = [drawn(CREAM, TEAL, (40 + x, 40, 80 + x, 80)) for x in (0, 4, 8, 12)]
    rules = proposed(pictures)
    assert len(rules.palette) == 2
    apart = np.linalg.norm(lab_of(rules.palette) - lab_of([CREAM, TEAL]), axis=1)
    assert apart.max() < 0.03
    assert np.linalg.norm(lab_of([rules.background]) - lab_of([CREAM])) < 0.02
    assert rules.size is not None
    assert rules.size[0] < 0.1 < rules.size[1]
    assert rules.place is not None
    assert rules.place == (pytest.approx(0.52, abs=0.03), pytest.approx(0.47, abs=0.03))
    for picture in pictures:
        found = on_brand(rules, picture)
        assert found
        assert found.score == 100


def test_nothing_is_proposed_that_the_pictures_do_not_share() -> None:
    pictures = [drawn(ground, RED, box) for ground, box in ((CREAM, (0, 0, 31, 31)), (TEAL, (96, 96, 127, 127)))]
    rules = proposed([*pictures, drawn("#000000"), drawn("#ffffff")])
    assert rules.background == ""
    assert rules.place is None
    assert rules.size is None
    with pytest.raises(ValueError, match="at least one"):
        proposed([])
