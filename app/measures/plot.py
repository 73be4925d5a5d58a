"""A plot of a set: each picture by two measures, laid out by the server."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

from app.measures import words
from app.measures.bounds import Bounds
from app.measures.queries import MeasuredPicture
from app.quality.measures import Measure

MOST = 300  # pictures in a plot
WIDTH, HEIGHT = 360, 250  # of the view box
LEFT, RIGHT, TOP, BOTTOM = 40, 10, 8, 24  # around the field, for the numbers at its axes
TICKS = 4
FAVOURITES = (
    (Measure.HUE_REFERENCE, Measure.PALETTE_REFERENCE),
    (Measure.CSD_REFERENCE, Measure.DINO_REFERENCE, Measure.CLIP_REFERENCE, Measure.TEXTURE_REFERENCE),
)  # for each axis, the first that is known


@dataclass(frozen=True)
class Tick:
    at: float  # in the view box
    words: str


@dataclass(frozen=True)
class PlotPoint:
    picture: MeasuredPicture
    x: float  # in the view box
    y: float
    kind: str  # its decision, or "none"


@dataclass(frozen=True)
class Plot:
    x: str  # measures
    y: str
    points: list[PlotPoint]
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    x_bound: float | None  # where the style's bound is, if it is in the field
    y_bound: float | None
    total: int  # pictures with both numbers
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


@dataclass(frozen=True)
class Axis:
    """A scale from values to the view box."""

    low: float
    high: float
    step: float
    start: float  # in the view box
    end: float

    @classmethod
    def over(cls, values: Sequence[float], start: float, end: float) -> "Axis":
        """Round numbers around the values."""
        low, high = min(values), max(values)
        spread = (high - low) or max(abs(high), 1.0) * 0.1
        step = nice(spread / TICKS)
        lowest, highest = floor(low / step), ceil(high / step)
        if lowest == highest:  # all are the same round number, which is not drawn on the edge
            lowest, highest = lowest - 1 if lowest else 0, highest + 1
        return cls(lowest * step, highest * step, step, start, end)

    def at(self, value: float) -> float:
        return round(self.start + (self.end - self.start) * (value - self.low) / (self.high - self.low), 1)

    def holds(self, value: float | None) -> bool:
        return value is not None and self.low <= value <= self.high

    def ticks(self, measure: str) -> list[Tick]:
        count = round((self.high - self.low) / self.step)
        values = (self.low + index * self.step for index in range(count + 1))
        return [Tick(self.at(value), words.tick(measure, value, self.step)) for value in values]


def nice(step: float) -> float:
    """The next of 1, 2, 5, 10, ... times a power of ten."""
    power = 10.0 ** floor(log10(step))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step * 0.999)


def known(pictures: Sequence[MeasuredPicture]) -> list[str]:
    """The measures that any of the pictures has, in order."""
    found = {name for picture in pictures for name in picture.numbers}
    return [str(measure) for measure in Measure if measure in found]


def plot(pictures: Sequence[MeasuredPicture], bounds: Bounds, x: str = "", y: str = "") -> Plot | None:
    """Lay out pictures by two measures; unknown ones give way to the favourites. None without two measures."""
    names = known(pictures)
    chosen = [wanted if wanted in names else "" for wanted in (x, y)]
    for place, favourites in enumerate(FAVOURITES):
        others = [name for name in [*map(str, favourites), *names] if name in names and name not in chosen]
        if not chosen[place] and others:
            chosen[place] = others[0]
    x, y = chosen
    both = [each for each in pictures if x in each.numbers and y in each.numbers]
    if not x or not y or not both:
        return None
    across = Axis.over([each.numbers[x] for each in both], LEFT, WIDTH - RIGHT)
    upwards = Axis.over([each.numbers[y] for each in both], HEIGHT - BOTTOM, TOP)
    x_bound, y_bound = bounds.get(x), bounds.get(y)
    return Plot(
        x,
        y,
        [
            PlotPoint(each, across.at(each.numbers[x]), upwards.at(each.numbers[y]), each.decision or "none")
            for each in some(both)
        ],
        across.ticks(x),
        upwards.ticks(y),
        across.at(x_bound) if x_bound is not None and across.holds(x_bound) else None,
        upwards.at(y_bound) if y_bound is not None and upwards.holds(y_bound) else None,
        len(both),
    )


def some(pictures: Sequence[MeasuredPicture]) -> list[MeasuredPicture]:
    """At most MOST of them, in their order: flagged ones first, then always the same others."""
    ranked = sorted(pictures, key=lambda each: (not each.flags, hashlib.sha256(str(each.id).encode()).digest()))
    kept = {each.id for each in ranked[:MOST]}
    return [each for each in pictures if each.id in kept]
