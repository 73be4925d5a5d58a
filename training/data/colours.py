"""Tell which of the vocabulary's colours the object in a picture has, from its pixels alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.data.vocabulary import HUES

DIFFERENT = 40  # of 255: a pixel of the object differs by at least this from the ground in some channel

_NAMES = tuple(HUES)


def colour_of(picture: NDArray[np.uint8]) -> str:
    """The colour of the object in ``(S, S, 3)``: the one nearest to the hue of most of its saturation.

    The ground is the median colour of the picture's rim; inner pixels that differ from it belong to the object.
    """
    rim = max(1, len(picture) // 16)
    inner = np.zeros(picture.shape[:2], bool)
    inner[rim:-rim, rim:-rim] = True
    ground = np.median(picture[~inner], axis=0)
    is_object = (np.abs(picture - ground).max(-1) > DIFFERENT) & inner
    hue, saturation, value = np.moveaxis(np.asarray(Image.fromarray(picture).convert("HSV"), np.float32) / 255, -1, 0)
    weight = (saturation * value * is_object).ravel()
    # Hues form a circle: red is as close to pink as to orange.
    apart = np.abs(hue.ravel()[:, None] - np.array(list(HUES.values())))
    nearest = np.minimum(apart, 1 - apart).argmin(1)
    return _NAMES[int(np.bincount(nearest, weight, len(_NAMES)).argmax())]
