"""What a tab tells while another one is looked at: progress in its title and icon, its end, and one notification."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from app.main import create_app
from app.models import ImageSet, Role
from app.settings import Settings
from tests.browser.test_many_pages import visible
from tests.browser.test_sizes import WATCH_SHIFTS
from tests.engine.painter import Painter
from tests.web.server import Server, make_person, making, serve, signed_in_browser
from tests.web.test_sets import post_set, wait_until

# The browser's own notifications, which are also noted.
NOTED = """
window.noted = [];
window.Notification = class extends Notification {
  constructor(title, options) {
    super(title, options);
    window.noted.push([title, options.body]);
  }
};
"""


@pytest.fixture
def engine() -> Painter:
    return Painter()


@pytest.fixture
def server(settings: Settings, engine: Painter) -> Iterator[Server]:
    with serve(create_app(settings, engine)) as server:
        yield server


@pytest.fixture
def path(server: Server, engine: Painter) -> str:
    """The page of a set that waits for the test at its third step."""
    engine.step_seconds, engine.pause_at = 0.02, 3
    with making(server) as make:
        code = make.style().code
    with signed_in_browser(server, make_person(server, Role.DESIGNER, "Mori Haruka")) as browser:
        server.cookies = dict(browser.cookies)  # type: ignore[attr-defined]  # of the person whose pages open below
        return post_set(browser, code, "a fox\na teapot", name="Autumn", steps="6")


@pytest.fixture
def context(server: Server, path: str, chromium: Browser) -> Iterator[BrowserContext]:
    context = chromium.new_context(base_url=server.url)
    cookies = server.cookies  # type: ignore[attr-defined]
    context.add_cookies([{"name": name, "value": value, "url": server.url} for name, value in cookies.items()])
    context.add_init_script(NOTED)
    yield context
    context.close()


def drawn(page: Page) -> bool:
    """Whether the tab's icon is drawn by the page."""
    return str(page.locator("link[rel=icon]").get_attribute("href")).startswith("blob:")


def test_a_hidden_tab_shows_how_far_its_set_is_and_that_it_ended(
    context: BrowserContext, engine: Painter, path: str
) -> None:
    page = context.new_page()
    page.goto(path)
    expect(page).to_have_title("(0/2) Autumn · Soroe")
    assert drawn(page)
    assert page.get_by_role("progressbar", name="Pictures of the set").get_attribute("aria-valuenow") != "100"
    visible(page, False)
    engine.go_on()
    expect(page).to_have_title("✓ Autumn · Soroe")
    assert drawn(page)
    visible(page, True)
    expect(page).to_have_title("Autumn · Soroe")
    assert not drawn(page)


def test_one_of_several_tabs_notifies_once(context: BrowserContext, engine: Painter, path: str) -> None:
    context.grant_permissions(["notifications"])
    page, other, elsewhere = (context.new_page() for _ in range(3))
    for each, address in ((page, path), (other, path), (elsewhere, "/account")):
        each.goto(address)
    page.get_by_role("button", name="Notify me when it’s done").click()
    for each in (page, other):
        expect(each.get_by_role("button", name="You will be notified")).to_have_attribute("aria-pressed", "true")
    visible(page, False)
    engine.go_on()
    expect(other).to_have_title("Autumn · Soroe")
    tabs = page, other, elsewhere
    wait_until(lambda: page.evaluate("Object.values(localStorage).includes('{}')"))
    assert [each for tab in tabs for each in tab.evaluate("noted")] == [["Autumn", "2 of 2 finished"]]


def test_nothing_moves_while_a_set_is_made_and_ends(context: BrowserContext, engine: Painter, path: str) -> None:
    """What changes is replaced in its place; a form that moves within a tile keeps the focus."""
    context.add_init_script(WATCH_SHIFTS)
    page = context.new_page()
    page.goto(path)
    expect(page.get_by_role("button", name="Notify me when it’s done")).to_be_visible()
    caption = page.locator("#place-1 .tile__cap").element_handle()
    top = page.locator("#pictures").bounding_box()
    engine.go_on()
    expect(page).to_have_title("Autumn · Soroe")
    expect(page.locator("#pictures a img")).to_have_count(2)
    assert page.locator("#pictures").bounding_box() == top
    expect(page.get_by_role("button", name="Notify me when it’s done")).to_be_hidden()
    assert page.evaluate("kept => kept === document.querySelector('#place-1 .tile__cap')", caption)
    assert page.evaluate("window.shifted") < 0.03, "words and buttons around the pictures are replaced by others"


def test_who_denies_notifications_is_told(context: BrowserContext, path: str) -> None:
    page = context.new_page()
    page.goto(path)
    page.evaluate("Notification.requestPermission = async () => 'denied'")
    page.get_by_role("button", name="Notify me when it’s done").click()
    expect(page.get_by_role("status").filter(has_text="are blocked")).to_be_visible()


def test_pausing_replaces_a_part_of_the_page_and_keeps_the_focus(
    server: Server, context: BrowserContext, path: str
) -> None:
    """On the page of a set that waits behind another, and on that of the queue."""
    with making(server) as make:
        waiting = make.image_set(make.session.get_one(ImageSet, 1).owner, name="Winter").id
    page = context.new_page()
    for address, name in ((f"/sets/{waiting}", "the set"), ("/queue", "Winter")):
        page.goto(address)
        page.evaluate("window.stays = true")
        for act, then in (("Pause", "Resume"), ("Resume", "Pause")):
            page.get_by_role("button", name=f"{act} {name}").press("Enter")
            expect(page.get_by_role("button", name=f"{then} {name}")).to_be_focused()
            expect(page.locator("[data-toast]")).to_contain_text("Paused" if act == "Pause" else "Resumed")
        assert page.evaluate("window.stays")
