"""What is measured of a finished picture: names, ranges and usual bounds. docs/measures.md defines each for people.

The names are stored and published (database, manifests, API): they never change. Their order is the order of pages.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Literal


class Measure(StrEnum):
    """One number of a picture. `*_reference` is a distance or likeness to the nearest reference of the style; `*_set`
    the mean over the other pictures of the set."""

    DINO_REFERENCE = "dino_reference"
    DINO_SET = "dino_set"
    CLIP_REFERENCE = "clip_reference"
    CLIP_SET = "clip_set"
    CSD_REFERENCE = "csd_reference"
    CSD_SET = "csd_set"
    HUE_REFERENCE = "hue_reference"
    HUE_SET = "hue_set"
    PALETTE_REFERENCE = "palette_reference"
    PALETTE_SET = "palette_set"
    CHROMA_REFERENCE = "chroma_reference"
    LIGHTNESS_REFERENCE = "lightness_reference"
    CONTRAST_REFERENCE = "contrast_reference"
    TEXTURE_REFERENCE = "texture_reference"
    TEXTURE_SET = "texture_set"
    STROKE_REFERENCE = "stroke_reference"
    TEXT_ALIGNMENT = "text_alignment"
    SUBJECT_FOUND = "subject_found"
    SUBJECT_CUT = "subject_cut"
    SUBJECT_COUNT = "subject_count"
    SUBJECT_SIZE = "subject_size"
    SUBJECT_X = "subject_x"
    SUBJECT_Y = "subject_y"
    LEAKAGE = "leakage"
    BLANK = "blank"
    CLIPPED = "clipped"
    NOISE = "noise"
    NEAREST = "nearest"
    SEAM = "seam"


def roles_of(measure: Measure) -> frozenset[str]:
    """The roles of models of which one has to take a measure (`app.quality.embedder.Role`); none: it takes no model."""
    if measure is Measure.LEAKAGE:
        return frozenset({"dino", "clip"})
    role = "clip" if measure is Measure.TEXT_ALIGNMENT else measure.partition("_")[0]
    return frozenset({role} & {"dino", "clip", "csd"})


def can_take(measure: Measure, roles: Collection[str]) -> bool:
    """Whether models of these roles can take it."""
    needed = roles_of(measure)
    return not needed or bool(needed & set(roles))


@dataclass(frozen=True)
class Definition:
    """How a measure is read."""

    unit: str  # "°", "%", or "" for a number without one
    low: float  # the least value that there can be
    high: float  # the largest
    worse: Literal["high", "low"] | None  # the end that is flagged; None: describes, and is never flagged by itself
    digits: int  # after the point, on pages
    usual: float | None  # the bound of a style before anyone sets one; None: not flagged

    def beyond(self, value: float, bound: float | None) -> bool:
        """Whether `value` is worse than `bound`. A measure that is not flagged is never."""
        if bound is None or self.worse is None:
            return False
        return value > bound if self.worse == "high" else value < bound


_LIKENESS = Definition("", -1, 1, "low", 2, None)  # a cosine; models differ too much for a bound that suits all

# The usual bounds leave alone about 95 % of drawings of different things in one of the bundled model's looks; only that
# of the hue from the reference is stricter, since a set is made to follow the reference's colours (docs/measures.md).
DEFINITIONS: Mapping[Measure, Definition] = MappingProxyType(
    {
        Measure.DINO_REFERENCE: _LIKENESS,
        Measure.DINO_SET: _LIKENESS,
        Measure.CLIP_REFERENCE: _LIKENESS,
        Measure.CLIP_SET: _LIKENESS,
        Measure.CSD_REFERENCE: _LIKENESS,
        Measure.CSD_SET: _LIKENESS,
        Measure.HUE_REFERENCE: Definition("°", 0, 180, "high", 0, 40),
        Measure.HUE_SET: Definition("°", 0, 180, "high", 0, 105),
        Measure.PALETTE_REFERENCE: Definition("", 0, 60, "high", 1, 14),
        Measure.PALETTE_SET: Definition("", 0, 60, "high", 1, 14),
        Measure.CHROMA_REFERENCE: Definition("", 0, 33, "high", 1, 8),
        Measure.LIGHTNESS_REFERENCE: Definition("%", 0, 100, "high", 0, 20),
        Measure.CONTRAST_REFERENCE: Definition("%", 0, 50, "high", 0, 15),
        Measure.TEXTURE_REFERENCE: Definition("", 0, 50, "high", 1, 8),
        Measure.TEXTURE_SET: Definition("", 0, 50, "high", 1, 8),
        Measure.STROKE_REFERENCE: Definition("%", 0, 1000, "high", 0, 75),
        Measure.TEXT_ALIGNMENT: Definition("", -1, 1, "low", 3, None),
        Measure.SUBJECT_FOUND: Definition("%", 0, 100, "low", 0, 20),
        Measure.SUBJECT_CUT: Definition("%", 0, 100, "high", 0, 8),
        Measure.SUBJECT_COUNT: Definition("", 0, 64, "high", 0, 1),
        Measure.SUBJECT_SIZE: Definition("%", 0, 100, None, 0, None),
        Measure.SUBJECT_X: Definition("%", 0, 100, None, 0, None),
        Measure.SUBJECT_Y: Definition("%", 0, 100, None, 0, None),
        Measure.LEAKAGE: Definition("", -1, 1, "high", 2, None),
        Measure.BLANK: Definition("%", 0, 100, "high", 0, 98),
        Measure.CLIPPED: Definition("%", 0, 100, "high", 0, 40),
        Measure.NOISE: Definition("", 0, 255, "high", 1, 12),
        Measure.NEAREST: Definition("", 0, 100, "low", 1, 1.5),
        Measure.SEAM: Definition("", 0, 100, "high", 1, 4),
    }
)
