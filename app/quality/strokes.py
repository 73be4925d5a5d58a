"""How wide the lines of a picture are, if it is drawn with lines.

Lines are what a closing (for dark lines) or an opening (for light ones) of the lightness removes: the top-hat transform
(Meyer 1979), which leaves what is thinner than its disc. A shape that is long and thin has two sides of its length, so
its width is twice its area over its outline; the outline of a soft mask is its total variation, so no line is rounded
to whole pixels.
"""

from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from app.quality.colour import Floats, oklab

SIDE = 256  # px: the shorter side at which lines are looked at; smaller pictures are not enlarged
GRAIN = 3  # px: specks below half of this square are grain, whose outlines would make lines count as thinner
DISC = 0.09  # of the shorter side: wider shapes are no lines
FAINT = 0.06  # OKLab lightness: fainter lines are texture
CONTRAST = 0.15  # OKLab lightness: lines of a drawing have at least as much
LEAST = 0.02  # of the picture that lines cover, if it is drawn with lines


class Strokes(NamedTuple):
    """The lines of a picture."""

    width: float  # of the shorter side
    dark: bool  # darker than what is next to them


def strokes(picture: Image.Image) -> Strokes | None:
    """The dark or the light lines of a picture, whichever there are more of; None if it has hardly any."""
    scale = min(SIDE / min(picture.size), 1)
    size = (max(round(picture.width * scale), 1), max(round(picture.height * scale), 1))
    light = oklab(picture.convert("RGB").resize(size, Image.Resampling.BOX))[..., 0].astype(np.float32)
    light = np.asarray(cv2.medianBlur(light, GRAIN), dtype=np.float32)
    reach = 2 * max(round(min(size) * DISC / 2), 1) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    dark = np.asarray(cv2.morphologyEx(light, cv2.MORPH_BLACKHAT, disc), dtype=np.float64)
    bright = np.asarray(cv2.morphologyEx(light, cv2.MORPH_TOPHAT, disc), dtype=np.float64)
    off_ground = np.abs(light - np.median(light)) > CONTRAST / 2  # gaps between lines have the colour of the ground
    more = max((dark, bright), key=lambda hat: float(((hat > CONTRAST) & off_ground).mean()))
    if ((more > CONTRAST) & off_ground).mean() < LEAST:
        return None
    return Strokes(round(_width(more) / min(size), 5), more is dark)


def _width(hat: Floats) -> float:
    """The width in px of what a top-hat left: twice its area over its outline."""
    full = np.quantile(hat[hat > CONTRAST], 0.75)
    mask = ((hat - FAINT) / (full - FAINT)).clip(0, 1)
    down, across = np.diff(mask, axis=0)[:, :-1], np.diff(mask, axis=1)[:-1]
    return float(2 * mask.sum() / max(np.hypot(down, across).sum(), 1e-6))
