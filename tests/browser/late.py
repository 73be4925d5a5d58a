"""Answers that arrive when a test lets them: what a slow network does to a page."""

from __future__ import annotations

import re
import time

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
