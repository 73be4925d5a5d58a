"""The plot of a tuning: one draft of each setting, where its scores are.

To the right, settings are closer to the words; up, closer to the style. Drafts of nearly equal scores are moved next to
each other. A plot is laid out once for each frame, and the style sheet shows the one that suits the window: scaled, the
drafts of a wide plot would be too small on a phone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import cos, pi, sin

from app.sets.tunings import DraftedSetting, TuningFound
from app.styles.presets import layers_words

LEFT, BELOW = 32, 32  # from the edges to the axes, whose names are outside
TURNS, RINGS = 24, 90  # places that are tried around where a draft should be, in each direction
STEP = 1 / 10  # of a draft's side, between rings
GAP = 6  # between drafts
KEY = 6  # from the middle of a shape to its edge

Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""


@dataclass(frozen=True)
class Frame:
    """The size of a plot."""

    name: str  # of its class in the style sheet
    width: int
    height: int
    side: int  # of a draft
    letters: int  # font size

    @property
    def under(self) -> int:
        """The height of the words under a draft."""
        return self.letters + 10

    @property
    def bottom(self) -> int:
        """Where the horizontal axis is."""
        return self.height - BELOW


FRAMES = (
    Frame("narrow", 360, 620, 46, 13),
    Frame("middle", 800, 560, 76, 13),
    Frame("wide", 1720, 800, 116, 16),
)


@dataclass(frozen=True)
class TriedPoint:
    """A setting in a plot."""

    left: float  # of its draft
    top: float
    mark: int  # the shape of its layers, 0 to 3
    key: str  # that shape as an SVG path, under the draft
    setting: DraftedSetting
    picture: int | None  # the position of the draft that stands for it
    best: bool
    chosen: bool


@dataclass(frozen=True)
class FramedPlot:
    """The settings in a frame; the chosen and the best one are last, so painted over the others."""

    frame: Frame
    points: Sequence[TriedPoint]


@dataclass(frozen=True)
class LayersMark:
    """A shape, and the layers that it means."""

    mark: int
    words: str

    @property
    def path(self) -> str:
        """The shape in a square of 16."""
        return mark_path(self.mark, 8, 8, KEY)


def kinds_of(found: TuningFound, ranked: Sequence[str]) -> list[LayersMark]:
    """The shapes, in the order in which layers were tried; `ranked` as of `layers_words`."""
    return [LayersMark(mark, layers_words(layers, ranked)) for mark, layers in enumerate(_layers(found))]


def plots_of(found: TuningFound, chosen: DraftedSetting | None) -> list[FramedPlot]:
    """The plot in every frame; none with fewer than two settings that have scores."""
    if sum(1 for each in found.settings if each.scores) < 2:
        return []
    return [FramedPlot(frame, points_of(found, chosen, frame)) for frame in FRAMES]


def points_of(found: TuningFound, chosen: DraftedSetting | None, frame: Frame) -> list[TriedPoint]:
    """Where the settings are in a frame."""
    known = [(each, each.scores, place == found.best) for place, each in enumerate(found.settings) if each.scores]
    half_width, half_height = frame.side / 2 + GAP / 2, (frame.side + frame.under) / 2 + GAP / 2
    across = _spread([scores.alignment for _, scores, _ in known], LEFT + half_width, frame.width - half_width)
    down = _spread([scores.consistency for _, scores, _ in known], frame.bottom - half_height, half_height)
    inside = (LEFT, 0, frame.width, frame.bottom)
    taken: list[Box] = []
    points = []
    for (setting, _, best), x, y in zip(known, across, down, strict=True):
        left, top, right, bottom = _free(x, y, half_width, half_height, taken, inside, frame.side * STEP)
        taken.append((left, top, right, bottom))
        picture = next((each.position for each in setting.drafts if each.webp), None)
        mark = _layers(found).index(setting.layers)
        left, top = left + GAP / 2, top + GAP / 2
        key = mark_path(mark, left + KEY + 1, top + frame.side + frame.under / 2, KEY)
        points.append(TriedPoint(left, top, mark, key, setting, picture, best, setting is chosen))
    return sorted(points, key=lambda point: (point.chosen, point.best))


def mark_path(mark: int, x: float, y: float, radius: float) -> str:
    """The SVG path of a shape around its middle: a circle, a triangle, a diamond or a square."""
    left, top, right, bottom = (round(each, 1) for each in (x - radius, y - radius, x + radius, y + radius))
    x, y, radius = round(x, 1), round(y, 1), round(radius, 1)
    return (
        f"M {left} {y} A {radius} {radius} 0 1 0 {right} {y} A {radius} {radius} 0 1 0 {left} {y}",
        f"M {x} {top} L {right} {bottom} H {left} Z",
        f"M {x} {top} L {right} {y} L {x} {bottom} L {left} {y} Z",
        f"M {left} {top} H {right} V {bottom} H {left} Z",
    )[mark]


def _layers(found: TuningFound) -> list[tuple[str, ...]]:
    return list(dict.fromkeys(each.layers for each in found.settings))


def _spread(values: Sequence[float], start: float, end: float) -> list[float]:
    """Values between two ends; all in the middle if they are equal."""
    low, high = min(values, default=0.0), max(values, default=0.0)
    return [start + (end - start) * ((value - low) / (high - low) if high > low else 0.5) for value in values]


def _free(
    x: float, y: float, half_width: float, half_height: float, taken: Sequence[Box], inside: Box, step: float
) -> Box:
    """The box nearest to a place that covers nothing that is taken; where there is no room left, at the place."""
    for across, down in _around(x, y, step):
        box = across - half_width, down - half_height, across + half_width, down + half_height
        fits = box[0] >= inside[0] and box[1] >= inside[1] and box[2] <= inside[2] and box[3] <= inside[3]
        if fits and not any(_overlap(box, other) for other in taken):
            return box
    return x - half_width, y - half_height, x + half_width, y + half_height


def _around(x: float, y: float, step: float) -> Iterator[tuple[float, float]]:
    yield x, y
    for ring in range(1, RINGS + 1):
        for turn in range(TURNS):
            angle = 2 * pi * turn / TURNS
            yield x + ring * step * cos(angle), y + ring * step * sin(angle)


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
