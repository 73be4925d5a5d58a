"""Every page, in every state, fits every window: at six widths, with text of the usual and of twice the size.

A page is any address that answers with HTML, so a new one is measured without being listed here.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page
from sqlalchemy import update

from app.accounts import service as accounts
from app.gallery import service as gallery
from app.main import create_app
from app.models import ImageSet, Role, State, User, Verdict
from app.reviews import service as reviews
from app.sets import service as sets
from app.settings import Settings
from tests.browser.fit import SHOTS, faults
from tests.engine.painter import Painter
from tests.factory import Factory
from tests.web.server import Server, make_person, making, serve, signed_in_browser
from tests.web.test_reading import ENDLESS, PROVIDER, QUERIES
from tests.web.world import compared_and_judged, fill, populate, routes

WIDTHS = (320, 390, 768, 1024, 1440, 1920)
OVERLAY_WIDTHS = (320, 768, 1440)
HEIGHT = 900
TEXTS = (100, 200)  # %
MEASURE = (Path(__file__).parent / "sizes.js").read_text()
SHIFT = 0.05
SCRIPTS = 100_000  # bytes, as sent; about two and a half times as much unpacked
SENT = """() => performance.getEntriesByType("resource")
  .filter(({ name }) => new URL(name).pathname.endsWith(".js"))
  .reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0)"""
SETTLED = 1000  # ms
WATCH_SHIFTS = """
window.shifted = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifted += entry.value;
}).observe({ type: "layout-shift", buffered: true });
"""
OVERLAYS = "[...document.querySelectorAll('[popover][id]')].filter((each) => each.children.length).map(({ id }) => id)"
SHOW = "id => { const it = document.getElementById(id); (it.showPopover ?? it.showModal).call(it); }"
HIDE = "id => { const it = document.getElementById(id); (it.hidePopover ?? it.close).call(it); }"
RESIZED = """async ([width, text]) => {
  document.documentElement.style.fontSize = text === 100 ? "" : `${text}%`;
  // A phone's window grows with a page that is too wide.
  const frame = () => new Promise(requestAnimationFrame);
  await frame();
  for (let left = 30; innerWidth !== width && left; left--) await frame();
}"""
CUT_CHOICES = """() => [...document.querySelectorAll("select")].filter((each) => {
  const { fontWeight, fontSize, fontFamily, paddingLeft, paddingRight } = getComputedStyle(each);
  const context = document.createElement("canvas").getContext("2d");
  context.font = `${fontWeight} ${fontSize} ${fontFamily}`;
  const room = each.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight);
  const { width } = context.measureText(each.selectedOptions[0].text);
  return each.checkVisibility({ visibilityProperty: true }) && width > room;
}).map((each) => `${each.name}: ${each.selectedOptions[0].text}`)"""
LONG = "supercalifragilisticexpialidocious" * 3
DIGITS = "1234567890" * 4
JAPANESE = "露のついたぶどうの房と、朝の光の中で静かに眠る柴犬の子犬たちを描いたレトロなポスター"
PROMPTS = f"a fox\n{LONG}\n{DIGITS}\n{JAPANESE}"
NO_PAGES = (*ENDLESS, ".png", ".webp", ".zip", ".csv", ".safetensors", "/preview", "/{file_id}")


@dataclass(frozen=True)
class World:
    server: Server
    person: User
    paths: tuple[str, ...]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A server with everything in every state; the engine never finishes what it begins."""
    settings = Settings(data=tmp_path_factory.mktemp("sizes"), _env_file=None)  # type: ignore[call-arg]
    with serve(create_app(settings, Painter(pause_at=0))) as server:
        person = make_person(server, Role.ADMIN, f"Wolfeschlegelsteinhausenbergerdorff {JAPANESE[:12]}")
        values = populate(server, make_person(server, Role.DESIGNER), person)
        with making(server) as make:
            make.session.get_one(User, person.id).email = f"{LONG[:60]}@{'sub.' * 10}example.com"
            states = list(in_states(make, make.session.get_one(User, person.id)))
            make.session.flush()
            make.session.execute(update(ImageSet).values(width=96, height=64))  # as the factory's pictures
            sets = [f"/sets/{each.id}" for each in states]
            last = [str(image.id) for image in states[-1].images]
            rooms = [f"/review?image={last[0]}", f"/images/{last[1]}/again", f"/compare?ids={','.join(last)}"]
        more, others = compared_and_judged(server, person, values)
        paths = (*addresses(server, person, values | more), *sets, *rooms, *others)
        expected = (
            *("/blind/{test_id}/judge", "/tunings/{tuning_id}", "/images/{image_id}/map", "/styles/{code}/bounds"),
            *("/sets/{set_id}/measures", "/brand/{of}/{of_id}", "/references/{reference_id}/advice"),
        )
        assert {fill(path, values | more) for path in expected} <= set(paths)
        yield World(server, person, paths)


def in_states(make: Factory, person: User) -> Iterator[ImageSet]:
    """A set in each state, with names and prompts that are hard to break into lines."""
    style = make.style(person, name=f"Style {LONG[:50]}", text=JAPANESE)
    common = {"prompts": PROMPTS, "campaign": f"Campaign {LONG[:60]}"}
    cancelled = make.image_set(person, style, name=f"Cancelled {DIGITS}", **common)
    make.session.flush()
    sets.cancel(make.session, person, cancelled.id)
    yield cancelled
    failed = make.image_set(person, style, name=f"Failed {JAPANESE}", **common)
    for image in failed.images:
        image.state, image.error = State.FAILED, f"The picture could not be made: {LONG}"
        image.unit.state = State.FAILED
    yield failed
    yield make.image_set(person, style, name="Running", **common)
    yield make.image_set(person, style, name="Waiting", **common)
    locked = make.finished_set(person, style, name=f"Locked {LONG[:60]}", **common)
    ids = [image.id for image in locked.images]
    make.decide(locked.images[0])
    make.decide(locked.images[1], Verdict.REJECTED)
    for number in range(10):
        gallery.tag(make.session, person, ids, f"tag {number} {LONG[: 3 * number]}")
    reviews.comment(make.session, person, ids[0], f"{LONG} {JAPANESE} {DIGITS}", 0.9, 0.1)
    reviews.lock(make.session, person, locked.id)
    yield locked
    open_set = make.finished_set(person, style, name=f"{JAPANESE}", **common)
    reviews.comment(make.session, person, open_set.images[0].id, f"{LONG} {JAPANESE} {DIGITS}", 0.9, 0.1)
    yield open_set


def addresses(server: Server, person: User, values: dict[str, str]) -> Iterator[str]:
    """The addresses that answer with a page, and the page for an address that does not exist."""
    known = defaultdict(lambda: "404", values | {"person_id": str(person.id)})
    with signed_in_browser(server, person) as browser:
        for method, path in routes():
            if method != "GET" or path in PROVIDER or path.endswith(NO_PAGES):
                continue
            address = fill(path + QUERIES.get(path, ""), known)
            answer = browser.get(address)
            whole = answer.headers.get("content-type", "").startswith("text/html") and "<html" in answer.text
            if answer.status_code == 200 and whole:
                yield address
    yield "/nothing"


@pytest.fixture
def context(world: World, chromium: Browser) -> Iterator[BrowserContext]:
    with open_context(world.server, world.person, chromium) as context:
        yield context


@contextmanager
def open_context(server: Server, person: User | None, chromium: Browser, **options: object) -> Iterator[BrowserContext]:
    context = chromium.new_context(base_url=server.url, reduced_motion="reduce", **options)  # type: ignore[arg-type]
    context.add_init_script(WATCH_SHIFTS)
    if person:
        with signed_in_browser(server, person) as browser:
            cookies = [{"name": name, "value": value, "url": server.url} for name, value in browser.cookies.items()]
        context.add_cookies(cookies)
    yield context
    context.close()


class Walk:
    """Opens pages and measures each at all sizes, without loading it again."""

    def __init__(self, page: Page, coarse: bool = False) -> None:
        self.page, self.coarse = page, coarse
        self.found: dict[str, list[str]] = {}  # where, by what
        self.overlays: dict[str, list[str]] = {}  # by the first page over which they open

    def resize(self, width: int, text: int = 100) -> None:
        self.page.set_viewport_size({"width": width, "height": HEIGHT})
        self.page.evaluate(RESIZED, [width, text])

    def open(self, path: str) -> None:
        self.resize(390)
        self.page.goto(path)
        shifted = self.page.evaluate("window.shifted")
        if shifted > SHIFT:  # perhaps it was painted before all of it had arrived, on a busy machine
            self.page.reload()
            shifted = self.page.evaluate("window.shifted")
        if shifted > SHIFT:
            self.note(f"shifts by {shifted:.3f}", path)
        known = {id for ids in self.overlays.values() for id in ids}
        if new := [id for id in self.page.evaluate(OVERLAYS) if id not in known]:
            self.overlays[path] = new
        sent = self.page.evaluate(SENT)
        if not 0 < sent <= SCRIPTS:
            self.note(f"{sent} bytes of scripts", path)
        self.measure(path)

    def measure(self, where: str) -> None:
        for text, width in product(TEXTS, WIDTHS):
            self.resize(width, text)
            self.look(f"{where} {width}/{text}")
            if SHOTS and width in (390, 1440):
                name = where.strip("/").replace("/", "-").replace("?", "-")
                self.page.screenshot(path=f"{SHOTS}/{name}-{width}-{text}.png")

    def look(self, where: str, inside: str = "body") -> None:
        """Note the faults at the present size."""
        asked = {"coarse": self.coarse, "inside": inside}
        faults = self.page.evaluate(MEASURE, asked)
        if faults:  # scripts may place things a moment after the resize, as the review room does its picture
            self.page.wait_for_timeout(SETTLED)
            faults = self.page.evaluate(MEASURE, asked)
        for fault in faults:
            self.note(fault, where)

    def note(self, fault: str, where: str) -> None:
        self.found.setdefault(fault, []).append(where)

    def report(self) -> str:
        return "\n".join(f"{fault}  [{len(where)}: {', '.join(where[:4])}]" for fault, where in self.found.items())


@pytest.fixture(scope="module")
def walked(world: World, chromium: Browser) -> Walk:
    """What a walk through all pages found."""
    with open_context(world.server, world.person, chromium) as context:
        walk = Walk(context.new_page())
        for path in world.paths:
            walk.open(path)
    return walk


def test_pages_without_anything_or_anyone_fit_too(world: World, chromium: Browser, tmp_path: Path) -> None:
    """A new server, and what people see who are not signed in."""
    with serve(create_app(Settings(data=tmp_path, _env_file=None), Painter())) as server:  # type: ignore[call-arg]
        person = make_person(server, Role.ADMIN)
        with server.resources.database.write() as session:
            token = accounts.invite(session, session.get_one(User, person.id), Role.DESIGNER)
        with open_context(server, person, chromium) as context:
            walk = Walk(context.new_page())
            for path in (
                "/",
                "/sets",
                "/sets/new",
                "/pictures",
                "/review",
                "/styles",
                "/subjects",
                "/exports",
                "/queue",
            ):
                walk.open(path)
        with open_context(server, None, chromium) as context:
            outside = Walk(context.new_page())
            for path in ("/login", f"/setup/{token}"):
                outside.open(path)
    assert not walk.found, walk.report()
    assert not outside.found, outside.report()


def test_main_acts_are_large_enough_for_a_finger(world: World, chromium: Browser) -> None:
    with open_context(world.server, world.person, chromium, has_touch=True, is_mobile=True) as context:
        walk = Walk(context.new_page(), coarse=True)
        for path in world.paths:
            walk.page.goto(path)
            for width in (390, 768):
                walk.resize(width)
                walk.look(f"{path} {width}")
    assert not walk.found, walk.report()


def test_what_is_chosen_from_a_list_is_read_whole(world: World, chromium: Browser) -> None:
    """Where the options are our own words; a name that somebody gave may be longer than a phone is wide."""
    measures = next(path for path in world.paths if re.fullmatch(r"/sets/\d+/measures", path))
    for locale in ("en", "ja"):
        with open_context(world.server, world.person, chromium, locale=locale) as context:
            walk = Walk(context.new_page())
            for path in ("/pictures", "/sets", "/record", "/people", measures):
                walk.page.goto(path)
                assert walk.page.locator("select:visible").count(), path
                for width in (390, 768):
                    walk.resize(width)
                    assert walk.page.evaluate(CUT_CHOICES) == [], f"{path} at {width} px in {locale}"


def test_every_page_fits_every_window(walked: Walk) -> None:
    assert not walked.found, walked.report()


def test_what_opens_over_a_page_fits_too(walked: Walk, context: BrowserContext) -> None:
    """Menus, filters, sheets and the dialog that asks."""
    assert {"account-menu", "keys", "facets"} <= {id for ids in walked.overlays.values() for id in ids}
    walk = Walk(context.new_page())
    for path, ids in walked.overlays.items():
        walk.page.goto(path)
        for text, width in product(TEXTS, OVERLAY_WIDTHS):
            walk.resize(width, text)
            for id in ids:
                walk.page.evaluate(SHOW, id)
                walk.look(f"{path}#{id} {width}/{text}", inside=f"#{id}")
                walk.page.evaluate(HIDE, id)
    assert not walk.found, walk.report()


def test_axe_finds_nothing_on_any_page_in_japanese_in_the_dark(world: World, chromium: Browser) -> None:
    """Main pages in English, light and dark, are checked where their stories are."""
    found: list[str] = []
    with open_context(world.server, world.person, chromium, locale="ja-JP", color_scheme="dark") as context:
        page = context.new_page()
        for path in world.paths:
            page.goto(path)
            assert page.locator("html").get_attribute("lang") == "ja", path
            found += faults(page, path)
    assert not found, "\n".join(found)
