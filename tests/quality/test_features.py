"""Measures of pictures that are drawn to have a known answer."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from app.quality.colour import oklab
from app.quality.features import Features, compared, compared_all, features
from app.quality.measures import DEFINITIONS, Measure
from app.quality.nearest import nearest
from app.quality.palette import palette
from tests.quality.drawn import colour, noisy, of_lab, panorama, scene

M = Measure
PICTURES = [scene((200, 30, 40)), scene((20, 90, 200), (240, 230, 200)), noisy(scene((90, 160, 60)), 12)]


def against(picture: Image.Image, reference: Image.Image) -> dict[Measure, float]:
    return compared(features(picture), [features(reference)], [])


@given(hue=st.integers(0, 359), shift=st.integers(-170, 170))
@settings(max_examples=30, deadline=None)
def test_a_turn_of_the_hue_is_told_in_degrees(hue: int, shift: int) -> None:
    first, second = scene(colour(0.65, 0.11, hue)), scene(colour(0.65, 0.11, hue + shift))
    assert against(first, second)[M.HUE_REFERENCE] == pytest.approx(abs(shift), abs=2.5)


def test_two_hues_that_change_places_are_the_same_hues() -> None:
    first, second = colour(0.6, 0.1, 30), colour(0.6, 0.1, 210)
    halves = [Image.new("RGB", (128, 128), ground) for ground in (first, second)]
    halves[0].paste(second, (64, 0, 128, 128))
    halves[1].paste(first, (64, 0, 128, 128))
    assert against(*halves)[M.HUE_REFERENCE] < 1


def test_a_large_faint_ground_has_no_say_in_the_hue() -> None:
    ink = colour(0.5, 0.15, 30)
    warm, cold = scene(ink, colour(0.97, 0.012, 80)), scene(ink, colour(0.97, 0.012, 250))
    assert against(warm, cold)[M.HUE_REFERENCE] < 1


def test_a_grey_picture_has_no_hue() -> None:
    grey = scene((80, 80, 80))
    assert M.HUE_REFERENCE not in against(grey, PICTURES[0])
    assert M.HUE_REFERENCE not in against(PICTURES[0], grey)
    assert against(grey, PICTURES[0])[M.CHROMA_REFERENCE] > 3


@given(lightness=st.floats(0.45, 0.8), darker=st.floats(0.02, 0.2))
@settings(max_examples=20, deadline=None)
def test_lightness_and_contrast_are_told_in_per_cent(lightness: float, darker: float) -> None:
    lab = np.zeros((64, 64, 3))
    lab[..., 0] = lightness + np.where(np.arange(64) % 32 < 16, 0.1, -0.1)  # mean lightness, spread 0.1
    less = lab - [darker, 0, 0]
    found = against(of_lab(lab), of_lab(less))
    assert found[M.LIGHTNESS_REFERENCE] == pytest.approx(darker * 100, abs=1)
    assert found[M.CONTRAST_REFERENCE] == pytest.approx(0, abs=1)
    flat = of_lab(np.full((64, 64, 3), [lightness, 0, 0]))
    assert against(of_lab(lab), flat)[M.CONTRAST_REFERENCE] == pytest.approx(10, abs=1)


def test_the_palette_has_the_colours_and_shares_that_were_painted() -> None:
    parts = {(230, 60, 50): 48, (250, 240, 220): 24, (30, 60, 120): 12, (240, 190, 40): 8, (90, 150, 80): 4}
    picture, left = Image.new("RGB", (96, 96)), 0
    for painted, width in parts.items():
        picture.paste(painted, (left, 0, left + width, 96))
        left += width
    found = palette(picture)
    assert [swatch.hex for swatch in found] == ["#{:02x}{:02x}{:02x}".format(*painted) for painted in parts]
    assert [swatch.share for swatch in found] == pytest.approx([width / 96 for width in parts.values()], abs=1e-3)


@given(seed=st.integers(0, 2**32 - 1), blur=st.integers(2, 32))
@settings(max_examples=20, deadline=None)
def test_a_picture_of_many_colours_has_five_to_eight_and_always_the_same(seed: int, blur: int) -> None:
    cells = np.random.default_rng(seed).integers(0, 256, (blur, blur, 3), dtype=np.uint8)
    picture = Image.fromarray(cells).resize((96, 96), Image.Resampling.BICUBIC)
    found = palette(picture)
    assert 5 <= len(found) <= 8 or len(np.unique(cells.reshape(-1, 3), axis=0)) < 5
    assert sum(swatch.share for swatch in found) == pytest.approx(1, abs=1e-3)
    assert list(found) == sorted(found, key=lambda swatch: -swatch.share)
    assert found == palette(picture)


def test_a_palette_stands_for_the_picture() -> None:
    for picture in PICTURES:
        centres = np.array([swatch[:3] for swatch in palette(picture)])
        lab = oklab(picture).reshape(-1, 3)
        apart = np.linalg.norm(lab[:, None] - centres, axis=-1).min(axis=1)
        assert np.quantile(apart, 0.9) < 0.08


def test_of_several_references_the_nearest_counts() -> None:
    first, second, third = map(features, PICTURES)
    alone = compared(first, [second], [])
    both = compared(first, [second, first], [])
    assert both[M.PALETTE_REFERENCE] == 0 < alone[M.PALETTE_REFERENCE]
    within = compared(first, [], [second, third])
    mean = (compared(first, [], [second])[M.PALETTE_SET] + compared(first, [], [third])[M.PALETTE_SET]) / 2
    assert within[M.PALETTE_SET] == pytest.approx(mean, abs=1e-3)


def test_what_cannot_be_known_is_left_out() -> None:
    assert set(compared(features(PICTURES[0]), [], [])) == {M.BLANK}


@pytest.mark.parametrize("share", [0.5, 0.95, 0.995])
def test_blank_is_the_share_of_the_commonest_colour(share: float) -> None:
    picture = Image.new("RGB", (128, 128), "white")
    ImageDraw.Draw(picture).rectangle((0, 0, 127, round(128 * (1 - share)) - 1), fill="navy")
    assert against(picture, picture)[M.BLANK] == pytest.approx(share * 100, abs=0.5)


def test_clipping_counts_only_beyond_what_the_reference_has() -> None:
    sticker = scene((200, 30, 40))  # on white, as its look wants it
    assert against(sticker, scene((20, 90, 200)))[M.CLIPPED] == pytest.approx(0, abs=1)
    blown = scene((200, 30, 40), (90, 90, 90))
    blown.paste("white", (0, 0, 256, 128))
    assert against(blown, scene((200, 30, 40), (90, 90, 90)))[M.CLIPPED] == pytest.approx(50, abs=1)


@pytest.mark.parametrize("sigma", [4.0, 8.0, 16.0])
def test_noise_is_told_by_its_strength(sigma: float) -> None:
    plain = scene((90, 120, 160), (150, 150, 150))
    assert against(noisy(plain, sigma), plain)[M.NOISE] == pytest.approx(sigma, rel=0.1)
    assert against(plain, plain)[M.NOISE] == 0
    assert against(noisy(plain, sigma), noisy(plain, sigma, seed=1))[M.NOISE] < 0.5  # grain that the look has


def test_coarse_noise_is_found_too() -> None:
    cells = np.random.default_rng(0).integers(60, 200, (32, 32), dtype=np.uint8)
    blotches = Image.fromarray(cells).resize((256, 256), Image.Resampling.NEAREST).convert("RGB")
    assert DEFINITIONS[M.NOISE].beyond(against(blotches, scene((90, 120, 160)))[M.NOISE], 12)


def test_noise_is_compared_between_pictures_of_different_sizes() -> None:
    large, small = scene((90, 120, 160), side=1024), scene((90, 120, 160), side=128)
    assert against(large, small)[M.NOISE] == against(small, large)[M.NOISE] == 0


def test_a_near_duplicate_is_nearer_than_another_subject_in_the_same_look() -> None:
    picture = scene((200, 30, 40))
    again = noisy(picture, 4).resize((200, 200)).resize((256, 256))
    other = Image.new("RGB", (256, 256), "white")
    ImageDraw.Draw(other).polygon([(40, 220), (128, 30), (220, 220)], fill=(200, 30, 40))
    first, second, third = features(picture), features(again), features(other)
    bound = DEFINITIONS[M.NEAREST].usual
    assert bound is not None
    assert compared_all([first, third, second], [], ())[0][M.NEAREST] < bound
    assert compared_all([first, third], [], ())[0][M.NEAREST] > bound
    assert M.NEAREST not in compared_all([first], [], ())[0]


@pytest.mark.parametrize("alike", [0.0, 0.001, 0.02])
def test_the_most_similar_picture_is_found_among_all(alike: float) -> None:
    random = np.random.default_rng(5)
    coarse = np.repeat(np.repeat(random.random((60, 4, 4, 3)), 4, axis=1), 4, axis=2)
    glances = np.concatenate([coarse, coarse[:20] + random.normal(0, alike, (20, 16, 16, 3))])
    apart = np.linalg.norm(glances[:, None] - glances[None], axis=-1).mean(axis=(2, 3))
    np.fill_diagonal(apart, np.inf)
    assert nearest(glances) == pytest.approx(apart.min(axis=1), abs=2e-5)


def test_a_seam_is_found_and_a_trunk_is_not() -> None:
    whole = panorama()
    bound = DEFINITIONS[M.SEAM].usual
    assert bound is not None

    def found(picture: Image.Image, *, ends_meet: bool = True) -> float:
        return compared(features(picture, windows=True, ends_meet=ends_meet), [], [])[M.SEAM]

    assert found(whole) < bound / 4
    windows = whole.copy()
    windows.paste(Image.eval(whole.crop((300, 0, 500, 256)), lambda value: min(value + 30, 255)), (300, 0))
    assert found(windows) > bound
    ends = whole.crop((0, 0, 500, 256))
    assert found(ends) > bound > found(ends, ends_meet=False)
    assert found(noisy(whole, 6)) < bound
    tall = windows.transpose(Image.Transpose.ROTATE_90)
    assert found(tall, ends_meet=False) > bound
    assert M.SEAM not in compared(features(windows), [], [])


@pytest.mark.parametrize("picture", PICTURES)
def test_features_are_kept_as_json(picture: Image.Image) -> None:
    measured = features(picture, windows=True)
    text = json.dumps(measured.to_json())
    kept = Features.from_json(json.loads(text))
    assert len(text) < 16_000
    reference = features(PICTURES[0])
    assert compared(kept, [reference], [reference]) == pytest.approx(
        compared(measured, [reference], [reference]), abs=0.1
    )


def test_features_that_are_not_whole_or_of_another_version_are_refused() -> None:
    data = features(PICTURES[0]).to_json()
    with pytest.raises(ValueError, match="version"):
        Features.from_json(data | {"version": 0})
    del data["look"]
    with pytest.raises(ValueError, match="not whole"):
        Features.from_json(data)


def test_every_measure_is_defined_in_the_order_of_pages() -> None:
    assert list(DEFINITIONS) == list(Measure)
    for definition in DEFINITIONS.values():
        assert definition.low < definition.high
        assert definition.usual is None or definition.low <= definition.usual <= definition.high


def test_a_bound_flags_the_worse_end_only() -> None:
    hue, nearest, place = (DEFINITIONS[each] for each in (M.HUE_REFERENCE, M.NEAREST, M.SUBJECT_X))
    assert [hue.beyond(31, 20), hue.beyond(20, 20), hue.beyond(31, None)] == [True, False, False]
    assert [nearest.beyond(1, 2), nearest.beyond(3, 2)] == [True, False]
    assert not place.beyond(99, 1)


@given(width=st.integers(1, 40), height=st.integers(1, 40), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_every_value_is_finite_and_in_its_range_for_any_picture(width: int, height: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    first, second = (
        features(Image.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8)), windows=True)
        for _ in range(2)
    )
    for measure, value in compared_all([first, second], [second], (1,))[0].items():
        assert DEFINITIONS[measure].low <= value <= DEFINITIONS[measure].high, measure
