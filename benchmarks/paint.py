"""First paint of every page on a slow network: `make bench-paint`.

A real browser without a cache opens each page at 50 kB/s with 300 ms to every answer, as Chromium's own emulation of
networks gives them. Prints when the page first shows something, what was loaded until it was complete, and how far it
shifted. The budgets are 2 s and 0.05; beyond either, the status is 1.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright
from rich.console import Console
from rich.table import Table
from sqlalchemy import update

from app.main import create_app
from app.models import ImageSet, Role
from app.settings import Settings
from tests.engine.painter import Painter
from tests.web.server import Server, make_person, serve, signed_in_browser
from tests.web.world import fill, populate

BUDGET = 2000  # ms until something shows
SHIFT = 0.05  # cumulative layout shift
NETWORK = {"offline": False, "latency": 300, "downloadThroughput": 50_000, "uploadThroughput": 50_000}  # ms, bytes/s
WIDTHS = ((390, 844), (1440, 900))
PATHS = (
    "/",
    "/sets",
    "/sets/new",
    "/sets/{set_id}",
    "/review?image={image_id}",
    "/review/settings",
    "/compare?ids={image_id},{undecided_id}",
    "/pictures",
    "/pictures/bin",
    "/styles",
    "/styles/new",
    "/styles/{code}",
    "/references/{reference_id}",
    "/references/{reference_id}/rights",
    "/subjects",
    "/subjects/new",
    "/subjects/{subject_id}",
    "/exports",
    "/exports/{export_id}",
    "/sets/{set_id}/export",
    "/images/{undecided_id}/again",
    "/record",
    "/people",
    "/account",
    "/shared/{token}",
    "/blind",
    "/blind/new",
    "/brand/style/{of_id}",
    "/styles/{code}/bounds",
    "/styles/{code}/tuning",
    "/images/{image_id}/layout",
    "/images/{image_id}/map",
    "/checklists/{list_id}",
    "/policy",
    "/queue",
    "/guide",
    "/law",
)
WATCH = """
window.shifted = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifted += entry.value;
}).observe({ type: "layout-shift", buffered: true });
"""
MEASURE = """() => {
  const all = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
  return {
    paint: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? Infinity,
    requests: all.length,
    bytes: all.reduce((sum, entry) => sum + entry.transferSize, 0),
    shift: window.shifted,
  };
}"""


@dataclass(frozen=True)
class Opened:
    """A page, opened once."""

    paint: float  # ms
    requests: int
    bytes: int
    shift: float


@contextmanager
def studio(folder: Path) -> Iterator[tuple[Server, dict[str, str]]]:
    """A server with one of everything."""
    settings = Settings(data=folder, _env_file=None)  # type: ignore[call-arg]
    with serve(create_app(settings, Painter())) as server:
        values = populate(server, make_person(server, Role.DESIGNER), make_person(server, Role.ADMIN))
        with server.resources.database.write() as session:
            session.execute(update(ImageSet).values(width=96, height=64))  # as the pictures of `populate`
        yield server, values


def opened(browser: Browser, server: Server, path: str, size: tuple[int, int]) -> Opened:
    context = browser.new_context(viewport={"width": size[0], "height": size[1]})
    context.add_init_script(WATCH)
    with signed_in_browser(server, make_person(server, Role.ADMIN)) as person:
        context.add_cookies(
            [{"name": name, "value": value, "url": server.url} for name, value in person.cookies.items()]
        )
    page: Page = context.new_page()
    context.new_cdp_session(page).send("Network.emulateNetworkConditions", NETWORK)
    page.goto(server.url + path, timeout=120_000)
    page.wait_for_timeout(500)  # what shifts after everything has come
    measured = page.evaluate(MEASURE)
    context.close()
    return Opened(**measured)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", nargs="*", default=PATHS, help="only these pages")
    wanted = parser.parse_args().paths
    table = Table("page", "width", "first paint", "requests", "kB", "shift")
    worst_paint = worst_shift = 0.0
    chromium = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    with (
        tempfile.TemporaryDirectory() as folder,
        studio(Path(folder)) as (server, values),
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for path in wanted:
            for size in WIDTHS:
                page = opened(browser, server, fill(path, values), size)
                worst_paint, worst_shift = max(worst_paint, page.paint), max(worst_shift, page.shift)
                figures = f"{page.paint:.0f} ms", str(page.requests), f"{page.bytes / 1000:.0f}", f"{page.shift:.3f}"
                table.add_row(path, str(size[0]), *figures)
        browser.close()
    Console(width=110).print(table)
    print(f"slowest first paint {worst_paint:.0f} ms, largest shift {worst_shift:.3f}")
    return int(worst_paint > BUDGET or worst_shift > SHIFT)


if __name__ == "__main__":
    sys.exit(main())
