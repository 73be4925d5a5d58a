"""The page of the queue: dragging, and where the focus goes when a row is gone."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from app.main import create_app
from app.models import Role, User
from app.sets import style_maps
from app.settings import Settings
from tests.engine.painter import Painter
from tests.factory import MODEL
from tests.web.server import Server, make_person, making, serve, signed_in_browser


@pytest.fixture
def server(settings: Settings) -> Iterator[Server]:
    with serve(create_app(settings, Painter(slots=0))) as server:
        yield server


@pytest.fixture
def person(server: Server) -> User:
    return make_person(server, Role.DESIGNER, "Mori Haruka")


@pytest.fixture
def page(server: Server, person: User, chromium: Browser) -> Iterator[Page]:
    with signed_in_browser(server, person) as browser:
        cookies = [{"name": name, "value": value, "url": server.url} for name, value in browser.cookies.items()]
    context = chromium.new_context(base_url=server.url)
    context.add_cookies(cookies)
    yield context.new_page()
    context.close()


def test_designers_drag_their_own_over_what_is_of_others(server: Server, person: User, page: Page) -> None:
    with making(server) as make:
        me, other = make.session.get_one(User, person.id), make.user()
        style = make.style()
        for owner, name in ((me, "One"), (other, "Theirs"), (me, "Two"), (other, "Theirs too"), (me, "Three")):
            make.image_set(owner, style, name=name)
    page.goto("/queue")
    page.wait_for_load_state()
    row = page.locator("[data-queue] > li")
    row.filter(has_text="One").drag_to(row.filter(has_text="Two"))
    expect(page.locator("[data-toast]")).to_contain_text("Order changed.")
    expect(row.locator(".t")).to_contain_text(["Two", "Theirs", "One", "Theirs too", "Three"])


def test_when_a_row_is_gone_the_focus_goes_to_the_next(server: Server, person: User, page: Page) -> None:
    with making(server) as make:
        me = make.session.get_one(User, person.id)
        for image in make.finished_set(prompts="a crane\na pear\na bell").images:
            style_maps.ask(make.session, me, image.id, MODEL)
    page.goto("/queue")
    page.wait_for_load_state()
    cancel = page.get_by_role("button", name="Cancel")
    expect(cancel).to_have_count(3)
    cancel.nth(1).press("Enter")
    expect(cancel).to_have_count(2)
    expect(cancel.nth(1)).to_be_focused()
    cancel.nth(1).press("Enter")
    expect(cancel).to_have_count(1)
    expect(cancel).to_be_focused()
