"""Fingers on a touch screen, as the browser receives them: it turns them into pointers, scrolling and taps itself."""

from collections.abc import Sequence

from playwright.sync_api import Page

Point = tuple[float, float]  # px of the window


def touch(page: Page, *steps: Sequence[Point]) -> None:
    """Put fingers down at the points of the first step, move them to those of each next step, and lift them."""
    fingers = page.context.new_cdp_session(page)
    for index, points in enumerate([*steps, ()]):
        kind = "touchEnd" if not points else "touchMove" if index else "touchStart"
        touching = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touching})
    fingers.detach()


def double_tap(page: Page, point: Point) -> None:
    """Twice within a tenth of a second of event time, however busy the machine is."""
    fingers = page.context.new_cdp_session(page)
    now = page.evaluate("(performance.timeOrigin + performance.now()) / 1000")
    for after, kind in ((0, "touchStart"), (0.02, "touchEnd"), (0.08, "touchStart"), (0.1, "touchEnd")):
        touching = [{"x": point[0], "y": point[1]}] if kind == "touchStart" else []
        step = {"type": kind, "touchPoints": touching, "timestamp": now + after}
        fingers.send("Input.dispatchTouchEvent", step)
    fingers.detach()


def spread(middle: Point, *apart: float) -> list[list[Point]]:
    """Two fingers side by side, at these distances in px from their middle."""
    x, y = middle
    return [[(x - each, y), (x + each, y)] for each in apart]
