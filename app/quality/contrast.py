"""Whether text can be read on a picture: WCAG 2 and APCA.

Sources: WCAG 2.2, success criterion 1.4.3 and "relative luminance"; APCA 0.1.9 by Andrew Somers (the constants of
SA98G), with its bronze levels: 90 for long text, 75 for body text, 60 for other text, 45 for headlines; and the least
sizes of text for each from his "APCA in a Nutshell".
"""

from typing import NamedTuple

import numpy as np
from PIL import Image, ImageColor

from app.quality.colour import Floats, light_of, luminance

WORST = 0.05  # of the place's pixels may be worse than what is told: the letters are not on all of them
TYPICAL = 0.5  # half of the pixels are worse than what is typical
MEASURED = 2**16  # pixels: of a larger place, that many in even steps
AA, AA_LARGE = 4.5, 3.0  # WCAG's least ratios for text, and for large text
LARGE, LARGE_BOLD = 24.0, 14 / 0.75  # px: text that WCAG calls large, 18 and 14 points
# APCA's least Lc for text of at least that many px, the largest first; smaller text has no level.
LEAST_LC = ((36.0, 45), (24.0, 60), (18.0, 75), (14.0, 90))
LEAST_LC_BOLD = ((24.0, 45), (16.0, 60), (14.0, 75))
BLACK, WHITE = "#000000", "#ffffff"

_WEIGHTS = np.array([0.2126729, 0.7151522, 0.0721750])
_SOFT_BELOW, _SOFT_POWER = 0.022, 1.414  # dark screens are not quite black
_ON_LIGHT, _ON_DARK = (0.57, 0.56), (0.62, 0.65)  # powers of text and ground
_SCALE, _OFFSET, _LEAST, _CLIP = 1.14, 0.027, 0.0005, 0.1


def ratio(first: Floats, second: Floats) -> Floats:
    """WCAG's contrast ratio, 1 to 21, of linear light (..., 3) and (..., 3)."""
    one, other = luminance(first) + 0.05, luminance(second) + 0.05
    contrast: Floats = np.maximum(one, other) / np.minimum(one, other)
    return contrast


def apca(text: Floats, ground: Floats) -> Floats:
    """APCA's Lc, about -108 (white on black) to 106, of sRGB colours (..., 3) from 0 to 1; 0 is no contrast."""
    of_text, of_ground = _screen_luminance(text), _screen_luminance(ground)
    text_power, ground_power = _ON_LIGHT
    dark_on_light = (of_ground**ground_power - of_text**text_power) * _SCALE
    text_power, ground_power = _ON_DARK
    light_on_dark = (of_ground**ground_power - of_text**text_power) * _SCALE
    contrast = np.where(of_ground > of_text, dark_on_light, light_on_dark)
    shown = np.where(np.abs(contrast) < _CLIP, 0.0, contrast - np.copysign(_OFFSET, contrast))
    return np.where(np.abs(of_ground - of_text) < _LEAST, 0.0, shown * 100)


def _screen_luminance(colour: Floats) -> Floats:
    """APCA's luminance: a plain power of 2.4, black lifted."""
    bright: Floats = colour**2.4 @ _WEIGHTS
    return bright + np.maximum(_SOFT_BELOW - bright, 0) ** _SOFT_POWER


class Needed(NamedTuple):
    """What text of one size and weight needs."""

    ratio: float  # WCAG's level AA
    lc: int | None  # APCA's; None: too small for any
    large: bool  # as WCAG says


def needed(size: float, bold: bool) -> Needed:
    """The contrast that text of `size` px needs, `bold` (700) or normal (400)."""
    large = size >= (LARGE_BOLD if bold else LARGE)
    least = next((lc for px, lc in (LEAST_LC_BOLD if bold else LEAST_LC) if size >= px), None)
    return Needed(AA_LARGE if large else AA, least, large)


class Legibility(NamedTuple):
    """How well text of one colour reads in a place of a picture."""

    ratio: float  # WCAG's, 1 to 21, of all but the worst pixels
    lc: float  # APCA's, unsigned, of all but the worst pixels
    readable: float  # 0 to 1: the part of the place with at least AA
    typical_ratio: float  # of half of the pixels or more
    typical_lc: float

    @property
    def level(self) -> str:
        """What WCAG allows here: "any text", "large text" or "no text"."""
        return "any text" if self.ratio >= AA else "large text" if self.ratio >= AA_LARGE else "no text"


def legibility(place: Image.Image, text: str) -> Legibility:
    """How well text of the colour `text`, such as "#ffffff", reads on `place`, the part of a picture under it.

    Of a place of more than MEASURED pixels, about so many are measured. Raises ValueError if `text` is no colour.
    """
    place = _measured(place, MEASURED)
    ratios = _ratios(place, text)
    colour = np.array(ImageColor.getrgb(text)[:3], dtype=np.float64) / 255
    contrasts = np.abs(apca(colour, np.asarray(place.convert("RGB"), dtype=np.float64) / 255))
    worst, typical = np.quantile(ratios, (WORST, TYPICAL))
    worst_lc, typical_lc = np.quantile(contrasts, (WORST, TYPICAL))
    readable = float((ratios >= AA).mean())
    return Legibility(float(worst), float(worst_lc), readable, float(typical), float(typical_lc))


def worst_ratio(place: Image.Image, text: str) -> float:
    """The ratio of `legibility` alone."""
    return float(np.quantile(_ratios(_measured(place, MEASURED), text), WORST))


def _ratios(place: Image.Image, text: str) -> Floats:
    return ratio(light_of(place), light_of(Image.new("RGB", (1, 1), text))[0, 0])


def _measured(place: Image.Image, most: int) -> Image.Image:
    """The place with at most about `most` of its pixels, none of them mixed."""
    less = (place.width * place.height / most) ** 0.5
    if less <= 1:
        return place
    size = (max(round(place.width / less), 1), max(round(place.height / less), 1))
    return place.resize(size, Image.Resampling.NEAREST)


def best_text(place: Image.Image) -> str:
    """Black or white, as "#000000" or "#ffffff": the one with more contrast on `place`."""
    return max((BLACK, WHITE), key=lambda text: legibility(place, text).lc)


class Cover(NamedTuple):
    """A flat colour over a place, under the text."""

    colour: str  # BLACK or WHITE
    opacity: int  # per cent, 1 to 100


def cover(place: Image.Image, text: str, least: float) -> Cover | None:
    """The faintest black or white over `place` with which `text` has the ratio `least`; None if none has.

    Of the two it is the one that is further from the text. It is mixed as design tools and browsers do it, in sRGB.
    """
    place = _measured(place.convert("RGB"), MEASURED)
    black, white = (worst_ratio(Image.new("RGB", (1, 1), ground), text) for ground in (BLACK, WHITE))
    colour = BLACK if black > white else WHITE
    flat = Image.new("RGB", place.size, colour)

    def enough(opacity: int) -> bool:
        return worst_ratio(Image.blend(place, flat, opacity / 100), text) >= least

    if not enough(100):
        return None
    below, above = 0, 100
    while above - below > 1:
        middle = (below + above) // 2
        below, above = (below, middle) if enough(middle) else (middle, above)
    return Cover(colour, above)
