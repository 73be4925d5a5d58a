"""Places of a picture that will carry text, and others of the same size where it would read better."""

from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image

from app.quality.colour import light_of
from app.quality.contrast import WORST, ratio, worst_ratio

SEARCHED = 96  # px: the longer side of the copy in which other places are looked for
STEPS = 24  # places to try along each side, at most
OVERLAP = 0.25  # of a place: two that share more are the same suggestion
CANDIDATES = 12  # places that are measured in the picture itself


class Rect(NamedTuple):
    """A rectangle in a picture, in fractions of its width and height, 0 to 1."""

    x: float
    y: float
    width: float
    height: float

    def of(self, picture: Image.Image) -> Image.Image:
        """The part of a picture that is there, at least one pixel."""
        left = min(int(self.x * picture.width), picture.width - 1)
        upper = min(int(self.y * picture.height), picture.height - 1)
        right = max(round((self.x + self.width) * picture.width), left + 1)
        lower = max(round((self.y + self.height) * picture.height), upper + 1)
        return picture.crop((left, upper, min(right, picture.width), min(lower, picture.height)))

    def within(self, outer: "Rect") -> "Rect":
        """This part of `outer`, in fractions of what `outer` is in."""
        return Rect(
            outer.x + self.x * outer.width,
            outer.y + self.y * outer.height,
            self.width * outer.width,
            self.height * outer.height,
        )

    def shared(self, other: "Rect") -> float:
        """The part of this place, 0 to 1, that the other covers."""
        width = min(self.x + self.width, other.x + other.width) - max(self.x, other.x)
        height = min(self.y + self.height, other.y + other.height) - max(self.y, other.y)
        return max(width, 0) * max(height, 0) / (self.width * self.height)


class Better(NamedTuple):
    """Another place, and the contrast there."""

    place: Rect
    ratio: float  # WCAG's, of all but the worst pixels


def better_places(picture: Image.Image, place: Rect, text: str, most: int = 3) -> list[Better]:
    """Up to `most` places as large as `place` in which `text` has more contrast, the best first.

    They are found in a small copy, and measured in the picture itself.
    """
    now = worst_ratio(place.of(picture), text)
    measured = [Better(each, worst_ratio(each.of(picture), text)) for each in _candidates(picture, place, text)]
    found: list[Better] = []
    for each in sorted(measured, key=lambda better: -better.ratio):
        apart = all(each.place.shared(other) <= OVERLAP for other in (place, *(one.place for one in found)))
        if apart and each.ratio > now and len(found) < most:
            found.append(each)
    return found


def _candidates(picture: Image.Image, place: Rect, text: str) -> list[Rect]:
    """The most promising places, apart from each other, by the small copy."""
    scale = min(SEARCHED / max(picture.size), 1)
    size = (max(round(picture.width * scale), 1), max(round(picture.height * scale), 1))
    small = picture.convert("RGB").resize(size, Image.Resampling.NEAREST)
    ratios = ratio(light_of(small), light_of(Image.new("RGB", (1, 1), text))[0, 0])
    height = min(max(round(place.height * small.height), 1), small.height)
    width = min(max(round(place.width * small.width), 1), small.width)
    down, across = (max((side - part) // STEPS, 1) for side, part in zip(ratios.shape, (height, width), strict=True))
    windows = sliding_window_view(ratios, (height, width))[::down, ::across]
    thin = windows[..., :: max(height // 16, 1), :: max(width // 16, 1)]
    flat = thin.reshape(*thin.shape[:2], -1)
    worst = np.quantile(flat, WORST, axis=-1)
    # Of places that are as good, the one with the least of something else at its edges.
    order = np.lexsort((-flat.mean(axis=-1).ravel(), -worst.ravel().round(1)))
    chosen: list[Rect] = []
    for index in order:
        row, column = divmod(int(index), worst.shape[1])
        x, y = column * across / small.width, row * down / small.height
        tried = place._replace(x=min(x, 1 - place.width), y=min(y, 1 - place.height))
        if all(tried.shared(other) <= OVERLAP for other in (place, *chosen)):
            chosen.append(tried)
        if len(chosen) == CANDIDATES:
            break
    return chosen
