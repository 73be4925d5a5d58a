"""The room in narrow windows: everything is available at 800 px, and a finger can pin."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from app.models import Role
from app.reviews import reasons
from tests.browser.review.room import dock, shown, tally
from tests.web.server import Server, making


def test_everything_is_available_at_800_px(enter: Callable[..., Page], problems: list[str]) -> None:
    page = enter(Role.MANAGER, viewport={"width": 800, "height": 900})
    shown(page, 1)
    expect(tally(page)).to_be_hidden()
    page.get_by_role("button", name="More").click()
    expect(tally(page)).to_have_text(re.compile("5 left"))
    page.get_by_label("White").check(force=True)
    expect(page.locator("#sur-white")).to_be_checked()
    for name in ("Compare next", "Reasons and approvals"):
        expect(page.get_by_role("link", name=name)).to_be_visible()
    expect(page.get_by_role("button", name="Lock the decisions of this set")).to_be_visible()
    page.get_by_role("button", name="Switch between light and dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", re.compile("light|dark"))
    page.get_by_role("button", name="Keyboard shortcuts").click()
    expect(page.get_by_role("heading", name="Keyboard")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", name="Keyboard")).to_be_hidden()
    page.keyboard.press("Escape")
    expect(tally(page)).to_be_hidden()
    page.keyboard.press("n")
    shown(page, 2)
    page.get_by_role("link", name="Next picture").click()
    shown(page, 3)
    page.get_by_role("link", name="Previous picture").click()
    shown(page, 2)
    dock(page).get_by_role("link", name="Next to review").click()
    shown(page, 3)
    page.keyboard.press("v")
    page.wait_for_url(re.compile(r"/compare\?ids=3"))
    assert not problems


def test_a_finger_pins_a_place(enter: Callable[..., Page], problems: list[str]) -> None:
    page = enter(has_touch=True, viewport={"width": 390, "height": 844})
    shown(page, 1)
    page.get_by_role("button", name="Pin", exact=True).tap()
    frame = page.locator("[data-frame]")
    expect(frame.get_by_text("Tap the picture")).to_be_visible()
    expect(page.locator("#room-said")).to_have_text("Tap the picture.")
    box = frame.bounding_box()
    assert box
    assert box["y"] >= 0
    assert box["y"] + box["height"] <= 844
    page.touchscreen.tap(box["x"] + box["width"] / 4, box["y"] + box["height"] / 2)
    assert float(page.locator("[data-x]").input_value()) == pytest.approx(0.25, abs=0.02)
    expect(page.locator("#composer textarea")).to_be_focused()
    expect(frame.get_by_text("Tap the picture")).to_be_hidden()
    page.locator("[data-aim]").tap()
    expect(frame.get_by_text("Tap the picture")).to_be_visible()
    page.locator("[data-aim]").tap()
    expect(frame.get_by_text("Tap the picture")).to_be_hidden()
    assert not problems


@pytest.mark.parametrize(("width", "height"), [(1280, 640), (390, 640)])
def test_a_long_list_of_reasons_stays_in_the_window(
    server: Server, enter: Callable[..., Page], width: int, height: int
) -> None:
    with making(server) as make:
        manager = make.user(Role.MANAGER)
        for number in range(8):
            reasons.add(make.session, manager, f"New reason {number}")
    page = enter(viewport={"width": width, "height": height})
    shown(page, 1)
    page.keyboard.press("r")
    box = page.locator("#reasons").bounding_box()
    assert box
    assert box["y"] >= 0
    assert box["y"] + box["height"] <= height
    last = page.get_by_role("button", name="New reason 7")
    last.scroll_into_view_if_needed()
    words = [each.bounding_box() for each in page.locator("#reasons button > span:last-child").all()]
    assert len({each["x"] for each in words if each}) == 1, "all begin at the same place"
