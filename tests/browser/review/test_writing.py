"""Unsent text goes with the decision, waits while one looks elsewhere, and stays when something else is sent."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from app.models import Mention, Role, User
from app.reviews import service
from tests.browser.late import Late, held_saves
from tests.browser.review.room import HIDE, ahead, both, dock, shown, tally
from tests.web.server import Server, making


def field(page: Page) -> Locator:
    return page.locator("#composer textarea")


def pin_and_write(page: Page, words: str) -> None:
    """At 40 % from the left and 50 % from the top; then the keys belong to the room again."""
    page.keyboard.press("p")
    page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("Enter")
    page.keyboard.type(words)
    page.keyboard.press("Escape")


def test_a_comment_goes_with_the_decision(enter: Callable[..., Page], problems: list[str]) -> None:
    page = enter()
    shown(page, 1)
    ahead(page)
    expect(dock(page)).to_contain_text("Then opens the next picture")
    pin_and_write(page, "The ear is gone")
    expect(dock(page).get_by_text("Sends your comment and opens the next picture")).to_be_visible()
    page.keyboard.press("c")
    shown(page, 2)
    expect(field(page)).to_have_value("")
    expect(dock(page).get_by_text("Sends your comment and opens the next picture")).to_be_hidden()
    page.keyboard.press("ArrowLeft")
    shown(page, 1)
    expect(page.locator("#thread-1")).to_contain_text("The ear is gone")
    expect(page.locator("#pin-1 > svg")).to_have_attribute("x", "40.0%")
    expect(dock(page).locator(".standing li")).to_have_count(1)
    expect(field(page)).to_have_value("")
    assert not problems


def test_a_comment_that_goes_with_the_decision_is_no_draft(server: Server, enter: Callable[..., Page]) -> None:
    page = enter(path="/")
    pass_time = held_saves(page)
    page.goto(f"{server.url}/review?set=1")
    shown(page, 1)
    ahead(page)
    field(page).fill("The ear is gone")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    answer = Late(page, r"/decision$")
    dock(page).get_by_role("button", name="Request changes").click()
    answer.wait()
    pass_time()
    answer.arrive()
    shown(page, 2)
    expect(tally(page)).to_contain_text("4 left")
    pass_time()
    page.evaluate("fetch('/healthz').then(answer => answer.text())")
    assert [url for url in asked if url.endswith("/drafts")] == []


def test_a_comment_stays_when_the_decision_is_refused(enter: Callable[..., Page], problems: list[str]) -> None:
    one, two = both(enter)
    two.evaluate(HIDE, "hidden")  # so that it misses the change
    one.keyboard.press("c")
    expect(tally(one)).to_contain_text("4 left")
    pin_and_write(two, "The ear is gone")
    two.keyboard.press("a")
    expect(two.get_by_text("Ito Kenji just asked for changes to this picture")).to_be_visible()
    shown(two, 1)
    expect(field(two)).to_have_value("The ear is gone")
    expect(two.locator("[data-x]")).to_have_value("0.4000")
    expect(two.locator(".thread")).to_have_count(0)
    two.keyboard.press("a")
    shown(two, 2)
    two.keyboard.press("ArrowLeft")
    expect(two.locator("#thread-1")).to_contain_text("The ear is gone")
    assert not problems


def test_drafts_are_there_on_return(server: Server, enter: Callable[..., Page], problems: list[str]) -> None:
    with making(server) as make:
        service.comment(make.session, make.user(), 1, "Is this ear right?")
    page = enter()
    shown(page, 1)
    page.locator("#thread-1 summary").press("Enter")
    answer = page.get_by_role("textbox", name="Reply")
    answer.fill("No")
    answer.press("Escape")
    pin_and_write(page, "Brighter")
    for away, back, other in (("ArrowRight", "ArrowLeft", 2), ("n", "ArrowLeft", 2)):
        page.locator("body").press(away)
        shown(page, other)
        expect(field(page)).to_have_value("")
        expect(page.locator("[data-draft]")).to_be_hidden()
        page.keyboard.press(back)
        shown(page, 1)
        expect(field(page)).to_have_value("Brighter")
        expect(page.locator("[data-x]")).to_have_value("0.4000")
        expect(page.locator("[data-draft]")).to_be_visible()
        expect(answer).to_have_value("No")
        expect(answer).to_be_visible()
    page.keyboard.press("v")
    page.wait_for_url(re.compile("/compare"))
    page.get_by_role("link", name="Back").press("Enter")
    shown(page, 1)
    expect(field(page)).to_have_value("Brighter")
    field(page).press("Control+Enter")
    expect(page.locator("#thread-2")).to_contain_text("Brighter")
    expect(field(page)).to_have_value("")
    expect(page.locator("[data-x]")).to_have_value("")
    expect(answer).to_have_value("No")
    page.reload()
    expect(field(page)).to_have_value("")
    assert not problems


def test_what_is_open_stays_open_when_something_else_is_sent(enter: Callable[..., Page], problems: list[str]) -> None:
    page = enter(Role.MANAGER)
    shown(page, 1)
    page.keyboard.press("e")
    prompt = page.locator("#redo-form textarea")
    prompt.fill("a red fox")
    page.get_by_role("textbox", name="Comment").fill("The ear is gone")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#thread-1")).to_contain_text("The ear is gone")
    expect(prompt).to_be_visible()
    expect(prompt).to_have_value("a red fox")
    page.get_by_role("button", name="Resolve").press("Enter")
    expect(page.get_by_text("1 resolved")).to_be_visible()
    expect(prompt).to_have_value("a red fox")
    page.get_by_role("button", name="Redo picture").press("Enter")
    expect(page.get_by_role("heading", name="Versions 2")).to_be_visible()
    expect(prompt).to_be_hidden()
    expect(prompt).to_have_value("a fox")
    assert not problems


def test_lines_of_a_comment_stay_lines(enter: Callable[..., Page]) -> None:
    page = enter()
    shown(page, 1)
    field(page).fill("The ear:\n- longer\n\n- brighter")
    field(page).press("Control+Enter")
    assert page.locator("#said-1 p").inner_text() == "The ear:\n- longer\n\n- brighter"


def test_typing_a_seed_selects_it(enter: Callable[..., Page]) -> None:
    page = enter(Role.MANAGER)
    shown(page, 1)
    page.keyboard.press("e")
    form = page.locator("#redo-form")
    form.locator("label", has_text="Same").click()
    form.get_by_role("button", name="Redo picture").press("Enter")
    expect(form.locator("#seed-error")).to_be_visible()
    form.get_by_text("Custom:").click()
    own = form.get_by_label("Custom seed")
    expect(own).to_be_focused()
    expect(own).not_to_have_attribute("aria-invalid", "true")
    expect(form.locator("#seed-error")).to_have_count(0)


def test_nobody_mentions_themselves(enter: Callable[..., Page]) -> None:
    page = enter(name="Ito Kenji")
    shown(page, 1)
    page.keyboard.press("m")
    page.keyboard.type("@")
    expect(page.get_by_role("option", name="Mori Haruka")).to_be_visible()
    expect(page.get_by_role("option", name="Ito Kenji")).to_have_count(0)


def test_an_empty_comment_leaves_the_room_unchanged(enter: Callable[..., Page]) -> None:
    page = enter()
    shown(page, 1)
    field(page).fill("  ")
    field(page).press("Control+Enter")
    expect(page.get_by_text("Write a comment first.")).to_be_visible()
    shown(page, 1)
    expect(field(page)).to_have_value("  ")


@pytest.mark.parametrize("own", [False, True])
def test_a_refused_version_keeps_the_room_and_its_news(server: Server, enter: Callable[..., Page], own: bool) -> None:
    page, other = enter(Role.MANAGER), enter(Role.REVIEWER, "佐藤 美咲")
    shown(page, 1)
    here, title = page.url, page.title()
    page.keyboard.press("e")
    form = page.locator("#redo-form")
    form.locator("label", has_text="Custom:" if own else "Same").click()
    if own:
        form.get_by_label("Custom seed").fill("many")
    form.get_by_role("button", name="Redo picture").press("Enter")
    expect(form.locator("#seed-error")).to_be_visible()
    expect(form.locator("[data-summary]")).to_be_focused()
    assert (page.url, page.title()) == (here, f"1 thing to fix – {title}")
    shown(other, 1)
    other.keyboard.press("a")
    expect(dock(page).locator(".standing li")).to_have_count(1)
    expect(form.locator("#seed-error")).to_be_visible()


def test_a_mention_is_read_once_its_picture_is_shown(
    server: Server, enter: Callable[..., Page], problems: list[str]
) -> None:
    page = enter(path="/")
    with making(server) as make:
        haruka = make.session.query(User).filter_by(name="Mori Haruka").one()
        for image_id in (1, 2, 3):
            service.comment(make.session, haruka, image_id, "@Ito Kenji, is this right?")
    with page.expect_response("**/images/1/mentions") as answer:
        page.goto(server.url + "/review?set=1")
    assert answer.value.status == 204
    shown(page, 1)
    ahead(page)
    assert page.url == server.url + "/review?set=1"
    assert seen(server) == [True, False, False], "the second is only prefetched"
    with page.expect_response("**/images/2/mentions"):
        page.keyboard.press("a")
    shown(page, 2)
    assert seen(server) == [True, True, False]
    assert not problems


def seen(server: Server) -> list[bool]:
    with server.resources.database.read() as session:
        return [each.seen_at is not None for each in session.query(Mention).order_by(Mention.comment_id)]
