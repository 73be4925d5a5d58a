"""The room at every width, in light and dark, with large text; axe."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from app.models import Role
from app.reviews import service
from tests.browser.fit import faults
from tests.web.server import Server, making


@pytest.fixture
def lively(server: Server) -> Server:
    """With decisions, pins and a conversation that is resolved."""
    with making(server) as make:
        ito, manager = make.user(Role.REVIEWER, "Ito Kenji"), make.user(Role.MANAGER)
        service.set_approvals(make.session, manager, 1, 2)
        service.decide(make.session, ito, 1, "approved", None)
        service.decide(make.session, ito, 2, "rejected", None, "Off the look")
        service.comment(make.session, ito, 1, "The ear touches the ray, @佐藤 美咲. Ask @Ito Kenji.", 0.3, 0.3)
        done = service.comment(make.session, manager, 1, "口元の白がきれいです。", 0.6, 0.7)
        service.resolve(make.session, ito, done.thread_id)
    return server


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_it_fits_and_axe_finds_nothing(
    lively: Server, enter: Callable[..., Page], scheme: str, width: int, problems: list[str]
) -> None:
    page = enter(Role.MANAGER, "佐藤 美咲", color_scheme=scheme, reduced_motion="reduce")
    page.set_viewport_size({"width": width, "height": 900})
    for path in ("/review?set=1&image=1", "/review?set=1&image=2", "/review/settings"):
        page.goto(lively.url + path)
        for summary in page.locator("#room-threads summary").all():
            summary.click()
        found = faults(page, path)
        if "image=1" in path:
            page.keyboard.press("r")
            expect(page.locator("#reasons")).to_be_visible()
            found += faults(page, path)
            page.keyboard.press("Escape")
            page.keyboard.press("m")
            page.keyboard.type("@it")
            expect(page.get_by_role("listbox")).to_be_visible()
            found += faults(page, path)
        assert not found, path
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        if "image" in path:
            assert in_sight(page), "the decisions stay in sight"
    assert not problems


def test_large_text_keeps_the_decisions_in_sight(lively: Server, enter: Callable[..., Page]) -> None:
    page = enter(Role.REVIEWER, path="/review?set=1&image=1")
    assert page.evaluate("document.documentElement.scrollHeight <= innerHeight"), "at 1440 x 900 nothing scrolls"
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    assert in_sight(page)
    page.set_viewport_size({"width": 390, "height": 844})
    assert in_sight(page)


def in_sight(page: Page) -> bool:
    return page.locator("#decide button").evaluate_all(
        """buttons => buttons.length === 3 && buttons.every((button) => {
          const { left, right, top, bottom } = button.getBoundingClientRect();
          return left >= 0 && top >= 0 && right <= innerWidth && bottom <= innerHeight;
        })"""
    )
