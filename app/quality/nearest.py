"""How far each picture of a set is from the most similar other one, at a glance: of all of them, in sets of thousands.

Two glances are as far apart as their colours are on average, place by place. The means of blocks of places are never
further apart than the places themselves are on average (the triangle inequality), and a sixteenth of the numbers. So
others are looked at in the order of their blocks, a few at a time, until no block can beat what was found.
"""

import numpy as np
from numpy.typing import NDArray

from app.quality.colour import Floats

BLOCK = 4  # places along each side of a block
FEW = 16  # glances that are compared at once
PRECISION = 1e-5  # of distances: a hundredth of what glances are kept with


def nearest(glances: Floats) -> Floats:
    """For glances (n, g, g, 3) in OKLab, with n of at least 2: the distance (n,) of each to the nearest other one."""
    places = glances.astype(np.float32)
    blocks = _blocks(places)
    return np.array([_nearest(places, blocks, own) for own in range(len(places))])


def _nearest(places: NDArray[np.float32], blocks: NDArray[np.float32], own: int) -> float:
    least = np.linalg.norm(blocks - blocks[own], axis=-1).mean(axis=1)  # that each can be away
    least[own] = np.inf
    found = np.inf
    some = np.argpartition(least, min(FEW, len(least) - 1))[:FEW]
    left = np.ones(len(least), dtype=bool)
    while len(some):
        apart = np.linalg.norm(places[some] - places[own], axis=-1).mean(axis=(1, 2))
        found = min(found, float(apart[some != own].min(initial=np.inf)))
        left[some] = False
        rest = np.flatnonzero(left & (least < found - PRECISION))
        some = rest[np.argsort(least[rest])[:FEW]]
    return found


def _blocks(places: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean colours (n, b * b, 3) of blocks."""
    number, side = places.shape[:2]
    across = side // BLOCK
    parts = places.reshape(number, across, BLOCK, across, BLOCK, 3).mean(axis=(2, 4))
    return np.asarray(parts.reshape(number, -1, 3))
