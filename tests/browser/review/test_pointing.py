"""Pins and their conversations; zooming by mouse and by fingers."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from app.models import User
from tests.browser.review.room import shown
from tests.browser.touch import double_tap, spread, touch
from tests.web.server import Server, signed_in_browser


def test_talking_by_keyboard(server: Server, enter: Callable[..., Page], problems: list[str]) -> None:
    page = enter()
    shown(page, 1)
    page.keyboard.press("p")
    for key in ("Shift+ArrowLeft", "ArrowUp", "ArrowUp"):
        page.keyboard.press(key)
    expect(page.locator("#room-said")).to_have_text("40 % from the left, 48 % from the top")
    page.keyboard.press("Enter")
    page.keyboard.type("The ear is gone, @mori")
    expect(page.get_by_role("option", name="Mori Haruka")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    page.keyboard.type("please.")
    page.keyboard.press("Control+Enter")
    thread = page.locator("#thread-1")
    expect(thread).to_contain_text("The ear is gone, @Mori Haruka please.")
    pin = page.locator("#pin-1 > svg")
    expect(pin).to_have_attribute("x", "40.0%")
    expect(pin).to_have_attribute("y", "48.0%")
    expect(page.locator("[data-x]")).to_have_value("")  # the next comment has no pin
    page.get_by_role("link", name="Pin 1, comment of Ito Kenji").press("Enter")
    expect(thread).to_be_focused()

    haruka = enter_as(server, page, "Mori Haruka")
    expect(haruka.get_by_text("Ito Kenji mentioned you")).to_be_visible()
    haruka.get_by_role("link", name="View comment by Ito Kenji").press("Enter")
    haruka.locator("#thread-1 summary").press("Enter")
    haruka.get_by_role("textbox", name="Reply").fill("I will make it again.")
    haruka.get_by_role("button", name="Reply").press("Enter")
    expect(haruka.locator("#thread-1")).to_contain_text("I will make it again.")
    haruka.get_by_role("button", name="Resolve").press("Enter")
    expect(haruka.get_by_text("1 resolved")).to_be_visible()
    expect(haruka.locator("[data-pin]")).to_have_count(0)
    haruka.goto(server.url)
    expect(haruka.get_by_text("mentioned you")).to_have_count(0)
    haruka.context.close()
    assert not problems


def test_a_pin_is_seen_after_moving_to_another_picture(enter: Callable[..., Page], problems: list[str]) -> None:
    page = enter()
    shown(page, 1)
    page.keyboard.press("ArrowRight")
    shown(page, 2)
    page.keyboard.press("p")
    assert centre(page.locator("[data-draft]")) == pytest.approx((0.5, 0.5), abs=0.02)
    page.keyboard.press("Enter")
    page.keyboard.type("The lid")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#thread-1")).to_contain_text("The lid")
    assert centre(page.locator("#pin-1")) == pytest.approx((0.5, 0.5), abs=0.02)
    page.locator("body").press("ArrowLeft")
    shown(page, 1)
    page.keyboard.press("ArrowRight")
    shown(page, 2)
    assert centre(page.locator("#pin-1")) == pytest.approx((0.5, 0.5), abs=0.02)
    assert not problems


def centre(mark: Locator) -> tuple[float, float]:
    """Where in the picture something is drawn, as fractions of its sides."""
    box, frame = mark.bounding_box(), mark.page.locator("[data-frame]").bounding_box()
    assert box
    assert frame
    assert box["width"] > 20, "it is drawn"
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    return (middle[0] - frame["x"]) / frame["width"], (middle[1] - frame["y"]) / frame["height"]


def enter_as(server: Server, page: Page, name: str) -> Page:
    """Home, for an existing person."""
    with server.resources.database.read() as session:
        user = session.query(User).filter_by(name=name).one()
    browser = signed_in_browser(server, user)
    assert page.context.browser
    context = page.context.browser.new_context(viewport={"width": 1440, "height": 900})
    context.add_cookies([{"name": key, "value": value, "url": server.url} for key, value in browser.cookies.items()])
    browser.close()
    page = context.new_page()
    page.goto(server.url)
    return page


def test_a_click_pins_and_a_drag_moves_the_zoomed_picture(enter: Callable[..., Page], problems: list[str]) -> None:
    page = enter()
    shown(page, 1)
    frame = page.locator("[data-frame]")
    box = frame.bounding_box()
    assert box
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    for _ in range(4):
        page.keyboard.press("+")
    expect(frame).to_have_attribute("data-zoomed", "")
    page.mouse.move(*middle)
    page.mouse.down()
    page.mouse.move(middle[0] + 60, middle[1], steps=3)
    page.mouse.up()
    expect(page.locator("[data-x]")).to_have_value("")  # a drag is not a click
    moved = frame.evaluate("frame => Number(frame.style.getPropertyValue('--x'))")
    assert moved == pytest.approx(0.5 - 60 / box["width"] / 1.25**4, abs=0.002)
    page.mouse.click(*middle)
    assert float(page.locator("[data-x]").input_value()) == pytest.approx(moved, abs=0.002)
    expect(page.get_by_role("textbox", name="Comment or pin a spot")).to_be_focused()
    page.get_by_role("button", name="Remove pin").click()
    expect(page.locator("[data-x]")).to_have_value("")
    page.locator("body").press("0")
    expect(frame).not_to_have_attribute("data-zoomed", "")
    page.mouse.move(*middle)
    page.mouse.wheel(0, -400)
    expect(frame).to_have_attribute("data-zoomed", "")
    page.keyboard.press("Shift+ArrowRight")
    shown(page, 1)
    page.keyboard.press("ArrowRight")
    shown(page, 2)
    expect(frame).not_to_have_attribute("data-zoomed", "")
    assert not problems


def test_two_fingers_zoom_and_move_and_never_pin_or_swipe(enter: Callable[..., Page], problems: list[str]) -> None:
    page = enter(has_touch=True, viewport={"width": 390, "height": 844})
    shown(page, 1)
    frame = page.locator("[data-frame]")
    box = frame.bounding_box()
    assert box
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def view() -> list[float]:
        return frame.evaluate(
            "({ style }) => ['--zoom', '--x', '--y'].map((name) => Number(style.getPropertyValue(name)))"
        )

    touch(page, *spread(middle, 30, 60, 90))
    expect(frame).to_have_attribute("data-zoomed", "")
    assert view() == pytest.approx([3, 0.5, 0.5], abs=0.01)

    # Moving both fingers moves the picture. Then one finger moves it too, and does not change the picture.
    left, right = spread(middle, 30)[0]
    touch(page, [left, right], *[[(x + by, y + by) for x, y in (left, right)] for by in (10, 20, 40)])
    by = 40 / box["width"] / 3
    assert view() == pytest.approx([3, 0.5 - by, 0.5 - by], abs=0.01)
    touch(page, [middle], [(middle[0] + 60, middle[1])], [(middle[0] + 100, middle[1])])
    assert view()[1] == pytest.approx(0.5 - by - 100 / box["width"] / 3, abs=0.01)

    # Pinched together again, down to 100 % at most, which is smaller than the frame.
    touch(page, *spread(middle, 90, 60, 10))
    expect(frame).not_to_have_attribute("data-zoomed", "")
    assert view() == pytest.approx([256 / box["width"], 0.5, 0.5])
    double_tap(page, middle)
    expect(frame).to_have_attribute("data-zoomed", "")
    double_tap(page, middle)
    expect(frame).not_to_have_attribute("data-zoomed", "")
    shown(page, 1)
    expect(page.locator("[data-x]")).to_have_value("")

    # A tap sets an expected pin; one finger still pans and scrolls.
    page.keyboard.press("p")
    touch(page, *spread(middle, 30, 60, 30))
    expect(page.locator("[data-x]")).to_have_value("")
    page.touchscreen.tap(*middle)
    expect(page.locator("[data-x]")).to_have_value("0.5000")
    page.evaluate("scrollTo(0, 0)")  # from the comment field, which has the focus now
    touch(page, [middle], [(middle[0] - 60, middle[1])], [(middle[0] - 120, middle[1])])
    shown(page, 2)
    assert page.evaluate("visualViewport.scale") == 1, "the browser does not zoom the page"
    assert not problems


def test_a_double_click_zooms_and_pins_nothing(enter: Callable[..., Page], problems: list[str]) -> None:
    page = enter()
    shown(page, 1)
    frame, at = page.locator("[data-frame]"), page.locator("[data-x]")
    box = frame.bounding_box()
    assert box
    place = box["x"] + box["width"] / 4, box["y"] + box["height"] / 2
    page.mouse.dblclick(*place)
    expect(frame).to_have_attribute("data-zoomed", "")
    assert frame.evaluate("frame => Number(frame.style.getPropertyValue('--x'))") < 0.5
    expect(at).to_have_value("")
    page.keyboard.press("0")
    expect(frame).not_to_have_attribute("data-zoomed", "")
    page.mouse.click(*place)
    expect(at).to_have_value(re.compile("0.2[45]"))
    pinned = at.input_value()
    page.mouse.dblclick(place[0] + 50, place[1])
    expect(frame).to_have_attribute("data-zoomed", "")
    expect(at).to_have_value(pinned)  # it has not moved
    assert not problems
