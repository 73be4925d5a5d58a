"""What is wrong with the look of a page: what axe finds, and whether it is wider than the window."""

import os

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

SHOTS = os.environ.get("SCREENSHOTS", "")  # a folder to keep a picture of every page in


def faults(page: Page, name: str) -> list[str]:
    """By axe's rules, each with the name of the page and the element."""
    return [
        f"{name}: {violation['id']}: {violation['help']}: {node['html'][:200]}"
        for violation in Axe().run(page).response["violations"]
        for node in violation["nodes"]
    ]


def misfits(page: Page, name: str, full_page: bool = False) -> list[str]:
    """``faults``, and whether the page must be moved sideways to be read."""
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/{name.strip('/').replace('/', '-')}.png", full_page=full_page)
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return faults(page, name) + ([f"{name}: {wide} px wider than the window"] if wide > 0 else [])
