"""The main subject of a picture, from a mask of it: found, whole, one or several, how large and where.

The mask is what attended to the subject's words as the picture was made (app/style_aligned/maps.py). For a reference,
which has none, `guessed` finds a subject that stands on a plain ground.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.quality.colour import Floats, oklab
from app.quality.palette import palette_of

SIDE = 64  # px: the longer side at which masks are looked at
WHITE = 0.5  # of a mask: lighter is subject
PART = 0.01  # of the picture: smaller parts of a mask are specks
OTHER = 0.25  # of the largest part: one at least as large is another subject
RING = 2  # px around a picture that are taken for its ground
APART = 0.08  # OKLab: as far from all colours of the ground, something is not ground
PLAIN = 0.85  # of the ring: as much must be ground for a guess
MOST = 0.85  # of a picture that a guessed subject may cover

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class MainSubject:
    """A main subject, in fractions of the picture's sides, 0 to 1."""

    found: float  # the share of the mask that is in parts large enough to be something; 0: nothing was found
    cut: float  # the share of the outline that is on the border of the picture
    count: int  # parts at least OTHER as large as the largest
    size: float  # of the picture's area
    x: float  # its middle
    y: float
    left: float
    top: float
    right: float
    bottom: float


NOTHING = MainSubject(0, 0, 0, 0, 0.5, 0.5, 0, 0, 0, 0)


def subject_of(mask: Image.Image) -> MainSubject:
    """The subject of a grey mask of any size, in which it is white."""
    white = _white(mask)
    height, width = white.shape
    parts, labels, stats, _ = cv2.connectedComponentsWithStats(white.astype(np.uint8), connectivity=8)
    areas = stats[1:, cv2.CC_STAT_AREA] / white.size
    large = [index + 1 for index in range(parts - 1) if areas[index] >= PART]
    if not large:
        return NOTHING
    most = max(areas[index - 1] for index in large)
    shown = np.isin(labels, [index for index in large if areas[index - 1] >= OTHER * most])
    rows, columns = np.nonzero(shown)
    return MainSubject(
        found=round(float(np.isin(labels, large).sum() / white.sum()), 4),
        cut=round(_on_border(shown), 4),
        count=sum(bool(areas[index - 1] >= OTHER * most) for index in large),
        size=round(float(shown.mean()), 4),
        x=round(float((columns.mean() + 0.5) / width), 4),
        y=round(float((rows.mean() + 0.5) / height), 4),
        left=round(float(columns.min() / width), 4),
        top=round(float(rows.min() / height), 4),
        right=round(float((columns.max() + 1) / width), 4),
        bottom=round(float((rows.max() + 1) / height), 4),
    )


def _white(mask: Image.Image) -> Mask:
    scale = SIDE / max(mask.size)
    size = (max(round(mask.width * scale), 1), max(round(mask.height * scale), 1))
    grey = mask.convert("L").resize(size, Image.Resampling.BILINEAR)
    return np.asarray(grey) > WHITE * 255


def _on_border(shown: Mask) -> float:
    """The share of the outline, in sides of pixels, that is on the border."""
    border = sum(int(edge.sum()) for edge in (shown[0], shown[-1], shown[:, 0], shown[:, -1]))
    inside = int((shown[1:] != shown[:-1]).sum() + (shown[:, 1:] != shown[:, :-1]).sum())
    return border / (border + inside)


def guessed(picture: Image.Image) -> Image.Image | None:
    """A mask of what stands on the plain ground of a picture; None if there is no such ground, or nothing on it.

    The ground has the colours along the border; what is far from all of them, with what it encloses, is the subject.
    """
    scale = SIDE / max(picture.size)
    size = (max(round(picture.width * scale), 8), max(round(picture.height * scale), 8))
    lab = oklab(picture.convert("RGB").resize(size, Image.Resampling.BOX))
    ring = np.ones(lab.shape[:2], dtype=bool)
    ring[RING:-RING, RING:-RING] = False
    ground = np.array([swatch[:3] for swatch in palette_of(lab[ring]) if swatch.share >= 0.05])
    if not len(ground):
        return None
    apart = np.linalg.norm(lab[:, :, None] - ground, axis=-1).min(axis=-1)
    other = _solid(apart > APART)
    if other[ring].mean() > 1 - PLAIN or not PART <= other.mean() <= MOST:
        return None
    return Image.fromarray(other.astype(np.uint8) * 255)


def _solid(mask: Mask) -> Mask:
    """The mask without specks, and with what its parts enclose."""
    closed = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(closed, connectivity=8)
    large = np.flatnonzero(stats[1:, cv2.CC_STAT_AREA] >= PART * mask.size) + 1
    outlines, _ = cv2.findContours(np.isin(labels, large).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = cv2.drawContours(np.zeros(mask.shape, np.uint8), outlines, -1, 1, cv2.FILLED)
    return np.asarray(filled, dtype=bool)


def box_around(subject: MainSubject, picture: Image.Image, margin: float = 0.06) -> tuple[int, int, int, int]:
    """The box of a subject in px (left, top, right, bottom), with a margin of the picture's sides."""
    left, right = ((subject.left - margin) * picture.width, (subject.right + margin) * picture.width)
    top, bottom = ((subject.top - margin) * picture.height, (subject.bottom + margin) * picture.height)
    return (
        max(int(left), 0),
        max(int(top), 0),
        min(max(round(right), int(left) + 1), picture.width),
        min(max(round(bottom), int(top) + 1), picture.height),
    )


def shares_of(mask: Image.Image, rows: int, columns: int) -> Floats:
    """How much of each part (rows, columns) of a picture its mask covers, 0 to 1."""
    small = mask.convert("L").resize((columns, rows), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.float64) / 255
