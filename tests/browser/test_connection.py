"""The network or the server goes away and comes back: pages say so, keep what was typed, and catch up."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from app.main import create_app
from app.models import Role, User
from app.settings import Settings
from tests.browser.fit import faults
from tests.browser.review.room import ahead, shown
from tests.browser.test_sizes import WATCH_SHIFTS
from tests.engine.painter import Painter
from tests.web.server import Server, make_person, making, serve, signed_in_browser

AWAY = "The server cannot be reached. What you typed stays on this page."
OFFLINE = "You are offline. What you typed stays on this page."
PROMPTS = ("an owl", "a fox", "a teapot", "a bicycle", "an apple")
COUNT = 14  # of each, together more than a page of the gallery


@pytest.fixture
def person(settings: Settings) -> Iterator[User]:
    """The person whose pages are open. Each test starts and stops the server itself."""
    with serve(create_app(settings, Painter())) as server:
        person = make_person(server, Role.MANAGER, "佐藤 美咲")
        with making(server) as make:
            owner = make.user(Role.DESIGNER, "Mori Haruka")
            make.finished_set(owner, prompts="\n".join(PROMPTS), count=COUNT, name="Autumn table")
        yield person


def signed_in(chromium: Browser, server: Server, person: User) -> BrowserContext:
    context = chromium.new_context(base_url=server.url, viewport={"width": 1440, "height": 900})
    context.add_init_script(WATCH_SHIFTS)
    with signed_in_browser(server, person) as browser:
        context.add_cookies(
            [{"name": name, "value": value, "url": server.url} for name, value in browser.cookies.items()]
        )
    return context


def opened(context: BrowserContext, path: str) -> Page:
    page = context.new_page()
    page.goto(path)
    return page


def test_a_server_that_goes_and_comes_back_loses_nothing(settings: Settings, chromium: Browser, person: User) -> None:
    with serve(create_app(settings, Painter(pause_at=1))) as server:
        port = int(server.url.rsplit(":", 1)[1])
        context = signed_in(chromium, server, person)
        with making(server) as make:
            running = make.image_set(make.session.get_one(User, person.id), name="Winter", prompts="a snowman").id
        live = opened(context, f"/sets/{running}")
        room = opened(context, "/review?set=1&image=1")
        gallery = opened(context, "/pictures")
        form = opened(context, "/sets/new")
        form.locator("#prompts").fill("a fox")
        expect(form.locator("#set-form [data-typed-words]")).to_contain_text("Draft saved")
        ahead(room)
    expect(live.locator("#connection")).to_have_text(AWAY)
    expect(room.locator("#connection")).to_have_text(AWAY)
    room.keyboard.press("a")
    expect(room.get_by_text("The server could not be reached, so your decision was not saved")).to_be_visible()
    shown(room, 1)
    gallery.locator("#q").fill("owl")
    gallery.keyboard.press("Enter")
    expect(gallery.locator("#toasts")).to_contain_text("The server could not be reached")
    expect(gallery.locator("#connection")).to_have_text(AWAY)
    form.locator("#prompts").fill("a fox\nan owl")
    expect(form.locator("#connection")).to_have_text(AWAY)
    form.locator("#prompts").press("Control+Enter")
    expect(form.locator("#toasts")).to_contain_text("Not sent, because the server cannot be reached")
    expect(form.locator("#prompts")).to_have_value("a fox\nan owl")
    assert not faults(form, "away")
    with serve(create_app(settings, Painter()), port=port) as server:
        for page in (live, room, gallery, form):
            expect(page.locator("#connection")).to_be_empty()
        expect(live).to_have_title("Winter · Soroe")
        expect(live.locator("#pictures img")).to_have_count(1)
        room.keyboard.press("a")
        shown(room, 2)
        gallery.locator("#q").press("Enter")
        expect(gallery.locator("#pictures > li")).to_have_count(COUNT)
        expect(form.locator("#set-form [data-typed-words]")).to_contain_text("Draft saved")
        form.locator("#prompts").press("Control+Enter")
        form.wait_for_url("**/sets/3")
        context.close()


def test_a_browser_that_is_offline_says_so_without_moving_the_page(
    settings: Settings, chromium: Browser, person: User
) -> None:
    with serve(create_app(settings, Painter())) as server:
        context = signed_in(chromium, server, person)
        gallery = context.new_page()
        gallery.route("**/pictures?after=*", lambda route: route.abort())
        with gallery.expect_event("requestfailed", lambda request: "after=" in request.url):
            gallery.goto("/pictures")
            gallery.evaluate("scrollTo(0, document.body.scrollHeight)")
        gallery.unroute("**/pictures?after=*")
        pages = [gallery, *(opened(context, path) for path in ("/", "/sets/1", "/review?set=1&image=1", "/sets/new"))]
        for page in pages:
            page.evaluate("window.shifted = 0")
        context.set_offline(True)
        for page in pages:
            expect(page.locator("#connection")).to_have_text(OFFLINE)
        assert gallery.evaluate("window.shifted") == 0
        context.set_offline(False)
        expect(gallery.locator("#pictures > li")).to_have_count(COUNT * len(PROMPTS))
        for page in pages:
            expect(page.locator("#connection")).to_be_empty()
        context.close()


def test_a_form_that_is_sent_while_the_server_comes_back_is_sent(
    settings: Settings, chromium: Browser, person: User
) -> None:
    """Pressed before the page has noticed: it asks, and sends."""
    with serve(create_app(settings, Painter())) as server:
        context = signed_in(chromium, server, person)
        page = opened(context, "/sets/new")
        page.route("**/healthz", lambda route: route.abort())
        page.evaluate("dispatchEvent(new Event('offline'))")
        expect(page.locator("#connection")).to_have_text(AWAY)
        page.unroute("**/healthz")
        page.locator("#prompts").fill("a fox")
        page.locator("#prompts").press("Control+Enter")
        page.wait_for_url("**/sets/2")
        context.close()
