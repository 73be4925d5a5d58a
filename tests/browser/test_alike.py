"""Lookalikes in a browser: the note of the set's page comes by itself, and its link shows the two as they are seen."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from app.files import Kind
from app.main import create_app
from app.models import Role
from app.quality.vision import Vision
from app.settings import Settings
from tests.browser.fit import misfits
from tests.browser.test_sizes import WATCH_SHIFTS
from tests.engine.painter import Painter
from tests.sets.test_alike import RED, as_seen, sign
from tests.web.server import Server, make_person, making, serve, signed_in_browser


@pytest.fixture
def painted(settings: Settings) -> Iterator[Server]:
    with serve(create_app(settings, Painter())) as server:
        with making(server) as make:
            inks = (RED, (16, 16, 16), as_seen(Vision.DEUTERANOPIA))
            for image, ink in zip(make.finished_set(prompts="red\nblack\ngreen").images, inks, strict=True):
                image.sha256 = make.files.put(Kind.IMAGES, sign(ink))
        yield server


@pytest.fixture
def page(painted: Server, chromium: Browser, watch: Callable[[Page], Page], problems: list[str]) -> Iterator[Page]:
    context = chromium.new_context(base_url=painted.url, viewport={"width": 390, "height": 800})
    context.add_init_script(WATCH_SHIFTS)
    token = signed_in_browser(painted, make_person(painted, Role.DESIGNER)).cookies[painted.resources.cookie]
    context.add_cookies([{"name": painted.resources.cookie, "value": token, "url": painted.url}])
    yield watch(context.new_page())
    context.close()
    assert problems == []


def test_the_note_leads_to_the_two_as_they_are_seen(page: Page) -> None:
    page.goto("/sets/1")
    note = page.locator("#alike")
    expect(page.locator("#alike-count")).to_have_text("1 pair")
    assert page.evaluate("window.shifted") == 0, "it moves no pictures as it comes"
    page.locator("#lookalikes > summary").click()
    expect(note).to_contain_text("pictures 1 and 3 look alike")
    assert misfits(page, "set") == []
    page.evaluate("document.body.dispatchEvent(new Event('soroe:done'))")  # asked for again when the set is done
    expect(note).to_contain_text("pictures 1 and 3 look alike")
    note.get_by_role("link", name="Compare as seen").click()
    page.wait_for_url("**/compare?**")
    expect(page.locator("html")).to_have_attribute("data-see", "deuteranopia")
    expect(page.locator("#seeing")).to_contain_text("as with deuteranopia")


def test_the_page_shows_each_pair_as_usual_and_as_seen(page: Page) -> None:
    page.goto("/sets/1/alike")
    seen = page.locator("img[data-sees=deuteranopia]")
    expect(seen).to_have_count(2)
    expect(page.locator("#see-deuteranopia")).to_be_attached()
    assert seen.first.evaluate("element => getComputedStyle(element).filter") == 'url("#see-deuteranopia")'
    expect(page.locator("html")).not_to_have_attribute("data-see", "deuteranopia")
    assert misfits(page, "lookalikes") == []


def test_an_unknown_vision_in_an_address_is_ignored(page: Page) -> None:
    page.goto("/pictures?see=%22%3E")
    assert page.locator("html").get_attribute("data-see") is None
