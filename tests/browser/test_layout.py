"""Text and formats in a browser: the place is dragged, moved by keys and taken from suggestions; formats are kept."""

import re
from collections.abc import Callable, Iterator

import pytest
from PIL import Image as Picture
from playwright.sync_api import Browser, Page, expect

from app.files import Kind
from app.main import create_app
from app.models import Role
from app.settings import Settings
from tests.browser.fit import misfits
from tests.browser.late import Late
from tests.engine.painter import Painter
from tests.factory import encoded
from tests.web.server import Server, make_person, making, serve, signed_in_browser

SIDES = ("x", "y", "w", "h")


@pytest.fixture
def painted(settings: Settings) -> Iterator[Server]:
    """A server with two pictures that are black on the left and white on the right."""
    with serve(create_app(settings, Painter())) as server:
        with making(server) as make:
            picture = Picture.new("RGB", (512, 256), "white")
            picture.paste("black", (0, 0, 256, 256))
            for image in make.finished_set(prompts="a fox\nan owl", size="512x256").images:
                image.sha256 = make.files.put(Kind.IMAGES, encoded(picture))
        yield server


@pytest.fixture
def open_page(
    painted: Server, chromium: Browser, watch: Callable[[Page], Page], problems: list[str]
) -> Iterator[Callable[..., Page]]:
    token = signed_in_browser(painted, make_person(painted, Role.DESIGNER)).cookies[painted.resources.cookie]
    contexts = []

    def open_page(address: str, width: int = 1280, scripts: bool = True) -> Page:
        context = chromium.new_context(
            base_url=painted.url, viewport={"width": width, "height": 800}, java_script_enabled=scripts
        )
        contexts.append(context)
        context.add_cookies([{"name": painted.resources.cookie, "value": token, "url": painted.url}])
        page = watch(context.new_page())
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert problems == []


def sides(page: Page) -> list[float]:
    return [float(page.locator(f"#side-{side}").input_value()) for side in SIDES]


def test_the_place_is_dragged_and_measured_where_it_is_dropped(open_page: Callable[..., Page]) -> None:
    page = open_page("/images/1/layout?place=5,10,30,30&text=white&size=32")
    expect(page.locator("#h-read")).to_have_text("Text reads well here")
    stage, box = page.locator("#stage image").bounding_box(), page.locator("#place-box").bounding_box()
    assert stage
    assert box
    page.mouse.move(box["x"] + 20, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + 20 + 0.5 * stage["width"], box["y"] + 20, steps=3)
    page.mouse.up()
    expect(page.locator("#h-read")).to_have_text("Text is hard to read here")
    expect(page.locator("#placing-said")).to_have_text("Text is hard to read here")
    assert sides(page) == pytest.approx([55, 10, 30, 30], abs=0.3)
    assert "place=5" in page.url
    page.reload()
    expect(page.locator("#h-read")).to_have_text("Text is hard to read here")


def test_a_corner_resizes_and_a_drag_outside_draws_anew(open_page: Callable[..., Page]) -> None:
    page = open_page("/images/1/layout?place=10,10,30,30")
    stage = page.locator("#stage image").bounding_box()
    assert stage

    def drag(start: tuple[float, float], end: tuple[float, float]) -> None:
        for name, (x, y) in (("move", start), ("down", start), ("move", end), ("up", end)):
            if name == "move":
                page.mouse.move(stage["x"] + x * stage["width"], stage["y"] + y * stage["height"])
            else:
                getattr(page.mouse, name)()

    drag((0.4, 0.4), (0.6, 0.8))
    assert sides(page) == pytest.approx([10, 10, 50, 70], abs=0.5)
    drag((0.9, 0.9), (0.7, 0.5))
    assert sides(page) == pytest.approx([70, 50, 20, 40], abs=0.5)


def test_an_answer_that_comes_late_leaves_the_box_where_it_is_dragged(open_page: Callable[..., Page]) -> None:
    page = open_page("/images/1/layout?place=10,10,30,30")
    first = Late(page, r"/layout\?.*x=30")  # the answer to the first drag
    box, stage = page.locator("#place-box").bounding_box(), page.locator("#stage image").bounding_box()
    assert box
    assert stage
    right = 0.2 * stage["width"]
    page.mouse.move(box["x"] + 20, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + 20 + right, box["y"] + 20)
    page.mouse.up()
    page.mouse.down()
    page.mouse.move(box["x"] + 20 + 2 * right, box["y"] + 20)
    with page.expect_event("requestfinished", lambda request: "place=30" in request.url):
        first.arrive()
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert sides(page) == pytest.approx([50, 10, 30, 30], abs=0.3)
    page.mouse.up()
    page.wait_for_url("**/layout?place=50,10,30,30&**")


def test_keys_move_and_resize_and_keep_the_focus(open_page: Callable[..., Page]) -> None:
    page = open_page("/images/1/layout?place=20,20,30,30&size=32")
    page.locator("#place-box").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Shift+ArrowRight")
    assert sides(page) == [21, 21, 31, 30]
    page.wait_for_url("**/layout?place=21,21,31,30&**")
    page.keyboard.press("ArrowLeft")
    page.wait_for_url("**/layout?place=20,21,31,30&**")
    expect(page.locator("#place-box")).to_be_focused()


def test_own_words_are_drawn_as_they_are_typed(open_page: Callable[..., Page]) -> None:
    page = open_page("/images/1/layout?place=60,10,30,30&text=white&size=32")
    field = page.get_by_label("Your text")
    field.press_sequentially("Harvest sale")
    expect(page.locator("#placed p").first).to_have_text("Harvest sale")
    expect(field).to_be_focused()
    expect(page).to_have_url(re.compile("words=Harvest"))
    page.get_by_role("link", name="Another place").first.click()
    expect(page.locator("#h-read")).to_have_text("Text reads well here")
    expect(page.locator("#placed p").first).to_have_text("Harvest sale")


def test_a_text_that_no_address_holds_stays_in_its_field(open_page: Callable[..., Page]) -> None:
    page = open_page("/images/1/layout?place=60,10,30,30&text=white&size=32")
    field = page.get_by_label("Your text")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    field.fill("秋" * 5000)
    page.get_by_label("Bold").check()
    expect(field).to_have_js_property("validationMessage", "Your text can have at most 500 characters.")
    expect(field).to_have_value("秋" * 5000)
    field.fill("秋のセール")
    expect(page.locator("#placed p").first).to_have_text("秋のセール")
    assert all(len(url) < 1000 for url in asked)


def test_a_suggestion_moves_the_place_without_another_page(open_page: Callable[..., Page]) -> None:
    page = open_page("/images/1/layout?place=60,10,30,30&text=white&size=32")
    page.evaluate("window.same = true")
    page.get_by_role("link", name="Another place").first.click()
    expect(page.locator("#h-read")).to_have_text("Text reads well here")
    assert page.evaluate("window.same")
    assert sides(page)[0] < 21


def test_a_format_is_kept_for_the_review_room(open_page: Callable[..., Page]) -> None:
    page = open_page("/images/1/layout")
    page.locator("#format").select_option("instagram-story")
    expect(page.locator("#h-format")).to_have_text("Instagram story, 9:16")
    page.goto("/review?image=1")
    expect(page.locator("#laid")).to_have_attribute("data-format", "instagram-story")
    page.keyboard.press("s")
    expect(page.locator("#format")).to_be_focused()
    page.locator("#format").select_option("youtube")
    expect(page.locator("#laid")).to_have_attribute("data-format", "youtube")
    page.locator(".arrow--next").click()
    page.wait_for_url("**image=2")
    expect(page.locator("#laid")).to_have_attribute("data-format", "youtube")
    page.locator("#frame-2").click()  # a pin, although the format is over the picture
    expect(page.locator("[data-aim-words]")).to_contain_text("50 %")


def test_number_fields_work_without_scripts(open_page: Callable[..., Page]) -> None:
    page = open_page("/images/1/layout", scripts=False)
    for side, value in zip(SIDES, ("55", "10", "40", "30"), strict=True):
        page.locator(f"#side-{side}").fill(value)
    page.get_by_role("button", name="Show").click()
    assert "place=55,10,40,30" in page.url
    expect(page.locator("#h-read")).to_have_text("Text is hard to read here")


def test_it_fits_a_phone(open_page: Callable[..., Page]) -> None:
    page = open_page("/images/1/layout?place=10,10,60,50&format=a4", width=390)
    assert misfits(page, "layout") == []
