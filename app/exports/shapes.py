"""Reshape a picture: crop it around what matters, or pad it with the colour of its border."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

DETAIL_SIDE = 160  # px, the longer side for measuring detail
WHOLE_PIXELS = 2**24  # a larger picture is pasted in strips
STRIP = 256  # rows
CENTRE = 0.15  # preference for the middle when nothing stands out, as a fraction of the mean detail

Fit = Literal["crop", "pad"]
Box = tuple[int, int, int, int]  # left, top, right, bottom in px


def fitted(picture: Image.Image, size: tuple[int, int], fit: Fit) -> Image.Image:
    """An RGB picture in exactly `size` (width, height in px), scaled with Lanczos."""
    if picture.size == size:
        return picture
    if fit == "crop":
        return picture.resize(size, Image.Resampling.LANCZOS, box=window(picture, size), reducing_gap=3.0)
    width, height = inner_size(picture.size, size)
    padded = Image.new("RGB", size, border_colour(picture))
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    if width * height <= WHOLE_PIXELS:
        padded.paste(picture.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3.0), (left, top))
        return padded
    for begin in range(0, height, STRIP):  # a second large copy would take as much memory again
        end = min(begin + STRIP, height)
        box = (0, begin * picture.height / height, picture.width, end * picture.height / height)
        padded.paste(picture.resize((width, end - begin), Image.Resampling.LANCZOS, box=box), (left, top + begin))
    return padded


def steps(original: tuple[int, int], size: tuple[int, int], fit: Fit) -> tuple[str, ...]:
    """What `fitted` does to a picture of `original` px, in order: "cropped", "resized", "padded"."""
    if original == size:
        return ()
    inner = window_size(original, size) if fit == "crop" else inner_size(original, size)
    found = {
        "cropped": fit == "crop" and inner != original,
        "resized": (inner != size) if fit == "crop" else (inner != original),
        "padded": fit == "pad" and inner != size,
    }
    return tuple(step for step, done in found.items() if done)


def inner_size(original: tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
    """The largest size within `size` that has the shape of `original`."""
    scale = min(size[0] / original[0], size[1] / original[1])
    return max(1, round(original[0] * scale)), max(1, round(original[1] * scale))


def window_size(original: tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
    """The largest size within `original` that has the shape of `size`."""
    (width, height), wanted = original, size[0] / size[1]
    if width / height > wanted:
        return max(1, round(height * wanted)), height
    return width, min(height, max(1, round(width / wanted)))


def window(picture: Image.Image, size: tuple[int, int]) -> Box:
    """The largest window with the shape of `size` and the most detail in it.

    The largest window of a shape can move along one side only, so the choice is the maximum of a moving sum of the
    detail along that side. If nothing stands out, it is the middle.
    """
    width, height = picture.size
    length, depth = window_size(picture.size, size)
    if length < width:
        left = _best_start(detail(picture).sum(axis=0), length, width)
        return left, 0, left + length, height
    top = _best_start(detail(picture).sum(axis=1), depth, height)
    return 0, top, width, top + depth


def detail(picture: Image.Image) -> NDArray[np.float32]:
    """Visual detail, (h, w) of a small copy: edges of all channels, and distance from the border's colour.

    Edges alone would find background textures; distance alone would find an empty sky of another colour.
    """
    small = picture.copy()
    small.thumbnail((DETAIL_SIDE, DETAIL_SIDE), Image.Resampling.BOX)
    values = np.asarray(small, np.float32) / 255  # h, w, 3
    down = np.abs(np.diff(values, axis=0, append=values[-1:])).sum(axis=2)
    along = np.abs(np.diff(values, axis=1, append=values[:, -1:])).sum(axis=2)
    ground = np.asarray(border_colour(small), np.float32) / 255
    apart = np.abs(values - ground).sum(axis=2)
    seen: NDArray[np.float32] = _scaled(down + along) + _scaled(apart)
    return seen


def border_colour(picture: Image.Image) -> tuple[int, int, int]:
    """The median colour of the outermost pixels, so that a motif touching the border does not tint it."""
    values = np.asarray(picture.convert("RGB"))
    border = np.concatenate([values[0], values[-1], values[:, 0], values[:, -1]])
    red, green, blue = (int(channel) for channel in np.median(border, axis=0))
    return red, green, blue


def _scaled(values: NDArray[np.float32]) -> NDArray[np.float32]:
    mean = float(values.mean())
    return values / mean if mean > 1e-4 else np.zeros_like(values)


def _best_start(along: NDArray[np.float32], length: int, whole: int) -> int:
    """Where, 0 to whole - length in px, a window of `length` px contains the most of `along`, which is coarser."""
    places = len(along)
    span = max(1, min(places, round(length * places / whole)))
    sums = np.convolve(along, np.ones(span, np.float32), "valid")
    middle = (len(sums) - 1) / 2
    off_centre = np.abs(np.arange(len(sums)) - middle) / max(middle, 1)
    lean = CENTRE * (float(along.mean()) or 1.0) * span * off_centre
    good = np.flatnonzero(np.isclose(sums - lean, (sums - lean).max(), rtol=1e-5))
    run = good[good - good[0] == np.arange(len(good))]  # neighbours that are equally good: take the middle
    share = float(run.mean()) / (len(sums) - 1) if len(sums) > 1 else 0.0
    return round(share * (whole - length))
