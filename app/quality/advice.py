"""What could make a picture a poor reference: seen by its pixels alone, in well under a second.

Each judgement is a guess that may be wrong: it is told with what to choose instead, and refuses nothing. How often each
is wrong on drawings that are good references is in docs/measures.md. Faces are not looked for: no library of ours ships
a model that finds them.
"""

from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.quality.colour import Floats, oklab
from app.quality.defects import blank
from app.quality.look import Look

NATIVE = 1024  # px: compression and enlargement are looked for in the middle, of this side, of the picture as it is
SEEN = 512  # px: the longer side at which all else is looked for
ENOUGH = 0.75  # of the model's training side: a picture whose shorter side is smaller is too small
PLAIN = 0.97  # of a picture in one colour


class Concern(StrEnum):
    """What is wrong with a reference, in the order of pages."""

    SMALL = "small"
    FLAT = "flat"
    ENLARGED = "enlarged"
    BLOCKS = "blocks"
    BORDER = "border"
    LOOKS = "looks"
    TEXT = "text"


class Judgement(NamedTuple):
    """A judgement, and how much of it there is; what the number means depends on the concern."""

    concern: Concern
    amount: float


def advice(picture: Image.Image, side: int) -> list[Judgement]:
    """What is wrong with a picture of any size as a reference, for a model that was trained at `side` px.

    The amounts: the shorter side in px (SMALL), the share of one colour (FLAT), how many times it was enlarged
    (ENLARGED), the strength of the blocks (BLOCKS), the share of the border (BORDER), how far apart its parts look
    (LOOKS), and the number of letters (TEXT).
    """
    picture = picture.convert("RGB")
    small = picture.copy()
    small.thumbnail((SEEN, SEEN), Image.Resampling.BOX)
    found = []
    if min(picture.size) < ENOUGH * side:
        found.append(Judgement(Concern.SMALL, min(picture.size)))
    share = blank(oklab(small.resize((128, 128), Image.Resampling.BOX)))
    if share >= PLAIN:
        return [*found, Judgement(Concern.FLAT, share)]  # there is nothing else to see
    native = _grey(_middle(picture))
    judged: dict[Concern, Callable[[], float]] = {
        Concern.ENLARGED: lambda: enlarged(native),
        Concern.BLOCKS: lambda: blocks(native),
        Concern.BORDER: lambda: border(small),
        Concern.LOOKS: lambda: several_looks(small),
        Concern.TEXT: lambda: letters(small),
    }
    return [*found, *(Judgement(concern, amount) for concern, judge in judged.items() if (amount := judge()))]


def _middle(picture: Image.Image) -> Image.Image:
    width, height = (min(side, NATIVE) for side in picture.size)
    left, top = (picture.width - width) // 2 // 8 * 8, (picture.height - height) // 2 // 8 * 8
    return picture.crop((left, top, left + width, top + height))


def _grey(picture: Image.Image) -> Floats:
    return np.asarray(picture.convert("L"), dtype=np.float64)


SHARPEST = 0.999  # of the pixels have weaker edges
LOST = 0.055  # of the strongest edge: as little is lost by scaling down if the picture was scaled up


def enlarged(grey: Floats) -> float:
    """How many times a picture (H, W), 0 to 255, was enlarged: 0 (it was not), 2, 3 or 4.

    One that was enlarged loses nothing when it is made smaller and enlarged again, not even at its sharpest edges.
    """
    edges = np.hypot(np.diff(grey, axis=0)[:, :-1], np.diff(grey, axis=1)[:-1])
    if edges.max(initial=0) < 4 or min(grey.shape) < 64:
        return 0
    times = 0
    for factor in (2, 3, 4):
        height, width = (side // factor * factor for side in grey.shape)
        own = grey[:height, :width].astype(np.float32)
        small = cv2.resize(own, (width // factor, height // factor), interpolation=cv2.INTER_AREA)
        lost = np.abs(own - cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC))
        contrast = cv2.morphologyEx(own, cv2.MORPH_GRADIENT, np.ones((9, 9), np.uint8))
        if np.quantile(lost, SHARPEST) > LOST * np.quantile(contrast, SHARPEST):
            break
        times = factor
    return float(times)


FAINT_STEP = 10.0  # levels of 255: a larger step is an edge of the picture
BLOCKY = 1.6  # times as many faint steps at the edges of blocks as elsewhere
BLOCK = 8  # px, of JPEG
PERIODS = 4  # each fourth edge of a block is looked at alone
EVERY = 1.25  # times as strong as elsewhere each of them must be
LEAST_STEP = 0.3  # levels of 255, in the mean: weaker ones nobody sees


def blocks(grey: Floats) -> float:
    """How much stronger faint steps are every 8 px than elsewhere; 0 unless they are clearly, in both directions.

    As in Wang, Sheikh and Bovik, "No-reference perceptual quality assessment of JPEG compressed images", ICIP 2002.
    """
    if min(grey.shape) < 2 * PERIODS * BLOCK:
        return 0
    strengths = []
    for field in (grey, grey.T):
        steps = np.abs(np.diff(field, axis=1))
        around = np.abs(np.diff(field, n=3, axis=1))  # a step, less how the picture changes on both of its sides
        faint = np.where(steps[:, 1:-1] < FAINT_STEP, around, 0)
        columns = faint.mean(axis=0)
        means = np.array([columns[phase::BLOCK].mean() for phase in range(BLOCK)])
        best = int(means.argmax())
        others = np.delete(means, [best, (best + 1) % BLOCK, (best - 1) % BLOCK]).mean()
        # A drawing's own cells are seldom of 8 px: then only every second or fourth of these columns is stronger.
        every = min(columns[best + skip * BLOCK :: PERIODS * BLOCK].mean() for skip in range(PERIODS))
        if every < EVERY * others or means[best] < LEAST_STEP:
            return 0
        strengths.append(means[best] / max(others, 0.02))
    return round(float(min(strengths)), 2) if min(strengths) >= BLOCKY else 0


FRAME = 0.03  # OKLab: as near to the colour of the border is border
STRAIGHT = 0.85  # of an edge of the picture within must differ from the border
THICK = 0.015  # of the sides: a thinner border is none


def border(picture: Image.Image) -> float:
    """The share of a picture that is a plain border around a rectangle, or bars at two opposite sides; 0 if none.

    A subject on a plain ground is not one: the first row in which there is something else has it along all its length.
    """
    lab = oklab(picture)
    height, width = lab.shape[:2]
    corners = np.array([lab[0, 0], lab[0, -1], lab[-1, 0], lab[-1, -1]])
    if np.linalg.norm(corners - corners.mean(axis=0), axis=1).max() > FRAME:
        return 0
    other = np.linalg.norm(lab - corners.mean(axis=0), axis=-1) > FRAME
    rows, columns = np.flatnonzero(other.mean(axis=1) > 0.02), np.flatnonzero(other.mean(axis=0) > 0.02)
    if not len(rows) or not len(columns):
        return 0
    top, bottom, left, right = rows[0], rows[-1], columns[0], columns[-1]
    inner = other[top : bottom + 1, left : right + 1]
    deep = max(2, min(height, width) // 100)  # an edge may be soft
    edges = (
        inner[:deep].any(axis=0),
        inner[-deep:].any(axis=0),
        inner[:, :deep].any(axis=1),
        inner[:, -deep:].any(axis=1),
    )
    straight = [edge.mean() >= STRAIGHT for edge in edges]
    thick = [top >= THICK * height, height - 1 - bottom >= THICK * height]
    thick += [left >= THICK * width, width - 1 - right >= THICK * width]
    if not all(straight) or not (all(thick[:2]) or all(thick[2:])):
        return 0
    return round(1 - inner.size / other.size, 3)


SPLIT = 0.7  # of a straight line between two looks is an edge
DIFFERENT = 0.15  # distance of two looks (app/quality/look.py)
LEAST_PART = 0.2  # of the sides


def several_looks(picture: Image.Image) -> float:
    """How far apart the two sides of a straight cut through the whole picture look; 0 if there is no such cut.

    That is how collages and contact sheets are made; looks that blend into each other are not seen.
    """
    lab = oklab(picture)
    most = 0.0
    for turned in (lab, lab.transpose(1, 0, 2)):
        steps = np.linalg.norm(np.diff(turned, axis=1), axis=-1) > FRAME
        along = (steps[:, :-1] | steps[:, 1:]).mean(axis=0)  # a soft cut has two columns
        width = turned.shape[1]
        places = [place for place in np.argsort(-along)[:8] if along[place] >= SPLIT]
        for place in places:
            if LEAST_PART * width <= place <= (1 - LEAST_PART) * width:
                parts = [picture, picture.transpose(Image.Transpose.TRANSPOSE)][turned is not lab]
                sides = parts.crop((0, 0, int(place), parts.height)), parts.crop((int(place) + 2, 0, *parts.size))
                most = max(most, Look.of(sides[0]).distance(Look.of(sides[1])))
    return round(most, 3) if most >= DIFFERENT else 0


LETTERS = 5  # in a row
MOST_SHAPES = 3000  # of a picture; more are a texture
THICKEST = 0.42  # of a letter's height, its strokes
LEAST_HEIGHT, MOST_HEIGHT = 7, 90  # px of SEEN, of a letter


class _Letter(NamedTuple):
    x: int
    y: int
    width: int
    height: int
    fill: float  # of its box


def letters(picture: Image.Image) -> float:
    """How many letters stand in rows of at least LETTERS of about the same height; 0 if there is no such row."""
    grey = np.asarray(picture.convert("L"))
    most = 0
    for ink in (grey, 255 - grey):
        near = cv2.adaptiveThreshold(ink, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY_INV, 41, 18)
        rows = _rows(sorted(_shapes(np.asarray(near, dtype=np.uint8))))
        most = max(most, sum(len(row) for row in rows))
    return float(most)


def _shapes(mask: NDArray[np.uint8]) -> Iterator[_Letter]:
    """Parts of a mask that could be letters."""
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    inside = np.asarray(cv2.distanceTransform(mask, cv2.DIST_L2, 3))
    for x, y, width, height, area in stats[1:].tolist():
        if LEAST_HEIGHT <= height <= MOST_HEIGHT and 0.12 <= width / height <= 1.8:
            fill = area / (width * height)
            thick = 2 * float(inside[y : y + height, x : x + width].max()) / height
            if 0.2 <= fill <= 0.95 and thick <= THICKEST:
                yield _Letter(x, y, width, height, fill)


def _rows(shapes: list[_Letter]) -> list[list[_Letter]]:
    """Rows of at least LETTERS shapes, of one baseline and of two heights at most, as in small and capital letters.

    `shapes` are in the order of their left edges; of a texture with more than MOST_SHAPES there are none.
    """
    if len(shapes) > MOST_SHAPES:
        return []
    rows, taken = [], [False] * len(shapes)
    for first, shape in enumerate(shapes):
        if taken[first]:
            continue
        row = [shape]
        for index in range(first + 1, len(shapes)):
            each, last = shapes[index], row[-1]
            if each.x > last.x + last.width + 2 * MOST_HEIGHT:
                break
            if not taken[index] and _follows(each, last):
                row.append(each)
                taken[index] = True
        if len(row) >= LETTERS and _written(row):
            rows.append(row)
    return rows


def _follows(each: _Letter, last: _Letter) -> bool:
    """Whether a letter can stand next in a row."""
    gap, taller = each.x - (last.x + last.width), max(each.height, last.height)
    base = abs((each.y + each.height) - (last.y + last.height))
    return -2 <= gap <= 1.1 * taller and base <= 0.25 * taller and taller <= 1.7 * min(each.height, last.height)


def _written(row: list[_Letter]) -> bool:
    """Whether shapes differ as letters do: those of a pattern are all the same, or stand at even distances."""
    widths = np.array([each.width / each.height for each in row])
    fills = np.array([each.fill for each in row])
    gaps = np.array([after.x - before.x - before.width for before, after in pairwise(row)])
    heights = np.array([each.height for each in row])
    if heights.std() > 0.3 * heights.mean() or gaps.std() > 0.35 * heights.mean():
        return False
    return bool(widths.std() > 0.08 and fills.std() > 0.04)


GLANCE = 16  # px: what is left of a picture in which near-duplicates are looked for
SAME = 0.015  # OKLab, in the mean: pictures that differ by less are nearly the same


def glance(picture: Image.Image) -> Floats:
    """A picture reduced to GLANCE x GLANCE colours in OKLab."""
    return oklab(picture.convert("RGB").resize((GLANCE, GLANCE), Image.Resampling.BOX))


def nearest(own: Floats, others: Sequence[Floats]) -> int | None:
    """The place of the glance that is most like `own`, if it is nearly the same picture."""
    apart = np.linalg.norm(np.stack(others) - own, axis=-1).mean(axis=(1, 2)) if others else np.array([SAME])
    best = int(apart.argmin())
    return best if apart[best] < SAME else None
