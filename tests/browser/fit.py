"""Layout faults of a page: what axe finds, and whether it is wider than the window."""

import os

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

RUN = "axe.run({resultTypes: ['violations']}).then(results => results.violations)"  # not what passes, which is long
SHOTS = os.environ.get("SCREENSHOTS", "")  # a folder for a screenshot of every page


def faults(page: Page, name: str) -> list[str]:
    """axe's findings, each with the name of the page and the element."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    return [
        f"{name}: {violation['id']}: {violation['help']}: {node['html'][:200]}"
        for violation in page.evaluate(RUN)
        for node in violation["nodes"]
    ]


def misfits(page: Page, name: str, full_page: bool = False) -> list[str]:
    """``faults``, and whether the page scrolls sideways."""
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/{name.strip('/').replace('/', '-')}.png", full_page=full_page)
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return faults(page, name) + ([f"{name}: {wide} px wider than the window"] if wide > 0 else [])
