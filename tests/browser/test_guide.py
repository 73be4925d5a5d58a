"""The guide by keyboard, explanations next to settings, and the exercise with a map, in a browser."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from app.main import create_app
from app.models import Role
from app.settings import Settings
from tests.browser.fit import faults
from tests.engine.painter import Painter
from tests.web.server import make_person, making, serve, signed_in_browser


@pytest.fixture
def page(chromium: Browser, settings: Settings, watch: Callable[[Page], Page]) -> Iterator[Page]:
    with serve(create_app(settings, Painter())) as server:
        with making(server) as make:
            make.style(make.user(Role.DESIGNER))
        browser = signed_in_browser(server, make_person(server, Role.DESIGNER, "Ito Kenji"))
        context = chromium.new_context(base_url=server.url, viewport={"width": 390, "height": 844})
        context.add_cookies(
            [{"name": name, "value": value, "url": server.url} for name, value in browser.cookies.items()]
        )
        browser.close()
        yield watch(context.new_page())
        context.close()


def test_arrows_turn_pages_and_slides(page: Page, problems: list[str]) -> None:
    page.goto("/guide/reference")
    assert not faults(page, "a page of the guide")
    page.keyboard.press("ArrowRight")
    expect(page).to_have_url("/guide/prompts")
    page.keyboard.press("ArrowLeft")
    expect(page).to_have_url("/guide/reference")
    page.goto("/guide/workshop/2")
    page.keyboard.press("ArrowRight")
    expect(page).to_have_url("/guide/workshop/3")
    assert not faults(page, "a slide")
    assert not problems


def test_a_setting_is_explained_by_keyboard_and_the_focus_returns(page: Page, problems: list[str]) -> None:
    page.goto("/sets/new")
    button = page.get_by_role("button", name="About Strength")
    button.focus()
    page.keyboard.press("Enter")
    explanation = page.locator("#why-strength")
    expect(explanation).to_be_visible()
    expect(explanation.get_by_role("link", name="More in the guide")).to_have_attribute("href", "/guide/strength")
    box, width = explanation.bounding_box(), 390
    assert box
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    page.keyboard.press("Escape")
    expect(explanation).to_be_hidden()
    expect(button).to_be_focused()
    assert not problems


def test_the_exercise_about_structure_brings_its_map(page: Page, problems: list[str]) -> None:
    page.goto("/guide/structure")
    page.get_by_role("link", name="Try it: a teapot from its outline").click()
    use = page.get_by_role("button", name="Use this map")
    expect(use).to_be_enabled()
    use.click()
    expect(page.locator("[name=structures]")).to_have_value(
        '[{"control":"edges","maps":[1],"weight":1,"start":0,"end":1}]'
    )
    expect(page.locator("#prompts")).to_have_value("a teapot")
    assert not problems
