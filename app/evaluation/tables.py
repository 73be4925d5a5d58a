"""From the measures of sets to a table: means, with 95 % intervals by the bootstrap over styles.

Source of the interval: Efron 1979; percentiles of the means of resampled styles. Settings are compared on the same
styles and seeds, so differences are resampled as pairs.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.evaluation.measuring import MEASURES, Values

RESAMPLED = 2000
SEED = 2312  # the same table each time
LEVEL = 0.95


class Mean(NamedTuple):
    """A mean with the ends of its interval."""

    mean: float
    low: float
    high: float


class SettingRow(NamedTuple):
    """A setting's line."""

    name: str
    sets: int  # that were measured
    failed: int
    measures: dict[str, Mean]
    against: dict[str, Mean]
    """Differences to the setting that all are compared with, on the sets that both have."""


def interval(values: Sequence[float] | NDArray[np.float64]) -> Mean:
    """The mean of values and its interval. Raises ValueError if there are none."""
    each = np.asarray(values, np.float64)
    if not len(each):
        raise ValueError("there is nothing to average")
    chosen = np.random.default_rng(SEED).integers(len(each), size=(RESAMPLED, len(each)))
    low, high = np.quantile(each[chosen].mean(axis=1), ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return Mean(float(each.mean()), float(low), float(high))


def rows(measured: Mapping[str, Sequence[Values | None]], compared_with: str) -> list[SettingRow]:
    """A line per setting that has a set. Differences are taken to the setting `compared_with`, if it is there."""
    base = measured.get(compared_with, [])
    made: list[SettingRow] = []
    for name, sets in measured.items():
        good = [values for values in sets if values]
        if not good:
            continue
        known = [measure for measure in MEASURES if all(measure in values for values in good)]
        pairs = [(mine, other) for mine, other in zip(sets, base, strict=False) if mine and other]
        against = {
            measure: interval([mine[measure] - other[measure] for mine, other in pairs])
            for measure in known
            if pairs and name != compared_with
        }
        means = {measure: interval([values[measure] for values in good]) for measure in known}
        made.append(SettingRow(name, len(good), len(sets) - len(good), means, against))
    return made
