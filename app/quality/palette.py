"""The palette of a picture: its few main colours in OKLab, with their shares.

Lloyd's k-means (1982) over the picture's colours, each weighted by how often it occurs. It begins with the colours that
are most and furthest from those chosen before, not with random ones, so the same picture always has the same palette.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from app.quality.colour import Floats, light_of, light_of_oklab, oklab_of, picture_of

MOST, LEAST = 8, 5  # colours; a picture that has fewer has a shorter palette
SIDE = 96  # px: colours are counted in a copy of this size
ALIKE = 0.06  # OKLab: nearer colours become one, while there are more than LEAST
SAME = 0.02  # OKLab: nearer colours become one in any case; this is just visible on large areas
ROUNDS = 12


class Swatch(NamedTuple):
    """One colour of a palette, in OKLab, and its share of the picture, 0 to 1."""

    lightness: float
    a: float
    b: float
    share: float

    @property
    def hex(self) -> str:
        """The colour as in CSS, such as "#1f6feb"; one that a screen cannot show is clipped."""
        red, green, blue = np.asarray(picture_of(light_of_oklab(np.array([[self[:3]]]))))[0, 0]
        return f"#{red:02x}{green:02x}{blue:02x}"


Palette = tuple[Swatch, ...]  # the largest share first


def palette(picture: Image.Image) -> Palette:
    """The palette of a picture of any size: 5 to 8 colours, or fewer if it has fewer."""
    small = picture.convert("RGB")
    if max(small.size) > SIDE:
        small = small.resize((SIDE, SIDE), Image.Resampling.BOX)
    return palette_of(oklab_of(light_of(small)).reshape(-1, 3))


def palette_of(colours: Floats) -> Palette:
    """The palette of colours (N, 3) in OKLab, each counted once."""
    cells = np.round(colours / 0.01).astype(np.int64) @ np.array([1, 1000, 1_000_000])
    _, inverse, counts = np.unique(cells, return_inverse=True, return_counts=True)
    sums = np.stack([np.bincount(inverse, colours[:, channel]) for channel in range(3)], axis=1)
    points, weights = sums / counts[:, None], counts / counts.sum()
    centres = _first(points, weights)
    for _ in range(ROUNDS):
        nearest = _distances(points, centres).argmin(axis=1)
        moved = np.array([_mean(points, weights, nearest == index, centre) for index, centre in enumerate(centres)])
        if np.allclose(moved, centres, atol=1e-4):
            break
        centres = moved
    nearest = _distances(points, centres).argmin(axis=1)
    shares = np.bincount(nearest, weights, len(centres))
    merged = _merged([(centre, share) for centre, share in zip(centres, shares, strict=True) if share > 0])
    swatches = (Swatch(*(round(float(part), 4) for part in (*centre, share))) for centre, share in merged)
    return tuple(sorted(swatches, key=lambda swatch: (-swatch.share, swatch)))


def _first(points: Floats, weights: Floats) -> Floats:
    """Up to MOST of the points: the commonest, then always the one with the most weight times squared distance."""
    chosen = [int(weights.argmax())]
    apart = ((points - points[chosen[0]]) ** 2).sum(axis=1)
    while len(chosen) < MOST and apart.max() > SAME**2:
        chosen.append(int((weights * apart).argmax()))
        apart = np.minimum(apart, ((points - points[chosen[-1]]) ** 2).sum(axis=1))
    return points[chosen]


def _distances(points: Floats, centres: Floats) -> Floats:
    apart: Floats = ((points[:, None] - centres[None]) ** 2).sum(axis=-1)
    return apart


def _mean(points: Floats, weights: Floats, chosen: np.ndarray, otherwise: Floats) -> Floats:
    """The weighted mean of the chosen points."""
    weight = weights[chosen]
    return (points[chosen] * weight[:, None]).sum(axis=0) / weight.sum() if weight.sum() > 0 else otherwise


def _merged(found: Sequence[tuple[Floats, float]]) -> list[tuple[Floats, float]]:
    """The colours with those that are nearest to each other made one, as ALIKE and SAME say."""
    left = [(centre, float(share)) for centre, share in found]
    while len(left) > 1:
        centres = np.array([centre for centre, _ in left])
        apart = _distances(centres, centres) + np.eye(len(left)) * 9
        first, second = divmod(int(apart.argmin()), len(left))
        if apart.min() >= (ALIKE if len(left) > LEAST else SAME) ** 2:
            break
        (one, part), (other, more) = left[first], left[second]
        joined = ((one * part + other * more) / (part + more), part + more)
        left = [each for index, each in enumerate(left) if index not in (first, second)] + [joined]
    return left
