"""Answers and drafts that come when a test lets them: what a slow network or machine does to a page."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from playwright.sync_api import Page, Route


class Late:
    """Holds back the answers from addresses that match ``pattern``."""

    def __init__(self, page: Page, pattern: str) -> None:
        self.page, self.pattern = page, re.compile(pattern)
        self.held: list[Route] = []
        page.route(self.pattern, self._hold)

    def _hold(self, route: Route) -> None:
        self.held.append(route)

    def wait(self) -> None:
        """Until the page has asked. Fails after half a minute."""
        until = time.monotonic() + 30
        while not self.held:
            assert time.monotonic() < until, f"the page never asks for {self.pattern.pattern}"
            self.page.wait_for_timeout(20)

    def arrive(self) -> None:
        """Let all of them arrive, and hold back no more."""
        self.wait()
        for route in self.held:
            route.continue_()
        self.page.unroute(self.pattern)


HELD = """
const [every, waiting, later, stop] = [[], new Map(), setTimeout, clearTimeout];
window.setInterval = (act) => every.push(act);
window.setTimeout = (act, ms, ...given) => {
  if (ms !== 600) return later(act, ms, ...given);
  const id = -1 - waiting.size;
  waiting.set(id, () => act(...given));
  return id;
};
window.clearTimeout = (id) => (waiting.has(id) ? waiting.set(id, () => {}) : stop(id));
window.passTime = () => [...every, ...waiting.values()].forEach((act) => act());
"""


def held_saves(page: Page) -> Callable[[], None]:
    """Let drafts on the pages that `page` opens wait for the returned function, however slow the machine is."""
    page.add_init_script(HELD)
    return lambda: page.evaluate("passTime()")
