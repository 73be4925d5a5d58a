"""Fingers on a touch screen, as the browser gets them: it makes of them pointers, scrolling and taps by itself."""

from collections.abc import Sequence

from playwright.sync_api import Page

Point = tuple[float, float]  # px of the window


def touch(page: Page, *steps: Sequence[Point]) -> None:
    """Fingers come down at the points of the first step, go to those of each next one, and leave."""
    fingers = page.context.new_cdp_session(page)
    for index, points in enumerate([*steps, ()]):
        kind = "touchEnd" if not points else "touchMove" if index else "touchStart"
        touching = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touching})
    fingers.detach()


def double_tap(page: Page, point: Point) -> None:
    """Twice within a tenth of a second by the events' own time, however busy the machine is."""
    fingers = page.context.new_cdp_session(page)
    now = page.evaluate("(performance.timeOrigin + performance.now()) / 1000")
    for after, kind in ((0, "touchStart"), (0.02, "touchEnd"), (0.08, "touchStart"), (0.1, "touchEnd")):
        touching = [{"x": point[0], "y": point[1]}] if kind == "touchStart" else []
        step = {"type": kind, "touchPoints": touching, "timestamp": now + after}
        fingers.send("Input.dispatchTouchEvent", step)
    fingers.detach()


def spread(middle: Point, *apart: float) -> list[list[Point]]:
    """Two fingers side by side, so many px from their middle at each step."""
    x, y = middle
    return [[(x - each, y), (x + each, y)] for each in apart]
