"""How far apart the hues of two pictures are, as an angle.

A picture's hues are a distribution over the circle of OKLab's hue angle, in which a pixel counts by its chroma: grey
has no hue. Two of them are compared by the earth mover's distance on the circle (Rabin, Delon and Gousseau,
"Transportation distances on the circle", JMIV 2011), so a picture of one colour, turned by 31 degrees, is 31 away.
"""

import numpy as np

from app.quality.colour import Floats

BINS = 72  # of 5 degrees
FAINT = 0.02  # OKLab chroma: what a white ground has from compression counts for nothing
LEAST = 0.002  # mean chroma above FAINT: with less, a picture is grey and its hue is not known


def hues(lab: Floats) -> Floats | None:
    """The distribution (BINS,) of the hues of OKLab colours (..., 3), with sum 1; None if they are grey."""
    a, b = lab[..., 1].ravel(), lab[..., 2].ravel()
    weight = np.maximum(np.hypot(a, b) - FAINT, 0)
    if weight.mean() < LEAST:
        return None
    place = np.arctan2(b, a) / (2 * np.pi) * BINS % BINS
    below = np.floor(place).astype(np.intp)
    above = place - below  # each hue is shared between the two bins next to it
    counts = np.bincount(below % BINS, weight * (1 - above), BINS)
    counts = counts + np.bincount((below + 1) % BINS, weight * above, BINS)
    return counts / counts.sum()


def hue_distances(hue: Floats, others: Floats) -> Floats:
    """The distances (N,) in degrees, 0 to 180, of a distribution (BINS,) from others (N, BINS)."""
    lead = np.cumsum(others - hue, axis=-1)
    apart: Floats = np.abs(lead - np.median(lead, axis=-1, keepdims=True)).sum(axis=-1) * 360 / BINS
    return apart
