"""Measure how alike two pictures look: their colours in OKLab and their texture, never their content.

Both parts compare distributions over the whole picture, so an object can move, turn or be a different one. Lower is
more alike; 0 is identical. Sources: distances between distributions as in sliced optimal transport (Rabin et al. 2011);
texture by the energies of a Laplacian pyramid (Burt and Adelson 1983; Heeger and Bergen 1995).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from PIL import Image

from app.quality.colour import Floats, oklab

SIDE = 128  # px: pictures are compared at this size, so that a larger one does not seem finer just by its size
QUANTILES = 64
DIRECTIONS = 24  # along which the colour distribution is sampled, in OKLab
BANDS = 5  # of the Laplacian pyramid, an octave each


@dataclass(frozen=True)
class Look:
    """The features of a picture that are compared."""

    colour: Floats  # (DIRECTIONS, QUANTILES): quantiles of the colours along each direction
    texture: Floats  # (BANDS * 3,): log energies, fine to coarse, of L, a and b

    @classmethod
    def of(cls, picture: Image.Image) -> "Look":
        """Measure a picture of any size."""
        lab = oklab(picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS))
        levels = (np.arange(QUANTILES) + 0.5) / QUANTILES
        colour = np.quantile(lab.reshape(-1, 3) @ _directions().T, levels, axis=0).T
        return cls(colour, _texture(lab))

    def distance(self, other: "Look") -> float:
        """How far apart two looks are: 0 is identical, 1 about as far as black on white from white on black."""
        return self.colour_distance(other) + self.texture_distance(other)

    def colour_distance(self, other: "Look") -> float:
        """Mean sliced Wasserstein distance of the colours, in OKLab units (0.02 is just visible on large areas)."""
        return float(np.abs(self.colour - other.colour).mean())

    def texture_distance(self, other: "Look") -> float:
        """Mean difference of the log energies, where a tenfold energy counts as 1."""
        return float(np.abs(self.texture - other.texture).mean()) / 10


def disagreement(pictures: Sequence[Image.Image]) -> float:
    """The mean distance between all pairs of a set of pictures. Raises ValueError for fewer than two."""
    if len(pictures) < 2:
        raise ValueError(f"at least two pictures are needed; {len(pictures)} was given")
    looks = [Look.of(picture) for picture in pictures]
    return float(np.mean([a.distance(b) for a, b in combinations(looks, 2)]))


def _directions() -> Floats:
    """Unit vectors (DIRECTIONS, 3), evenly spread over the half sphere (a Fibonacci lattice)."""
    i = np.arange(DIRECTIONS) + 0.5
    height = i / DIRECTIONS
    angle = np.pi * (1 + 5**0.5) * i
    ring = np.sqrt(1 - height**2)
    return np.stack([height, ring * np.cos(angle), ring * np.sin(angle)], axis=1)


def _texture(lab: Floats) -> Floats:
    """Log10 energy of each band of each channel. The constant stands for invisible noise."""
    energies = []
    for _ in range(BANDS):
        coarse = _halve(lab)
        fine = lab - coarse.repeat(2, 0).repeat(2, 1)
        energies.append(np.log10((fine**2).mean((0, 1)) + 1e-5))
        lab = coarse
    return np.concatenate(energies)


def _halve(x: Floats) -> Floats:
    height, width, channels = x.shape
    return x.reshape(height // 2, 2, width // 2, 2, channels).mean((1, 3))
