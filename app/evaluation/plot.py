"""Consistency against alignment as an SVG of its own: no library, no script, nothing fetched.

A scatter of at most some twenty points needs none: it is drawn on the machines that run models, is part of the report's
one file, and its text stays text.
"""

from collections.abc import Sequence
from html import escape
from math import ceil, floor, log10
from typing import NamedTuple

from app.evaluation.tables import Mean

HEIGHT = 460
LEFT, TOP, BOTTOM = 70, 20, 56  # px around the plane
RIGHT = 580  # px, where the plane ends; names stand right of it
NAME, LETTER = 24, 7.5  # px from the plane to a name; of a letter, in the widest usual fonts
LINE = 15  # px between names
TICKS = 6
OURS, THEIRS, INK, FAINT = "#1f5fbf", "#8a5a00", "#222", "#d9d9d9"


class MeanPoint(NamedTuple):
    name: str
    x: Mean
    y: Mean
    ours: bool = True  # False: published by others


def plot(points: Sequence[MeanPoint], x: str, y: str, title: str) -> str:
    """An SVG with each point's name and the intervals of both its means. `x` and `y` name the axes."""
    if not points:
        raise ValueError("there are no points to show")
    width = RIGHT + NAME + ceil(LETTER * max(len(point.name) for point in points))
    across, up = _Axis([p.x for p in points], LEFT, RIGHT), _Axis([p.y for p in points], HEIGHT - BOTTOM, TOP)
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {HEIGHT}" font-family="system-ui, sans-serif"'
        f' font-size="12" role="img" aria-label="{escape(title)}">',
        f'<rect width="{width}" height="{HEIGHT}" fill="#fff"/>',
        *_grid(across, up),
        _text((LEFT + RIGHT) / 2, HEIGHT - 14, x, "middle"),
        f'<g transform="rotate(-90 16 {(TOP + HEIGHT - BOTTOM) / 2:.1f})">'
        f"{_text(16, (TOP + HEIGHT - BOTTOM) / 2, y, 'middle')}</g>",
    ]
    places = _spread([up(p.y.mean) for p in points])
    for point, place in zip(points, places, strict=True):
        drawn += _point(point, across, up, place)
    return "\n".join([*drawn, "</svg>", ""])


class _Axis:
    """Values to px, with some room and round ticks."""

    def __init__(self, means: Sequence[Mean], begin: float, end: float) -> None:
        low, high = min(mean.low for mean in means), max(mean.high for mean in means)
        room = (high - low) * 0.06 or abs(high) * 0.1 or 1.0
        self.low, self.high, self.begin, self.end = low - room, high + room, begin, end

    def __call__(self, value: float) -> float:
        return self.begin + (value - self.low) / (self.high - self.low) * (self.end - self.begin)

    @property
    def ticks(self) -> list[tuple[float, str]]:
        rough = (self.high - self.low) / TICKS
        power = 10.0 ** floor(log10(rough))
        step = next(power * size for size in (1, 2, 5, 10) if power * size >= rough)
        digits = max(0, -floor(log10(step)))
        first, last = int(-(-self.low // step)), int(self.high // step)
        return [(number * step, f"{number * step:.{digits}f}") for number in range(first, last + 1)]


def _grid(across: _Axis, up: _Axis) -> list[str]:
    drawn: list[str] = []
    for value, said in across.ticks:
        place = across(value)
        drawn.append(_line(place, TOP, place, HEIGHT - BOTTOM, FAINT))
        drawn.append(_text(place, HEIGHT - BOTTOM + 18, said, "middle"))
    for value, said in up.ticks:
        place = up(value)
        drawn.append(_line(LEFT, place, RIGHT, place, FAINT))
        drawn.append(_text(LEFT - 8, place + 4, said, "end"))
    return drawn


def _point(point: MeanPoint, across: _Axis, up: _Axis, place: float) -> list[str]:
    x, y = across(point.x.mean), up(point.y.mean)
    colour = OURS if point.ours else THEIRS
    name, bend = RIGHT + NAME, RIGHT + NAME - 4
    drawn = [
        _line(across(point.x.low), y, across(point.x.high), y, colour),
        _line(x, up(point.y.low), x, up(point.y.high), colour),
        f'<path d="M{x + 6:.1f} {y:.1f} L{RIGHT:.1f} {y:.1f} L{bend:.1f} {place:.1f}" fill="none"'
        f' stroke="{colour}" stroke-width="0.5" stroke-dasharray="2 3"/>',
    ]
    if point.ours:
        drawn.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="{colour}"/>')
    else:
        box = f'x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8"'
        drawn.append(f'<rect {box} fill="#fff" stroke="{colour}" stroke-width="1.5"/>')
    return [*drawn, _text(name, place + 4, point.name, "start", colour)]


def _spread(places: Sequence[float]) -> list[float]:
    """Places of names, near those of their points and at least a line apart, within the plane."""
    order = sorted(range(len(places)), key=lambda index: places[index])
    found = list(places)
    lowest = TOP + LINE / 2
    for index in order:
        found[index] = lowest = max(found[index], lowest)
        lowest += LINE
    highest = float(HEIGHT - BOTTOM)
    for index in reversed(order):
        found[index] = highest = min(found[index], highest)
        highest -= LINE
    return found


def _line(x: float, y: float, to_x: float, to_y: float, colour: str) -> str:
    return f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}" stroke="{colour}"/>'


def _text(x: float, y: float, said: str, anchor: str, colour: str = INK) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{escape(said)}</text>'
