"""Subjects in a real browser: pictures are dropped, a training is watched, and a set names what was learned."""

import io
import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from app.main import create_app
from app.models import Role
from app.settings import Settings
from tests.browser.late import Late
from tests.engine.painter import Painter
from tests.style_aligned.drawings import drawing
from tests.web.server import Server, make_person, making, serve, signed_in_browser

SLOW = 120_000  # ms, on a busy machine


@pytest.fixture
def painted(settings: Settings) -> Iterator[Server]:
    """A server whose engine paints: this tests the page."""
    with serve(create_app(settings, Painter(pause_at=100))) as server:
        yield server


@pytest.fixture
def page(painted: Server, chromium: Browser, watch: Callable[[Page], Page]) -> Iterator[Page]:
    token = signed_in_browser(painted, make_person(painted, Role.DESIGNER)).cookies[painted.resources.cookie]
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, base_url=painted.url)
    context.add_cookies([{"name": painted.resources.cookie, "value": token, "url": painted.url}])
    page = watch(context.new_page())
    page.goto("/")
    yield page
    context.close()


def file(number: int) -> dict[str, object]:
    written = io.BytesIO()
    drawing(number).save(written, "PNG")
    return {"name": f"{number}.png", "mimeType": "image/png", "buffer": written.getvalue()}


def test_a_subject_from_dropped_pictures_to_a_set(painted: Server, page: Page, problems: list[str]) -> None:
    with making(painted) as make:
        make.style()
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Subjects").click()
    page.get_by_role("link", name="New subject").click()

    chooser = page.locator("[data-pictures]")
    chooser.set_input_files([file(0), file(1)])  # type: ignore[list-item]
    expect(page.locator("[data-kept-words]")).to_have_text("2 pictures, 1 more needed", timeout=SLOW)
    chooser.set_input_files([file(1)])  # type: ignore[list-item]
    expect(page.locator("[data-kept-error]")).to_contain_text("1.png is already there", timeout=SLOW)
    chooser.set_input_files([file(2), file(3)])  # type: ignore[list-item]
    expect(page.locator("[data-kept-words]")).to_have_text("4 pictures", timeout=SLOW)
    page.get_by_role("button", name="Remove this picture").first.click()
    expect(page.locator("[data-kept-words]")).to_have_text("3 pictures")
    page.locator("#name").fill("Blue mug")
    page.get_by_label("Kind of thing").fill("mug")
    page.get_by_text("Advanced").click()
    page.get_by_label("Steps").fill("150")
    page.get_by_role("button", name="Start training").click()

    page.wait_for_url(re.compile(r"/subjects/\d+$"))
    expect(page.locator("#subject")).to_contain_text(re.compile(r"Step \d+ of 150"), timeout=SLOW)
    expect(page.get_by_alt_text("Sample after 75 steps")).to_be_visible(timeout=SLOW)
    painted.resources.engine.go_on()
    expect(page.get_by_role("heading", name="Use in prompts")).to_be_visible(timeout=SLOW)

    page.get_by_role("link", name="New set").last.click()
    page.locator("#subjects summary").click()
    box = page.get_by_role("checkbox", name="@blue-mug")
    expect(box).not_to_be_checked()
    page.locator("#prompts").fill("@blue-mug on a beach")
    expect(box).to_be_checked()
    page.locator("#prompts").fill("a fox")
    expect(box).not_to_be_checked()
    box.check()
    page.locator("#subjects input[type=range]").fill("0.6")
    assert page.locator("[name=subjects]").input_value() == '[{"id":1,"weight":0.6}]'
    page.locator("#prompts").fill("a @blue-mug on a beach")
    page.get_by_role("button", name=re.compile("Generate")).first.click()
    page.wait_for_url(re.compile(r"/sets/\d+$"))
    expect(page.get_by_text("@blue-mug × 0.6")).to_be_visible()
    assert not problems


def test_pictures_on_their_way_are_neither_left_behind_nor_left_out(page: Page, problems: list[str]) -> None:
    page.goto("/subjects/new")
    page.wait_for_load_state()
    late = Late(page, "/subjects/pictures")
    page.locator("[data-pictures]").set_input_files([file(0), file(1), file(2)])  # type: ignore[list-item]
    late.wait()
    page.locator("#name").fill("Blue mug")
    page.get_by_label("Kind of thing").fill("mug")
    page.get_by_role("button", name="Start training").click()
    expect(page.locator("#toasts")).to_contain_text("Some pictures are still being uploaded.")
    with page.expect_event("dialog") as asked:
        page.once("dialog", lambda dialog: dialog.dismiss())
        page.get_by_role("link", name="Styles").first.click(no_wait_after=True)
    assert asked.value.type == "beforeunload"
    late.arrive()
    expect(page.locator("[data-kept-words]")).to_have_text("3 pictures", timeout=SLOW)
    page.get_by_role("button", name="Start training").click()
    page.wait_for_url(re.compile(r"/subjects/\d+$"))
    assert not problems


def test_a_lost_connection_is_one_quiet_line_that_goes_when_it_is_back(painted: Server, page: Page) -> None:
    painted.resources.engine.pause_at = 0
    with making(painted) as make:
        make.image_set(prompts="a fox")
    page.goto("/")
    expect(page.locator("#queue li")).to_have_count(1)
    lines = page.locator("#connection > span")
    page.context.set_offline(True)
    expect(lines).to_have_text("You are offline. What you typed stays on this page.", timeout=SLOW)
    page.evaluate("document.querySelector('#queue').dispatchEvent(new Event('every'))")
    expect(lines).to_have_count(1)
    page.context.set_offline(False)
    expect(lines).to_have_count(0, timeout=SLOW)
