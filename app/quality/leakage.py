"""Whether the subject of a reference shows up in another picture, apart from the likeness of their looks.

As Only-Style does (Aravanis et al., arXiv 2506.09916), subjects are compared by their own parts of the pictures, not
the pictures as a whole: the reference's subject with the other's subject, and with every window of the other picture
that its own subject leaves free. Two pictures of one look are alike everywhere, also where they show nothing: half the
likeness of their grounds is taken off. On drawings, two subjects in one look then score no higher than in two looks
(docs/measures.md has the figures).
"""

from typing import NamedTuple

import numpy as np
from PIL import Image

from app.quality.colour import Vectors
from app.quality.embedder import Embedder
from app.quality.subject import box_around, shares_of, subject_of

WINDOW = 0.5  # of the picture's sides
STEPS = 3  # windows along each side
FREE = 0.25  # of a window may be covered by the picture's own subject
GROUND = 0.5  # of the likeness of grounds is taken off
LONGEST = 256  # numbers of a kept vector; longer ones are projected


class SubjectParts(NamedTuple):
    """Vectors of the parts of a picture that are compared, each of length 1."""

    subject: Vectors  # (D,)
    windows: Vectors  # (N, D), those that the subject leaves free
    ground: Vectors  # (D,)


def parts_of(picture: Image.Image, mask: Image.Image, embedder: Embedder) -> SubjectParts | None:
    """The parts of a picture with a grey mask of its subject (white), each of any size; None without a subject."""
    subject = subject_of(mask)
    if not subject.count:
        return None
    patches = embedder.patches(picture)
    ground = (patches * (1 - shares_of(mask, *patches.shape[:2]))[..., None]).sum(axis=(0, 1))
    covered = shares_of(mask, STEPS * 4, STEPS * 4)
    windows = []
    for row in range(STEPS):
        for column in range(STEPS):
            top, left = (place * (1 - WINDOW) / (STEPS - 1) for place in (row, column))
            own = covered[_cells(top), _cells(left)].mean()
            if own < FREE:
                windows.append(embedder.picture(picture.crop(_box(picture, left, top))))
    whole = embedder.picture(picture.crop(box_around(subject, picture)))
    return SubjectParts(
        _short(whole),
        np.stack([_short(each) for each in windows])
        if windows
        else np.empty((0, min(len(whole), LONGEST)), np.float32),
        _short(ground),
    )


def leakage(target: SubjectParts, reference: SubjectParts) -> float:
    """How much of the reference's subject shows up in the target, -1 to 1; about 0 if nothing does."""
    alike = max([target.subject @ reference.subject, *(target.windows @ reference.subject)])
    grounds = target.ground @ reference.ground
    return float(np.clip(alike - GROUND * grounds, -1, 1))


def _cells(start: float) -> slice:
    first = round(start * STEPS * 4)
    return slice(first, first + round(WINDOW * STEPS * 4))


def _box(picture: Image.Image, left: float, top: float) -> tuple[int, int, int, int]:
    """A window in px: left, top, right, bottom."""
    x, y = int(left * picture.width), int(top * picture.height)
    return x, y, x + max(int(picture.width * WINDOW), 1), y + max(int(picture.height * WINDOW), 1)


def _short(vector: Vectors) -> Vectors:
    """A vector of length 1 with at most LONGEST numbers.

    A random projection, always the same, keeps cosines within about 0.06 (Johnson and Lindenstrauss 1984).
    """
    if len(vector) > LONGEST:
        vector = np.random.default_rng(LONGEST).standard_normal((LONGEST, len(vector)), dtype=np.float32) @ vector
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-12), dtype=np.float32)
