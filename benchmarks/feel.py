"""How pages feel in a browser: `make bench-feel`.

Chromium opens each main page on this machine, with 10,000 pictures in the database: when it can be used (its scripts
have run, and no long task blocks it), what moves (cumulative layout shift, also while a set is generated), and its
scripts. Then it scrolls the gallery by the wheel, while thumbnails load and with all of them loaded, and reads the
frames from its own trace. Budgets: 200 ms until a page can be used, 0.01 of shift, 100 kB of scripts as sent; beyond
one, the status is 1.
"""

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from io import BytesIO
from itertools import count, pairwise
from os import link
from pathlib import Path
from typing import Any, Self

from PIL import Image as Picture
from PIL.PngImagePlugin import PngInfo
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from rich.console import Console
from rich.table import Table
from sqlalchemy import select, update

from app.accounts import service as accounts
from app.database import migrate
from app.files import Files, Kind
from app.main import create_app
from app.models import Image, Reference, Style, User
from app.pictures import THUMBNAILS, own_thumbnails
from app.settings import Settings
from benchmarks.gallery import Spread, fill
from tests.engine.painter import Painter
from tests.web.server import Server, making, serve

BUDGET = 200.0  # ms until a page can be used
SHIFT = 0.01
SCRIPTS = 100.0  # kB, as sent
FRAME = 1000 / 60  # ms
SPREAD = Spread("long sets", people=30, campaigns=25, styles=40, a_set=67, tags=10, tagged=0.2)
KINDS = 12  # different pictures
SETTLED = 500  # ms after the load event, for what moves late
SIZE = {"width": 1440, "height": 900}
GESTURE = 6000  # px at once
SPEED = 3000  # px/s
WATCH = """
window.shifted = 0;
window.blocked = 0;
const watch = (type, hear) =>
  new PerformanceObserver((list) => list.getEntries().forEach(hear)).observe({ type, buffered: true });
watch("layout-shift", (entry) => { if (!entry.hadRecentInput) window.shifted += entry.value; });
watch("longtask", (entry) => { window.blocked = entry.startTime + entry.duration; });
"""
MEASURE = """() => {
  const [page] = performance.getEntriesByType("navigation");
  const scripts = performance.getEntriesByType("resource").filter(({ name }) => new URL(name).pathname.endsWith(".js"));
  const sum = (size) => scripts.reduce((all, entry) => all + entry[size], 0) / 1000;
  return {
    server: page.responseEnd - page.requestStart,
    usable: Math.max(page.domContentLoadedEventEnd, window.blocked),
    shift: window.shifted,
    sent: sum("encodedBodySize"),
    scripts: sum("decodedBodySize"),
  };
}"""
OF_TRACE = "devtools.timeline", "devtools.timeline.frame"
TRACED = ["-*", *OF_TRACE, *(f"disabled-by-default-{name}" for name in OF_TRACE)]


@dataclass
class Opened:
    """A page, opened several times; times in ms, sizes in kB."""

    path: str
    server: list[float] = field(default_factory=list)
    usable: list[float] = field(default_factory=list)
    shift: float = 0.0
    sent: float = 0.0
    scripts: float = 0.0

    def add(self, measured: dict[str, float]) -> None:
        self.server.append(measured["server"])
        self.usable.append(measured["usable"])
        self.shift = max(self.shift, measured["shift"])
        self.sent, self.scripts = measured["sent"], measured["scripts"]


@dataclass
class Frames:
    """Frames of a scroll, from traces."""

    times: list[float] = field(default_factory=list)  # ms from one drawn frame to the next
    dropped: int = 0
    busy: float = 0.0  # ms of style, layout and paint

    def add(self, trace: dict[str, Any]) -> None:
        events = sorted(trace["traceEvents"], key=lambda event: event["ts"])
        drawn = [event["ts"] / 1000 for event in events if event["name"] == "DrawFrame"]
        self.times += [after - before for before, after in pairwise(drawn)]
        self.dropped += sum(event["name"] == "DroppedFrame" for event in events)
        work = {"UpdateLayoutTree", "Layout", "Paint", "PrePaint", "Layerize", "Commit"}
        self.busy += sum(event.get("dur", 0) / 1000 for event in events if event["name"] in work)


@contextmanager
def studio(folder: Path, pictures: int) -> Iterator[Server]:
    """A server with a year's pictures, each with its files."""
    settings = Settings(data=folder, measures="off", _env_file=None)  # type: ignore[call-arg]  # pydantic takes it
    migrate(settings)
    app = create_app(settings, Painter(step_seconds=0.05))
    database, files = app.state.resources.database, app.state.resources.files
    fill(database, pictures, SPREAD)
    kinds = [Drawn.new(folder.parent / f"kind-{number}", number) for number in range(KINDS)]
    with database.write() as session:
        for number, kind in enumerate(kinds):
            every = update(Image).where(Image.id % KINDS == number, Image.sha256.is_not(None))
            session.execute(every.values(sha256=kind.name))
        for reference in session.scalars(select(Reference)):  # each picture is a reference once
            kind = kinds[reference.id % KINDS].renamed(f"reference {reference.id}")
            reference.sha256 = kind.name
            kind.put(files, Kind.REFERENCES)
    for kind in kinds:
        kind.put(files, Kind.IMAGES)
    with serve(app) as server:
        yield server


@dataclass(frozen=True)
class Drawn:
    """A picture with its thumbnails, in a folder; its name is the hash of its PNG, as those of all files are."""

    png: Picture.Image
    places: dict[int, Path]  # of its thumbnails, by side
    comment: str = ""  # in the PNG, which gives the same picture another name

    @classmethod
    def new(cls, folder: Path, number: int) -> Self:
        """512 px, with thumbnails as heavy as a photograph's."""
        noise = Picture.effect_noise((64, 64), 90 + number).resize((512, 512), Picture.Resampling.BICUBIC)
        ramp = Picture.linear_gradient("L").resize((512, 512)).rotate(7 * number)
        drawn = cls(
            Picture.merge("RGB", (noise, ramp, noise.rotate(90))),
            {side: folder / f"{side}.webp" for side in THUMBNAILS},
        )
        folder.mkdir()
        for side, data in own_thumbnails(drawn.data).items():
            drawn.places[side].write_bytes(data)
        return drawn

    def renamed(self, comment: str) -> Self:
        return replace(self, comment=comment)

    @cached_property
    def data(self) -> bytes:
        stream, said = BytesIO(), PngInfo()
        said.add_text("Comment", self.comment)
        self.png.save(stream, "PNG", compress_level=1, pnginfo=said)
        return stream.getvalue()

    @property
    def name(self) -> str:
        return sha256(self.data).hexdigest()

    def put(self, files: Files, kind: Kind) -> None:
        """Where the server finds it, with links to its thumbnails."""
        place = files.path(kind, self.name)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(self.data)
        for side, source in self.places.items():
            target = files.thumbnail(self.name, side)
            target.parent.mkdir(parents=True, exist_ok=True)
            link(source, target)


@contextmanager
def signed_in(browser: Browser, server: Server) -> Iterator[BrowserContext]:
    resources = server.resources
    with resources.database.write() as session:
        token = accounts.start_session(session, session.get_one(User, 1))
    context = browser.new_context(base_url=server.url, viewport=SIZE, bypass_csp=True)  # type: ignore[arg-type]
    context.set_default_timeout(300_000)
    context.add_init_script(WATCH)
    context.add_cookies([{"name": resources.cookie, "value": token, "url": server.url}])
    yield context
    context.close()


def paths(server: Server) -> list[str]:
    with server.resources.database.read() as session:
        one, two = session.scalars(select(Image.id).where(Image.shown).order_by(Image.id).limit(2))
        code = session.scalars(select(Style.code).limit(1)).one()
    return [
        "/",
        "/sets",
        "/sets/1",
        "/sets/new",
        f"/review?image={one}",
        f"/compare?ids={one},{two}",
        "/pictures",
        "/search?q=fox",
        "/styles",
        f"/styles/{code}",
        "/styles/new",
        "/subjects",
        "/exports",
        "/queue",
        "/account",
    ]


def open_all(context: BrowserContext, found: list[str], times: int) -> list[Opened]:
    """Open the pages in turns; the first round fills the browser's cache."""
    pages = [Opened(path) for path in found]
    page = context.new_page()
    for turn in range(times + 1):
        for each in pages:
            page.goto(each.path)
            page.wait_for_timeout(SETTLED)
            measured = page.evaluate(MEASURE)
            if turn:
                each.add(measured)
    page.close()
    return pages


def shift_while_live(context: BrowserContext, server: Server) -> float:
    """Of the page of a set, from its first picture's first step to its end."""
    with making(server) as make:
        make._numbers = count(1000)  # after those that have been filled in
        shown = make.image_set(make.session.get_one(User, 1), prompts="a fox\nan owl\na teapot\nan umbrella").id
    page = context.new_page()
    page.goto(f"/sets/{shown}")
    page.locator("#pictures > li [data-decision], #pictures > li a img").nth(3).wait_for()
    shifted: float = page.evaluate("window.shifted")
    page.close()
    return shifted


def scroll(page: Page, distance: int, frames: Frames) -> None:
    """Scroll by the wheel, downwards if positive (px), with a trace."""
    browser = page.context.browser
    assert browser  # noqa: S101  (it is no persistent context)
    browser.start_tracing(page=page, categories=TRACED)
    gesture = {"x": 700, "y": 500, "yDistance": -distance, "speed": SPEED, "gestureSourceType": "mouse"}
    page.context.new_cdp_session(page).send("Input.synthesizeScrollGesture", gesture)
    frames.add(json.loads(browser.stop_tracing()))


def scroll_gallery(context: BrowserContext, pictures: int) -> dict[str, Frames]:
    """The first way down loads everything; then the middle is scrolled again."""
    loading, loaded = Frames(), Frames()
    page = context.new_page()
    page.goto("/pictures")
    shown = "document.querySelectorAll('#pictures > li').length"
    more = "Boolean(document.querySelector('#more a'))"
    while page.evaluate(shown) < pictures and page.evaluate(more):
        scroll(page, GESTURE, loading)
    print(f"{page.evaluate(shown):,} thumbnails")
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight / 2)")
    page.wait_for_timeout(1000)
    for distance in (GESTURE, GESTURE, -GESTURE, GESTURE, -GESTURE):
        scroll(page, distance, loaded)
    page.close()
    return {"down, while loading": loading, "all loaded": loaded}


def tell(pages: list[Opened], live: float) -> bool:
    """Print how pages open; returns whether one is beyond a budget."""
    table = Table("page", "server, ms", "usable, ms", "worst", "shift", "scripts sent, kB", "unpacked, kB")
    late = live > SHIFT
    for each in pages:
        usable = statistics.median(each.usable)
        beyond = usable > BUDGET or each.shift > SHIFT or each.sent > SCRIPTS
        late |= beyond
        figures = statistics.median(each.server), usable, max(each.usable)
        sizes = f"{each.shift:.4f}", f"{each.sent:.0f}", f"{each.scripts:.0f}"
        table.add_row(each.path, *(f"{value:.0f}" for value in figures), *sizes, style="red" if beyond else "")
    Console(width=110).print(table)
    print(f"shift while a set is generated: {live:.4f}")
    return late


def tell_frames(found: dict[str, Frames]) -> None:
    columns = ("frames", "median, ms", "95 %", "worst", "over 1.5 frames", "dropped", "style to paint per frame, ms")
    table = Table("gallery, by wheel", *columns)
    for name, frames in found.items():
        times = sorted(frames.times) or [0.0]
        late = sum(time > 1.5 * FRAME for time in times) / len(times)
        values = f"{statistics.median(times):.1f}", f"{times[int(0.95 * len(times))]:.1f}", f"{times[-1]:.0f}"
        rest = f"{late:.1%}", str(frames.dropped), f"{frames.busy / len(times):.1f}"
        table.add_row(name, str(len(times)), *values, *rest)
    Console(width=130).print(table)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--times", type=int, default=5)
    asked = parser.parse_args()
    chromium = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    with (
        tempfile.TemporaryDirectory() as folder,
        # Some are in the bin, failed, or an older version.
        studio(Path(folder) / "data", asked.pictures * 11 // 10) as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        with signed_in(browser, server) as context:
            pages = open_all(context, paths(server), asked.times)
            late = tell(pages, shift_while_live(context, server))
            tell_frames(scroll_gallery(context, asked.pictures))
        browser.close()
    return int(late)


if __name__ == "__main__":
    sys.exit(main())
