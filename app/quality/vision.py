"""Pictures as people with another colour vision see them, and pictures that those people cannot tell apart.

Two published models, both on linear light:

- Machado, Oliveira and Fernandes, "A Physiologically-based Model for Simulation of Color Vision Deficiency", IEEE
  TVCG 2009: one matrix, here at severity 1 (their table). Close for red and green; too mild for tritanopia.
- Brettel, Viénot and Mollon, "Computerized simulation of color appearance for dichromats", JOSA A 1997: colours are
  projected, along the axis of the missing cone, onto two half planes that meet in white and contain the two wavelengths
  that dichromats and others see alike. Sound for all three.
"""

from collections.abc import Sequence
from enum import StrEnum
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.quality.colour import Floats, light_of, luminance, oklab_of, picture_of


class Vision(StrEnum):
    """Which cones are missing: those for long, medium or short waves; or all, as in print without colour."""

    PROTANOPIA = "protanopia"
    DEUTERANOPIA = "deuteranopia"
    TRITANOPIA = "tritanopia"
    GREY = "grey"


MACHADO = {
    Vision.PROTANOPIA: np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    Vision.DEUTERANOPIA: np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    Vision.TRITANOPIA: np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}

# Linear sRGB to XYZ as Judd (1951) and Vos (1978) corrected it, and XYZ to the cones L, M, S (Smith and Pokorny 1975).
_XYZ = np.array([[0.409568, 0.355041, 0.179167], [0.213389, 0.706743, 0.079868], [0.0186297, 0.11462, 0.912367]])
_CONES = np.array([[0.15514, 0.54312, -0.03286], [-0.15514, 0.45684, 0.03286], [0.0, 0.0, 0.01608]])
_LMS = _CONES @ _XYZ
_WHITE = _LMS @ np.ones(3)
# What the cones get from light of one wavelength (nm), from its XYZ.
_WAVES = {
    475: _CONES @ np.array([0.13287, 0.11284, 0.9422]),
    485: _CONES @ np.array([0.05699, 0.16987, 0.5864]),
    575: _CONES @ np.array([0.84394, 0.91558, 0.00197]),
    660: _CONES @ np.array([0.16161, 0.061, 0.00001]),
}
# The missing cone, and the two wavelengths that look alike to everyone.
_DICHROMATS = {Vision.PROTANOPIA: (0, 475, 575), Vision.DEUTERANOPIA: (1, 475, 575), Vision.TRITANOPIA: (2, 485, 660)}


class _HalfPlanes(NamedTuple):
    """Brettel's two projections of linear sRGB (3, 3), and the normal (3) of the plane that parts them."""

    side: Floats
    other: Floats
    normal: Floats


@cache
def _half_planes(vision: Vision) -> _HalfPlanes:
    missing, *waves = _DICHROMATS[vision]
    axis = np.eye(3)[missing]
    normal = np.cross(_WHITE, axis)
    if normal @ _WAVES[waves[0]] < 0:  # so that the first projection is for the side that its wavelength is on
        normal = -normal
    side, other = (np.linalg.inv(_LMS) @ _onto_plane(missing, _WAVES[wave]) @ _LMS for wave in waves)
    return _HalfPlanes(side, other, normal @ _LMS)


def _onto_plane(missing: int, wave: Floats) -> Floats:
    """Moves cone responses along the missing axis into the plane of black, white and a wavelength."""
    normal = np.cross(_WHITE, wave)
    projection = np.eye(3)
    projection[missing] = -normal / normal[missing]
    projection[missing, missing] = 0
    return projection


def brettel(light: Floats, vision: Vision) -> Floats:
    """Linear light (..., 3) as a person without one kind of cone sees it. Raises KeyError for GREY."""
    side, other, normal = _half_planes(vision)
    on_side = (light @ normal >= 0)[..., None]
    return np.where(on_side, light @ side.T, light @ other.T)


def machado(light: Floats, vision: Vision) -> Floats:
    """Linear light (..., 3) by Machado's matrix of severity 1. Raises KeyError for GREY."""
    return light @ MACHADO[vision].T


def seen(light: Floats, vision: Vision) -> Floats:
    """Linear light (..., 3) as `vision` sees it: Brettel's model, or the luminance alone."""
    if vision is Vision.GREY:
        return luminance(light)[..., None].repeat(3, axis=-1)
    return brettel(light, vision)


def seen_picture(picture: Image.Image, vision: Vision) -> Image.Image:
    """A picture of any size as `vision` sees it."""
    return picture_of(seen(light_of(picture), vision))


GLANCE = 8  # px: what is left of a picture at a glance
DIFFERENT = 0.05  # OKLab: two glances this far apart are told apart without looking for it
ALIKE = 0.02  # OKLab: just visible on large areas
PAIRS = 4096  # compared at once

Glance = NDArray[np.uint8]  # (GLANCE, GLANCE, 3), sRGB


class Confusion(NamedTuple):
    """Two pictures that differ for most people and not for `vision`; distances in OKLab."""

    first: int
    second: int
    vision: Vision
    usual: float
    seen: float


def glance(picture: Image.Image) -> Glance:
    """A picture reduced to GLANCE x GLANCE colours."""
    return np.asarray(picture.convert("RGB").resize((GLANCE, GLANCE), Image.Resampling.BOX))


def mean_glance(glances: Sequence[Glance]) -> Glance:
    """What pictures have in common at a glance: their mean, in light."""
    light = np.mean([light_of(Image.fromarray(each)) for each in glances], axis=0)
    return np.asarray(picture_of(light))


def confusions(pictures: Sequence[Image.Image]) -> list[Confusion]:
    """`confused` of the glances of pictures."""
    return confused([glance(picture) for picture in pictures])


def confused(glances: Sequence[Glance]) -> list[Confusion]:
    """Pairs that are told apart by colour alone, by their indices, worst first in each vision.

    Glances are compared place by place, by the mean distance in OKLab: a pair counts if it is at least DIFFERENT as
    most people see it and at most ALIKE as `vision` does.
    """
    if len(glances) < 2:
        return []
    lights = light_of(Image.fromarray(np.concatenate(glances))).reshape(len(glances), GLANCE**2, 3)
    usual = oklab_of(lights)
    found: list[Confusion] = []
    for vision in Vision:
        colours = oklab_of(seen(lights, vision).clip(0, 1))
        pairs = _near(colours)
        for chunk in np.array_split(pairs, len(pairs) // PAIRS + 1):
            before = _distances(usual, chunk)
            chunk, before = chunk[before >= DIFFERENT], before[before >= DIFFERENT]
            apart = _distances(colours, chunk)
            for index in np.flatnonzero(apart <= ALIKE):
                first, second = map(int, chunk[index])
                found.append(Confusion(first, second, vision, float(before[index]), float(apart[index])))
    order = list(Vision)
    return sorted(found, key=lambda each: (order.index(each.vision), each.seen, each.first, each.second))


def _near(colours: Floats) -> NDArray[np.intp]:
    """Pairs (P, 2) of glances (N, GLANCE**2, 3) that can be ALIKE, since their mean colours are.

    The mean of distances is never less than the distance of the means.
    """
    means = colours.mean(axis=1)
    near = [
        np.stack([np.full(len(others), index), others + index + 1], axis=1)
        for index in range(len(means) - 1)
        if len(others := np.flatnonzero(np.linalg.norm(means[index + 1 :] - means[index], axis=1) <= ALIKE))
    ]
    return np.concatenate(near) if near else np.empty((0, 2), np.intp)


def _distances(colours: Floats, pairs: NDArray[np.intp]) -> Floats:
    """The mean distance of each pair (P, 2) of glances (N, GLANCE**2, 3)."""
    first, second = pairs.T
    apart: Floats = np.linalg.norm(colours[first] - colours[second], axis=-1).mean(axis=-1)
    return apart
