"""Subjects whose masks are drawn, and guesses on plain grounds."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from app.quality.features import Features, compared, features
from app.quality.measures import DEFINITIONS, Measure
from app.quality.subject import NOTHING, guessed, subject_of
from tests.quality.drawn import blob, noisy, scene

M = Measure


@given(x=st.floats(0.3, 0.7), y=st.floats(0.3, 0.7), radius=st.floats(0.1, 0.28))
@settings(max_examples=30, deadline=None)
def test_size_and_place_are_those_that_were_drawn(x: float, y: float, radius: float) -> None:
    found = subject_of(blob((x - radius, y - radius, x + radius, y + radius)))
    assert (found.found, found.cut, found.count) == (1, 0, 1)
    assert found.size == pytest.approx(np.pi * radius**2, abs=0.02)
    assert (found.x, found.y) == (pytest.approx(x, abs=0.02), pytest.approx(y, abs=0.02))
    assert found.right - found.left == pytest.approx(2 * radius, abs=0.04)


@pytest.mark.parametrize(("shift", "whole"), [(0.0, True), (0.1, True), (0.35, False), (0.5, False)])
def test_a_subject_that_the_border_cuts_is_not_whole(shift: float, whole: bool) -> None:
    found = subject_of(blob((0.3 + shift, 0.3, 0.7 + shift, 0.7)))
    bound = DEFINITIONS[M.SUBJECT_CUT].usual
    assert bound is not None
    assert (found.cut * 100 <= bound) == whole


def test_two_subjects_are_two_and_a_soft_one_is_one() -> None:
    two = blob((0.1, 0.3, 0.4, 0.7), (0.6, 0.3, 0.9, 0.7))
    assert subject_of(two).count == 2
    assert subject_of(blob((0.2, 0.2, 0.8, 0.8), (0.85, 0.85, 0.9, 0.9))).count == 1  # a speck is no second subject
    soft = blob((0.2, 0.3, 0.7, 0.7)).filter(ImageFilter.GaussianBlur(8)).resize((16, 16))
    assert subject_of(soft).count == 1


def test_an_empty_mask_and_specks_are_nothing() -> None:
    assert subject_of(Image.new("L", (64, 64))) == NOTHING
    specks = np.zeros((64, 64), np.uint8)
    specks[::8, ::8] = 255
    assert subject_of(Image.fromarray(specks)) == NOTHING


def test_a_mask_of_noise_is_hardly_found() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    noise[noise < 150] = 0
    found = subject_of(Image.fromarray(noise))
    clear = subject_of(blob((0.3, 0.3, 0.7, 0.7)))
    assert found.found < 0.9 < clear.found


def test_measures_of_the_subject_come_only_with_a_mask() -> None:
    picture = scene((200, 30, 40))
    names = [measure for measure in Measure if measure.startswith("subject_")]
    with_mask = features(picture, subject=blob((0.25, 0.2, 0.75, 0.7)))
    found = compared(Features.from_json(json.loads(json.dumps(with_mask.to_json()))), [], [])
    assert [measure for measure in found if measure in names] == names
    assert found[M.SUBJECT_X] == pytest.approx(50, abs=2)
    assert found[M.SUBJECT_SIZE] == pytest.approx(19.6, abs=2)
    nothing = compared(features(picture, subject=Image.new("L", (8, 8))), [], [])
    assert [measure for measure in nothing if measure in names] == [M.SUBJECT_FOUND]
    assert not [measure for measure in compared(features(picture), [], []) if measure in names]


def test_a_guess_finds_what_stands_on_a_plain_ground() -> None:
    picture = noisy(scene((200, 30, 40), (230, 225, 210)), 3)
    mask = guessed(picture)
    assert mask is not None
    found = subject_of(mask)
    assert (found.left, found.right) == (pytest.approx(0.2, abs=0.04), pytest.approx(0.8, abs=0.04))
    assert (found.top, found.bottom) == (pytest.approx(0.2, abs=0.04), pytest.approx(0.85, abs=0.04))


def test_no_guess_without_a_subject_or_a_plain_ground() -> None:
    assert guessed(Image.new("RGB", (128, 128), "navy")) is None
    assert guessed(scene((200, 30, 40)).crop((90, 70, 180, 150))) is None  # all of it is the disc
    cells = np.random.default_rng(0).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    assert guessed(Image.fromarray(cells).resize((128, 128), Image.Resampling.NEAREST)) is None
