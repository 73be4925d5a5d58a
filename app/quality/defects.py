"""What can go wrong in a picture whatever its look: it is blank, clipped, noise, or has a seam.

A PNG holds whole numbers, so a picture file is never "not finite": app/style_aligned/finite.py stops such a run before
there is a file. Near-duplicates are found by `Glance` in features.py.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.quality.colour import Floats, oklab

COMMON = 0.03  # OKLab: this near to the commonest colour is of that colour
LARGEST = 1024  # px: noise of larger pictures is looked for in a smaller copy
OCTAVES = 5  # of noise, the finest first
ROWS = 64  # into which the height is averaged before a seam is looked for
AROUND = 12  # columns on each side that a seam is compared with
BLACK, WHITE = 2, 253  # of 255: as far as the ends that differ by nothing one could see


def blank(lab: Floats) -> float:
    """The share, 0 to 1, of OKLab pixels (H, W, 3) that have the commonest colour."""
    colours = lab.reshape(-1, 3)
    cells = np.round(colours / COMMON).astype(np.int64) @ np.array([1, 1000, 1_000_000])
    _, inverse, counts = np.unique(cells, return_inverse=True, return_counts=True)
    common = np.median(colours[inverse == counts.argmax()], axis=0)
    return float((((colours - common) ** 2).sum(axis=1) < COMMON**2).mean())


def clipped(pixels: NDArray[np.uint8]) -> float:
    """The share, 0 to 1, of sRGB pixels (H, W, 3) that are pure black or pure white."""
    red, green, blue = np.moveaxis(pixels, -1, 0)
    brightest, dimmest = np.maximum(np.maximum(red, green), blue), np.minimum(np.minimum(red, green), blue)
    return float(((brightest <= BLACK) | (dimmest >= WHITE)).mean())


def noise(picture: Image.Image) -> dict[int, float]:
    """The strength of noise in levels of 255, by how many cells of it there are along the shorter side.

    Donoho and Johnstone (1994): the median of the diagonal differences of each octave (Haar wavelets), which edges
    hardly touch since they are few. Octaves are named by cells, so that pictures of different sizes can be compared.
    """
    side = 2 ** int(np.log2(max(min(*picture.size, LARGEST), 2)))
    grey = picture.convert("L")
    if grey.size != (side, side):
        grey = grey.resize((side, side), Image.Resampling.BOX)
    field = np.asarray(grey, dtype=np.float64)
    found = {}
    for _ in range(OCTAVES):
        if field.shape[0] < 16:
            break
        a, b, c, d = field[::2, ::2], field[::2, 1::2], field[1::2, ::2], field[1::2, 1::2]
        found[field.shape[0] // 2] = float(np.median(np.abs(a - b - c + d))) / 2 / 0.6745
        field = (a + b + c + d) / 4
    return found


def seam(picture: Image.Image, *, ends_meet: bool) -> float:
    """The strongest step in colour along a whole column, in OKLab, 0 to 1.

    It is how much more the two sides of a column differ, over half of its height at least, than their neighbours do:
    windows that do not fit leave one. `ends_meet`: the left end must also fit the right one. A tall picture without
    that is looked at row by row.
    """
    if picture.height > picture.width and not ends_meet:
        picture = picture.transpose(Image.Transpose.ROTATE_90)
    lab = oklab(picture.convert("RGB").resize((picture.width, ROWS), Image.Resampling.BOX))
    steps = np.linalg.norm(np.roll(lab, -1, axis=1) - lab, axis=-1)  # the last is from the right end to the left
    usual = np.median(steps, axis=0)
    width = len(usual)
    shifts = [shift for shift in range(-AROUND, AROUND + 1) if abs(shift) > 1]
    near = np.stack([usual[(np.arange(width) + shift) % width] for shift in shifts])
    excess = usual - np.quantile(near, 0.9, axis=0)
    return float(max((excess if ends_meet else excess[:-1]).max(initial=0), 0))
