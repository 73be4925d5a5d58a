"""Ways of sharing in a browser: a choice sets the numbers, a number chooses, all of it by keyboard, and it is saved."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from app.main import create_app
from app.models import Role, StyleVersion
from app.settings import Settings
from tests.browser.fit import misfits
from tests.engine.painter import Painter
from tests.web.server import Server, making, serve, signed_in_browser


@pytest.fixture
def server(settings: Settings) -> Iterator[Server]:
    with serve(create_app(settings, Painter())) as server:
        yield server


@pytest.fixture
def page(server: Server, chromium: Browser, watch: Callable[[Page], Page], problems: list[str]) -> Iterator[Page]:
    """The form of a new version, of a style that shares as new styles do."""
    with making(server) as make:
        owner = make.user(Role.DESIGNER)
        code = make.style(owner, share_group_norm=True, adain_values=True).code
    context = chromium.new_context(base_url=server.url, viewport={"width": 390, "height": 844})
    with signed_in_browser(server, owner) as browser:
        token = browser.cookies[server.resources.cookie]
    context.add_cookies([{"name": server.resources.cookie, "value": token, "url": server.url}])
    page = watch(context.new_page())
    page.goto(f"/styles/{code}/edit")
    yield page
    context.close()
    assert problems == []


def test_a_choice_sets_the_numbers_and_a_number_makes_them_ones_own(server: Server, page: Page) -> None:
    balanced, closest, none, own, published = (
        page.get_by_role("radio", name=re.compile(f"^{name}"))
        for name in ("Balanced", "Closest look", "No copying", "Own settings", "As published")
    )
    calibration, layers = page.locator("#calibration"), page.locator("#layers")
    expect(balanced).to_be_checked()
    expect(calibration).to_be_hidden()
    closest.check()
    page.get_by_text("Advanced").click()
    expect(calibration).to_have_value("1")
    expect(page.locator("#calibration_end")).to_have_value("0.5")
    closest.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(none).to_be_checked()
    expect(none).to_be_focused()
    expect(layers).to_have_value("up_blocks")
    expect(calibration).to_have_value("0")
    layers.select_option("")
    expect(balanced).to_be_checked()
    page.locator("#adain_values").uncheck()
    expect(published).to_be_checked()
    page.locator("#share_group_norm").uncheck()
    expect(own).to_be_checked()
    balanced.check()
    expect(page.locator("#adain_values")).to_be_checked()
    calibration.fill("0.25")
    expect(own).to_be_checked()
    assert misfits(page, "presets", full_page=True) == []
    page.get_by_role("button", name="Save version 2").click()
    expect(page.get_by_text("Own settings, colour calibration 0.25")).to_be_visible()
    with server.resources.database.read() as session:
        saved = session.query(StyleVersion).filter_by(number=2).one()
    assert (saved.calibration, saved.calibration_end, saved.adain_values) == (0.25, 1.0, True)


def test_what_is_no_number_is_no_presets(page: Page) -> None:
    page.get_by_text("Advanced").click()
    for typed in ("0,5", "0 of 1", ""):
        page.get_by_role("radio", name=re.compile("^Balanced")).check()
        page.locator("#calibration").fill(typed)
        expect(page.get_by_role("radio", name="Own settings")).to_be_checked()


def test_own_settings_open_the_numbers(page: Page) -> None:
    page.get_by_role("radio", name="Own settings").check()
    expect(page.locator("#calibration")).to_be_visible()
