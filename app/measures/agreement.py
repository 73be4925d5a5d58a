"""How well a measure agrees with people, and the bound that would have agreed best. Pure functions of numbers.

The area under the ROC curve is the probability that a picture that people turned down is worse by the measure than one
that they approved, ties counting half (Mann and Whitney 1947; Hanley and McNeil, Radiology 1982): 1 agrees always, 0.5
never tells them apart. A bound is fitted by Youden's index (Cancer 1950): the share of turned-down pictures that it
flags, less the share of approved ones, is largest.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray

from app.quality.measures import Definition

LEAST = 10  # approved and turned-down pictures, each, without which nothing is fitted
LEAST_AREA = 0.6  # a measure that agrees less keeps its bound

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class FlagOutcome:
    """What a bound's flags would have done."""

    hit: int  # turned-down pictures that it flags
    missed: int  # that it does not
    false: int  # approved pictures that it flags
    passed: int  # that it does not

    @property
    def youden(self) -> float:
        """-1 to 1; 0 for a bound that flags as many of either."""
        return self.hit / max(self.hit + self.missed, 1) - self.false / max(self.false + self.passed, 1)


def area(approved: Sequence[float], rejected: Sequence[float], definition: Definition) -> float | None:
    """The area under the ROC curve, 0 to 1; None without both kinds."""
    if not approved or not rejected:
        return None
    good, bad = _badness(approved, definition), _badness(rejected, definition)
    ranks = _ranks(np.concatenate([good, bad]))
    above = ranks[len(good) :].sum() - len(bad) * (len(bad) + 1) / 2
    return float(above / (len(good) * len(bad)))


def _ranks(values: Numbers) -> Numbers:
    """The rank of each from 1; equal ones share the mean of theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    mean: Numbers = last - (counts - 1) / 2
    return mean[place]


def curve(approved: Sequence[float], rejected: Sequence[float], definition: Definition) -> list[tuple[float, float]]:
    """The ROC curve: the share of approved pictures flagged, and of turned-down ones, from no flags to all."""
    good, bad = _badness(approved, definition), _badness(rejected, definition)
    steps = np.unique(np.concatenate([good, bad]))[::-1]
    return [(0.0, 0.0)] + [(float((good >= step).mean()), float((bad >= step).mean())) for step in steps]


def outcome(
    approved: Sequence[float], rejected: Sequence[float], definition: Definition, bound: float | None
) -> FlagOutcome:
    """What flagging by `bound` would have done."""
    hit = sum(definition.beyond(value, bound) for value in rejected)
    false = sum(definition.beyond(value, bound) for value in approved)
    return FlagOutcome(hit, len(rejected) - hit, false, len(approved) - false)


def fit(approved: Sequence[float], rejected: Sequence[float], definition: Definition) -> float | None:
    """The bound with the largest Youden index, with the digits of the measure; of equal ones, that which flags least.

    None if there are too few decisions, or the measure hardly agrees with them.
    """
    if min(len(approved), len(rejected)) < LEAST or (area(approved, rejected, definition) or 0) < LEAST_AREA:
        return None
    values = sorted({*approved, *rejected})
    bounds = {bound for a, b in pairwise(values) for bound in _rounded((a + b) / 2, definition)}
    lenient = sorted(bounds, reverse=definition.worse == "high")
    best = max(lenient, key=lambda bound: outcome(approved, rejected, definition, bound).youden, default=None)
    if best is None or outcome(approved, rejected, definition, best).youden <= 0:
        return None
    return best


def _rounded(bound: float, definition: Definition) -> list[float]:
    """To the digits of the measure, either way, within its range."""
    scale = 10.0**definition.digits
    return [
        min(max(rounded / scale, definition.low), definition.high)
        for rounded in (floor(bound * scale), ceil(bound * scale))
    ]


def _badness(values: Sequence[float], definition: Definition) -> Numbers:
    """The same, the worst largest."""
    found = np.asarray(values, dtype=np.float64)
    return found if definition.worse == "high" else -found
