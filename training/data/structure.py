"""Structure maps that the ControlNets learn from: edges and silhouette, from the bare object before a look is drawn.

The product makes its maps from finished pictures, with other means (`app.structures.maps`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

KINDS = ("edges", "silhouette")


def edges(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """White lines on black ``(S, S)`` from RGB ``(S, S, 3)``, both uint8: the steepest slope of any channel."""
    unit = picture.shape[0] / 128
    smooth = ndimage.gaussian_filter(picture.astype(np.float32) / 255, (0.8 * unit, 0.8 * unit, 0))
    slope = np.hypot(ndimage.sobel(smooth, 0), ndimage.sobel(smooth, 1)).max(-1)
    # Relative to the strongest edges: a pale sketch and a poster then give equally clear maps.
    strong = max(float(np.percentile(slope, 98)), 0.1)
    return np.asarray(np.clip(slope / strong, 0, 1) * 255, np.uint8)


def silhouette(alpha: NDArray[np.float32]) -> NDArray[np.uint8]:
    """White shape on black, uint8 ``(S, S)``, from coverage ``(S, S, 1)`` in 0..1."""
    return np.asarray(np.clip(alpha[..., 0], 0, 1) * 255, np.uint8)
