"""How alike pictures of a set are laid out, by their self-attention: "attention-map similarity".

A picture's coarse self-attention map has a row for each of 8 x 8 cells: the fractions of its attention that it gives to
each cell (`app.style_aligned.maps.LayoutRecorder`). The similarity of two pictures is the fraction of attention that
both send to the same places,

    mean over rows of  sum over cells of  min(a, b)          = 1 - the mean total variation distance of the rows

0 to 1, and 1 for equal maps. Attention is mostly local, so unrelated pictures are far from 0 too.
"""

import io
from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Layout = NDArray[np.float64]  # (cells, cells), rows sum to 1 or are 0


def layout(png: bytes) -> Layout:
    """The map that an engine's PNG holds: grey, the square root of its values."""
    with Image.open(io.BytesIO(png)) as opened:
        values = (np.asarray(opened.convert("L"), float) / 255) ** 2
    total = values.sum(1, keepdims=True)
    return np.divide(values, total, out=np.zeros_like(values), where=total > 0)


def overlap(first: Layout, second: Layout) -> float:
    """How alike two pictures are laid out, 0 to 1."""
    seen = (first.sum(1) > 0) & (second.sum(1) > 0)  # small pictures leave cells empty
    return float(np.minimum(first, second).sum(1)[seen].mean()) if seen.any() else 0.0


def alike(pngs: Sequence[bytes]) -> float | None:
    """The mean `overlap` of all pairs of a set; None with fewer than two pictures."""
    pairs = [overlap(*pair) for pair in combinations(map(layout, pngs), 2)]
    return sum(pairs) / len(pairs) if pairs else None
