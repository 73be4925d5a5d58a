"""Checklists in the review room, by keyboard: answered, approved, and what is not fine sent back."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from app.models import ImageSet, Role
from app.reviews import requirements
from tests.browser.review.room import dock, shown
from tests.web.server import Server, making


@pytest.fixture
def room(server: Server, enter: Callable[..., Page]) -> Page:
    """The first picture of a set whose campaign requires the list of Japan."""
    with making(server) as make:
        campaign_id = make.session.query(ImageSet).first().campaign_id  # type: ignore[union-attr]
        requirements.require(make.session, make.user(Role.MANAGER), campaign_id, [1])
    page = enter()
    shown(page, 1)
    return page


def test_a_list_is_answered_and_the_picture_approved(room: Page, problems: list[str]) -> None:
    count = room.locator("[data-checks-count]")
    expect(count).to_have_text("0 of 17")
    room.keyboard.press("a")
    expect(room.locator("#toasts")).to_contain_text("17 of 17 have no answer")
    shown(room, 1)
    room.keyboard.press("1")
    room.keyboard.press("3")
    expect(count).to_have_text("2 of 17")
    room.keyboard.press("Shift+K")
    expect(count).to_have_text("17 of 17")
    room.keyboard.press("a")  # waits for the answers
    shown(room, 2)
    room.get_by_role("link", name="Previous picture").click()  # arrows choose answers here
    shown(room, 1)
    expect(dock(room)).to_contain_text("Approved")
    expect(dock(room).get_by_role("link", name="Checklist answers")).to_be_visible()
    assert not problems


def test_what_is_not_fine_is_the_reason_for_changes(room: Page, problems: list[str]) -> None:
    room.keyboard.press("k")
    room.keyboard.press("2")
    room.keyboard.type("white lilies")
    reason = room.locator("#decide-reason")
    expect(reason).to_have_value(
        "Not fine: No white or yellow chrysanthemums, and no all-black-and-white wrapping, in a gift or celebration"
        " (white lilies)"
    )
    room.keyboard.press("Escape")
    room.keyboard.press("a")
    expect(room.locator("#toasts")).to_contain_text("Something is not fine")
    room.keyboard.press("c")
    shown(room, 2)
    room.get_by_role("link", name="Previous picture").click()  # arrows choose answers here
    shown(room, 1)
    expect(dock(room)).to_contain_text("white lilies")
    assert not problems
