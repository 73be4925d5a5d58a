"""Other colour vision: both papers' models against another implementation, and pairs that only colour tells apart."""

import re
from pathlib import Path

import numpy as np
import pytest
from coloraide.everything import ColorAll as Color
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from app.quality.colour import Floats, light_of, oklab, oklab_of, picture_of
from app.quality.vision import (
    _LMS,
    _WAVES,
    ALIKE,
    DIFFERENT,
    Vision,
    _half_planes,
    brettel,
    confused,
    confusions,
    glance,
    machado,
    mean_glance,
    seen_picture,
)

DICHROMATS = [Vision.PROTANOPIA, Vision.DEUTERANOPIA, Vision.TRITANOPIA]
FILTERS = {Vision.PROTANOPIA: "protan", Vision.DEUTERANOPIA: "deutan", Vision.TRITANOPIA: "tritan"}
lights = st.tuples(*[st.floats(0, 1)] * 3).map(np.array)


@pytest.mark.parametrize("vision", DICHROMATS)
@given(light=lights)
def test_machado_agrees_with_another_implementation(vision: Vision, light: Floats) -> None:
    theirs = Color("srgb-linear", light).filter(FILTERS[vision], method="machado", space="srgb-linear")
    np.testing.assert_allclose(machado(light, vision), theirs.coords(), atol=1e-6)


# Of linear sRGB, as DaltonLens published them. Coloraide 8.13 has the same and takes the wrong one for red and green.
WINGS = [
    (Vision.PROTANOPIA, (0, 0, 1), (-0.30742, 0.03892, 1.00139)),
    (Vision.PROTANOPIA, (1, 1, 0), (0.14980 + 1.19548, 0.10764 + 0.84864, 0.00384 - 0.00540)),
    (Vision.DEUTERANOPIA, (0, 0, 1), (-0.22858, 0.09462, 0.99278)),
    (Vision.DEUTERANOPIA, (1, 1, 0), (0.37298 + 0.88166, 0.25954 + 0.63506, -0.01980 + 0.02784)),
]


@pytest.mark.parametrize(("vision", "light", "expected"), WINGS)
def test_brettel_gives_published_values(vision: Vision, light: tuple[int, ...], expected: tuple[float, ...]) -> None:
    np.testing.assert_allclose(brettel(np.array(light, float), vision), expected, atol=2e-5)


@given(light=lights)
def test_brettel_agrees_with_another_implementation_for_blue(light: Floats) -> None:
    theirs = Color("srgb-linear", light).filter("tritan", method="brettel", space="srgb-linear")
    np.testing.assert_allclose(brettel(light, Vision.TRITANOPIA), theirs.coords(), atol=2e-3)


@pytest.mark.parametrize(
    ("vision", "wave"),
    [
        (vision, wave)
        for vision, waves in zip(DICHROMATS, [(475, 575), (475, 575), (485, 660)], strict=True)
        for wave in waves
    ],
)
def test_light_that_everyone_sees_alike_stays(vision: Vision, wave: int) -> None:
    """The definition of the paper; the light of one wavelength is outside of sRGB, which does not matter here."""
    light = np.linalg.inv(_LMS) @ _WAVES[wave]
    np.testing.assert_allclose(brettel(light, vision), light, atol=1e-9)


@pytest.mark.parametrize("vision", DICHROMATS)
@given(light=lights)
def test_who_lacks_a_cone_sees_the_same_when_what_they_see_is_shown_again(vision: Vision, light: Floats) -> None:
    once = brettel(light, vision)
    np.testing.assert_allclose(brettel(once, vision), once, atol=1e-9)


@pytest.mark.parametrize("vision", Vision)
def test_greys_stay_as_they_are(vision: Vision) -> None:
    ramp = Image.linear_gradient("L").convert("RGB")
    assert np.abs(np.asarray(seen_picture(ramp, vision), int) - np.asarray(ramp, int)).max() <= 1


def test_every_byte_survives_light() -> None:
    ramp = Image.linear_gradient("L").convert("RGB")
    assert picture_of(light_of(ramp)).tobytes() == ramp.tobytes()


def test_red_and_green_come_close_without_long_or_medium_cones_and_blue_does_not() -> None:
    red, green, blue = (Image.new("RGB", (1, 1), colour) for colour in ("#c8553d", "#7a8b1f", "#2f6fde"))

    def apart(one: Image.Image, other: Image.Image, vision: Vision) -> float:
        return float(np.linalg.norm(oklab(seen_picture(one, vision)) - oklab(seen_picture(other, vision))))

    usual = float(np.linalg.norm(oklab(red) - oklab(green)))
    assert apart(red, green, Vision.DEUTERANOPIA) < usual / 3
    assert apart(red, blue, Vision.DEUTERANOPIA) > usual


def sign(ink: tuple[int, ...]) -> Image.Image:
    picture = Image.new("RGB", (64, 64), "#f4f0e6")
    ImageDraw.Draw(picture).ellipse((4, 4, 60, 60), fill=ink)
    return picture


def same_for(vision: Vision, ink: str) -> tuple[int, ...]:
    """The colour that is shown for `ink`: another one, and the same to `vision`."""
    shown = seen_picture(Image.new("RGB", (1, 1), ink), vision).getpixel((0, 0))
    assert isinstance(shown, tuple)
    return shown


@pytest.mark.parametrize("vision", DICHROMATS)
def test_pictures_that_only_colour_tells_apart_are_found(vision: Vision) -> None:
    ink = "#b8503c" if vision is not Vision.TRITANOPIA else "#4060c0"
    rgb = tuple(int(ink[at : at + 2], 16) for at in (1, 3, 5))
    other = Image.new("RGB", (64, 64), "#f4f0e6")
    ImageDraw.Draw(other).polygon([(0, 64), (64, 64), (64, 0)], fill="#101010")
    found = confusions([sign(rgb), other, sign(same_for(vision, ink))])
    of_vision = [each for each in found if each.vision == vision]
    assert [(each.first, each.second) for each in of_vision] == [(0, 2)]
    assert of_vision[0].usual >= DIFFERENT
    assert of_vision[0].seen <= ALIKE


FILTERS_OF_PAGES = Path(__file__).parents[2] / "static" / "vision.svg"


@pytest.mark.parametrize("vision", DICHROMATS)
def test_the_filters_of_the_pages_have_these_numbers(vision: Vision) -> None:
    text = FILTERS_OF_PAGES.read_text()
    matrices = re.findall(r'result="(\w+)" values="([^"]+)"', text[text.index(f'id="see-{vision}"') :])[:3]
    found = {name: np.reshape([float(number) for number in values.split()], (4, 5)) for name, values in matrices}
    planes = _half_planes(vision)
    np.testing.assert_allclose(found["side"][:3, :3], planes.side, atol=1e-5)
    np.testing.assert_allclose(found["other"][:3, :3], planes.other, atol=1e-5)
    np.testing.assert_allclose(found["mask"][3, :3], planes.normal / np.abs(planes.normal).max() * 1000, atol=0.05)


def test_pictures_that_anyone_confuses_are_no_finding_nor_are_those_that_anyone_tells_apart() -> None:
    assert confusions([sign((184, 80, 60)), sign((184, 80, 60))]) == []
    assert confusions([sign((20, 20, 20)), sign((240, 220, 60))]) == []
    assert confusions([]) == []


def test_what_several_pictures_have_in_common_is_compared_in_the_same_way() -> None:
    """Two series of pictures, each with its own shapes, in colours that are one to those without medium cones."""
    ink = (184, 80, 60)
    other = same_for(Vision.DEUTERANOPIA, "#b8503c")
    series = [
        mean_glance([glance(disc(colour, at)) for at in (0, 5, 10)])
        for colour in (ink, other, (20, 20, 20), (60, 90, 200))
    ]
    found = [each for each in confused(series) if each.vision == Vision.DEUTERANOPIA]
    assert [(each.first, each.second) for each in found] == [(0, 1)]


def disc(ink: tuple[int, ...], at: int) -> Image.Image:
    picture = Image.new("RGB", (64, 64), "#f4f0e6")
    ImageDraw.Draw(picture).ellipse((at, at, at + 54, at + 54), fill=ink)
    return picture


def test_many_are_compared_in_parts_without_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    inks = [(184, 80, 60), same_for(Vision.PROTANOPIA, "#b8503c"), same_for(Vision.DEUTERANOPIA, "#b8503c")]
    glances = [glance(sign(ink)) for ink in inks * 4]
    expected = confused(glances)
    assert expected
    monkeypatch.setattr("app.quality.vision.PAIRS", 3)
    assert confused(glances) == expected


SAMPLES = sorted((Path(__file__).parents[2] / "static" / "samples").rglob("*.webp"))


def small_samples() -> list[Image.Image]:
    assert len(SAMPLES) > 20
    return [Image.open(path).convert("RGB").resize((64, 64), Image.Resampling.BOX) for path in SAMPLES]


def test_pictures_of_different_things_are_no_findings() -> None:
    assert confusions(small_samples()) == []


def test_lighter_and_darker_pictures_are_no_findings() -> None:
    for picture in small_samples():
        light = light_of(picture)
        assert confusions([picture_of(light * factor) for factor in (1, 0.7, 1.35)]) == []


@pytest.mark.parametrize("vision", DICHROMATS)
def test_pictures_in_colours_that_are_one_to_a_vision_are_found(vision: Vision) -> None:
    """Each sample against itself with more or less for the missing cone, where a screen can show that."""
    axis = np.eye(3)[["protanopia", "deuteranopia", "tritanopia"].index(vision)]
    tried = 0
    for picture in small_samples():
        light = light_of(picture)
        for factor in (0.3, 0.5, 0.7, 0.8, 1.2, 1.5, 2):
            other = light @ _LMS.T * (1 + axis * (factor - 1)) @ np.linalg.inv(_LMS).T
            clipped = ((other < -0.02) | (other > 1.02)).any(axis=-1).mean()
            usual = np.linalg.norm(oklab_of(light) - oklab_of(other.clip(0, 1)), axis=-1).mean()
            if clipped < 0.02 and usual > 1.3 * DIFFERENT:
                tried += 1
                assert vision in {each.vision for each in confusions([picture, picture_of(other)])}
    assert tried
