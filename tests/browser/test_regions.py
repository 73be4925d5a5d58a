"""Regions of a set in a browser: drawn with the mouse, moved with keys, painted, undone, requested and shown."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.browser.test_story import make_a_style, set_up
from tests.demo import SIDE
from tests.web.process import Process

SAMPLE = Path(__file__).parents[2] / "static" / "samples" / "owl.webp"
MADE_WITHIN = 120_000  # ms, on a busy machine


@pytest.fixture
def page(chromium: Browser, watch: Callable[[Page], Page]) -> Page:
    return watch(chromium.new_context(viewport={"width": 1440, "height": 900}).new_page())


def asked(page: Page) -> Any:
    return json.loads(page.locator("input[name=regions]").input_value())


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    """From one point of the stage to another, as fractions."""
    stage = page.locator("[data-region-stage]")
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    assert box
    (x, y), (to_x, to_y) = ((box["x"] + box["width"] * a, box["y"] + box["height"] * b) for a, b in (start, end))
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(to_x, to_y, steps=4)
    page.mouse.up()


def test_regions_from_the_drawing_to_the_picture(
    page: Page, server: Process, tmp_path: Path, problems: list[str]
) -> None:
    set_up(page, server.setup_link)
    Image.open(SAMPLE).save(tmp_path / "owl.png")
    make_a_style(page, tmp_path / "owl.png")
    page.goto(server.url + "/sets/new")
    page.locator("#prompts").fill("a house")
    page.get_by_label("Custom").check()
    page.get_by_label("Width in px").fill(str(2 * SIDE))
    page.get_by_label("Height in px").fill(str(SIDE))
    page.get_by_text("Areas with their own prompt").click()
    shape = page.locator("[data-region-stage]").bounding_box()
    assert shape
    assert abs(shape["width"] / shape["height"] - 2) < 0.05

    # A box with the mouse, then directly its prompt; then moved and resized with keys.
    drag(page, (0.5, 0.1), (0.9, 0.9))
    page.keyboard.type("a fox")
    page.locator("[data-of=style_code]").select_option(label="Retro sunburst")
    (region,) = asked(page)
    assert region["prompt"] == "a fox"
    assert re.fullmatch(r"SOR-\w+", region["style_code"])
    assert region["box"] == pytest.approx([0.5, 0.1, 0.4, 0.8], abs=0.01)
    box = page.get_by_role("button", name=re.compile("Region 1, a fox"))
    box.focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Shift+ArrowRight")
    assert asked(page)[0]["box"] == pytest.approx([0.49, 0.11, 0.41, 0.8], abs=0.01)
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    left, _, width, _ = asked(page)[0]["box"]
    assert left + width <= 1

    # A corner with the mouse, a box by keyboard alone, and both undone.
    before = asked(page)[0]["box"]
    drag(page, (left + width - 0.005, before[1] + before[3] - 0.01), (0.8, 0.6))
    assert asked(page)[0]["box"][3] < before[3]
    page.get_by_role("button", name="Undo").click()
    assert asked(page)[0]["box"] == before
    page.get_by_role("button", name="Add box").press("Enter")
    expect(page.get_by_role("button", name=re.compile("Region 2, no prompt yet"))).to_be_focused()
    page.keyboard.press("Delete")
    assert len(asked(page)) == 1

    # A mask with the brush, stored on the server.
    page.locator("label").filter(has_text="Brush").first.click()
    with page.expect_response("**/regions/masks") as answer:
        drag(page, (0.1, 0.5), (0.3, 0.6))
    assert answer.value.ok
    expect(page.locator("input[name=regions]")).to_have_value(re.compile(r'"mask":"[0-9a-f]{64}"'))
    page.locator("#prompts").press("Control+Enter")  # refused: the second region has no prompt yet
    expect(page.get_by_text("Say what region 2 shows.")).to_be_visible()
    page.keyboard.type("a car")
    mask = asked(page)[1]["mask"]

    # Requested, shown with the set, and requested again.
    page.get_by_text("Advanced").click()
    page.get_by_role("textbox", name="Steps").fill("3")
    page.locator("#prompts").press("Control+Enter")
    page.wait_for_url(re.compile(r"/sets/\d+$"))
    expect(page.locator(".regions__used li")).to_have_count(2)
    expect(page.locator(".tile[data-state=finished]")).to_have_count(1, timeout=MADE_WITHIN)
    number = page.url.rsplit("/", 1)[1]
    page.goto(f"{server.url}/sets/new?from={number}")
    expect(page.get_by_label("Custom")).to_be_checked()
    expect(page.get_by_label("Width in px")).to_have_value(str(2 * SIDE))
    assert [part["prompt"] for part in asked(page)] == ["a fox", "a car"]
    assert asked(page)[1]["mask"] == mask

    # On a phone, nothing is wider than the screen.
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("button", name="Remove region 1").click()
    assert [part["prompt"] for part in asked(page)] == ["a car"]
    assert not problems


def test_a_30_to_1_panorama_is_refused_in_the_form(
    page: Page, server: Process, tmp_path: Path, problems: list[str]
) -> None:
    page.goto(server.url + "/login")
    page.get_by_label("E-mail").fill("haruka@example.com")
    page.get_by_label("Password").fill("a sentence of my own")
    page.locator("form button[type=submit]").first.click()
    page.goto(server.url + "/sets/new")
    page.locator("#prompts").fill("a house")
    page.get_by_label("Custom").check()
    page.get_by_label("Width in px").fill("1024")
    page.get_by_label("Height in px").fill("64")
    page.get_by_label("Width in px").fill("1920")
    page.locator("#prompts").press("Control+Enter")
    refusal = page.get_by_role("link", name="at most 16 times as long as it is high or wide; 1920 × 64 is 30 times")
    expect(refusal).to_be_visible()
    expect(page.get_by_label("Width in px")).to_have_value("1920")
    assert all("422" in problem for problem in problems)
