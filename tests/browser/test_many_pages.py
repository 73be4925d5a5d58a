"""More open pages than a browser opens connections: all load, all hear what happens, over one event stream."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from app.main import create_app
from app.models import ImageSet, Role, User, Verdict
from app.settings import Settings
from tests.engine.painter import Painter
from tests.web.server import Server, make_person, making, serve, signed_in_browser
from tests.web.test_sets import wait_until

PAGES = 10


@pytest.fixture
def server(settings: Settings) -> Iterator[Server]:
    with serve(create_app(settings, Painter())) as server:
        yield server


@pytest.fixture
def owner(server: Server) -> User:
    return make_person(server, Role.MANAGER, "Mori Haruka")


@pytest.fixture
def context(server: Server, owner: User, chromium: Browser) -> Iterator[BrowserContext]:
    with signed_in_browser(server, owner) as browser:
        cookies = [{"name": name, "value": value, "url": server.url} for name, value in browser.cookies.items()]
    context = chromium.new_context(base_url=server.url)
    context.add_cookies(cookies)
    yield context
    context.close()


def finished_sets(server: Server, owner: User, number: int) -> None:
    with making(server) as make:
        style = make.style(owner)
        for _ in range(number):
            make.finished_set(owner, style, prompts="a fox\nan owl")


def approve(server: Server, set_id: int) -> None:
    with making(server) as make:
        image = make.session.get_one(ImageSet, set_id).images[0]
        make.decide(image, Verdict.APPROVED)


def visible(page: Page, shown: bool) -> None:
    """As if the person looked at another tab, or came back."""
    page.evaluate(
        f"Object.defineProperty(document, 'hidden', {{ value: {str(not shown).lower()}, configurable: true }})"
    )
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def streams(server: Server, number: int) -> None:
    wait_until(lambda: len(server.resources.streams) == number)


def test_ten_pages_share_one_stream(
    server: Server, owner: User, context: BrowserContext, watch: Callable[[Page], Page], problems: list[str]
) -> None:
    finished_sets(server, owner, PAGES)
    pages = [watch(context.new_page()) for _ in range(PAGES)]
    for number, page in enumerate(pages, 1):
        page.goto(f"/sets/{number}")
    for number in range(1, PAGES + 1):
        approve(server, number)
    for page in pages:
        expect(page.locator("#progress")).to_contain_text("1 approved")
    streams(server, 1)
    one, *others = pages
    for page in others:
        page.close()
    with making(server) as make:
        make.decide(make.session.get_one(ImageSet, 1).images[1], Verdict.APPROVED)
    expect(one.locator("#progress")).to_contain_text("2 approved")
    one.close()
    streams(server, 0)
    assert not problems


def test_a_hidden_page_needs_no_stream_and_catches_up(server: Server, owner: User, context: BrowserContext) -> None:
    finished_sets(server, owner, 1)
    page = context.new_page()
    page.goto("/sets/1")
    streams(server, 1)
    visible(page, False)
    streams(server, 0)
    approve(server, 1)
    visible(page, True)
    expect(page.locator("#progress")).to_contain_text("1 approved")
    streams(server, 1)


def test_signing_out_in_one_page_ends_the_stream_of_all(server: Server, owner: User, context: BrowserContext) -> None:
    finished_sets(server, owner, 2)
    pages = [context.new_page() for _ in range(2)]
    for number, page in enumerate(pages, 1):
        page.goto(f"/sets/{number}")
        approve(server, number)
        expect(page.locator("#progress")).to_contain_text("1 approved")
    home = context.new_page()
    home.goto("/")
    home.get_by_role("button", name="Account").click()
    home.get_by_role("button", name="Sign out").click()
    for number, page in enumerate(pages, 1):
        page.wait_for_url(f"**/login?next=/sets/{number}")
    streams(server, 0)


def test_without_shared_workers_each_page_has_its_own(server: Server, owner: User, context: BrowserContext) -> None:
    context.add_init_script("delete window.SharedWorker")
    finished_sets(server, owner, 2)
    pages = [context.new_page() for _ in range(2)]
    for number, page in enumerate(pages, 1):
        page.goto(f"/sets/{number}")
    streams(server, 2)
    visible(pages[0], False)
    streams(server, 1)
    approve(server, 2)
    expect(pages[1].locator("#progress")).to_contain_text("1 approved")
