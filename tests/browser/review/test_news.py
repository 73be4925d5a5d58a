"""Others' acts show without a reload, and nothing being written is lost."""

import re
from collections.abc import Callable

from playwright.sync_api import APIResponse, Page, Route, expect

from app.models import Role
from app.reviews import service
from app.sets.queries import topic
from tests.browser.review.room import HIDE, ahead, both, dock, news, page_status, shown, tally
from tests.web.server import Server, make_person, making
from tests.web.test_sets import wait_until


def test_the_room_follows_what_others_do_and_keeps_what_is_written(
    enter: Callable[..., Page], problems: list[str]
) -> None:
    one, two = both(enter)
    two.keyboard.press("m")
    two.keyboard.type("The ear is")
    two.keyboard.press("ArrowLeft")
    one.keyboard.press("r")
    one.keyboard.press("1")
    shown(one, 2)
    expect(news(two)).to_have_text("Ito Kenji rejected this picture.")
    expect(dock(two)).to_contain_text(re.compile("Rejected.*by Ito Kenji.*Off the look", re.DOTALL))
    expect(page_status(two, 1)).to_have_accessible_name(re.compile("rejected"))
    expect(tally(two)).to_contain_text("4 left")
    two.keyboard.type("??")
    writing = two.get_by_role("textbox", name="Comment or pin a spot")
    expect(writing).to_have_value("The ear i??s")  # the caret is where it was
    two.keyboard.press("Control+Enter")
    expect(two.locator("#thread-1")).to_contain_text("The ear i??s")
    expect(writing).to_have_value("")
    two.locator("body").press("Escape")
    two.keyboard.press("a")  # after seeing it, without a prompt to look again
    shown(two, 2)
    one.keyboard.press("ArrowLeft")
    shown(one, 1)
    two.keyboard.press("ArrowLeft")
    shown(two, 1)
    two.get_by_role("button", name="Withdraw your decision").press("Enter")
    expect(news(one)).to_have_text("佐藤 美咲 withdrew the decision on this picture.")
    expect(dock(one).locator(".standing li")).to_have_count(1)
    assert not problems


def test_an_answer_is_kept_while_others_answer_and_resolve(enter: Callable[..., Page], problems: list[str]) -> None:
    one, two = enter(name="Ito Kenji"), enter(name="佐藤 美咲")
    for page in (one, two):
        shown(page, 1)
    one.keyboard.press("m")
    one.keyboard.type("The ear is gone")
    one.keyboard.press("Control+Enter")
    thread = two.locator("#thread-1")
    expect(thread).to_contain_text("The ear is gone")
    answer = thread.get_by_role("textbox", name="Reply")
    thread.locator("summary").press("Enter")
    answer.press_sequentially("It is behind @it")
    expect(two.get_by_role("option", name="Ito Kenji")).to_be_visible()
    one.locator("#answer-1 > summary").press("Enter")
    one.locator("#thread-1").get_by_role("textbox", name="Reply").fill("Or is it")
    one.keyboard.press("Control+Enter")
    expect(thread).to_contain_text("Or is it")
    expect(answer).to_be_focused()
    expect(answer).to_have_value("It is behind @it")
    two.keyboard.press("Enter")  # the list of people is still there
    expect(answer).to_have_value("It is behind @Ito Kenji ")
    one.locator("#thread-1").get_by_role("button", name="Resolve").press("Enter")
    expect(two.get_by_text("1 resolved")).to_be_visible()
    expect(answer).to_be_focused()
    two.keyboard.type("the leaf")
    two.keyboard.press("Control+Enter")
    expect(thread).to_contain_text("It is behind @Ito Kenji the leaf")
    expect(one.locator("#thread-1 mark")).to_have_text("@Ito Kenji")
    expect(news(one)).to_contain_text("佐藤 美咲 mentioned you in a comment on this picture.")
    assert not problems


def test_an_open_list_of_reasons_is_not_touched(enter: Callable[..., Page], problems: list[str]) -> None:
    one, two = both(enter)
    two.keyboard.press("r")
    one.keyboard.press("a")
    expect(news(two)).to_have_text("Ito Kenji approved this picture.")
    expect(page_status(two, 1)).to_have_accessible_name(re.compile("approved"))
    reasons = two.locator("#reasons")
    expect(reasons).to_be_visible()
    expect(dock(two).locator(".standing li")).to_have_count(0)
    two.keyboard.press("Escape")
    expect(dock(two).locator(".standing li")).to_have_count(1)
    two.keyboard.press("r")
    two.keyboard.press("1")
    shown(two, 2)
    assert not problems


def test_unseen_changes_are_not_decided_on(enter: Callable[..., Page], problems: list[str]) -> None:
    one, two = both(enter)
    two.keyboard.press("r")
    one.keyboard.press("a")
    expect(news(two)).to_have_text("Ito Kenji approved this picture.")
    two.keyboard.press("1")  # in the list that was open before
    expect(two.get_by_text("Ito Kenji just approved this picture. Check it before you decide.")).to_be_visible()
    shown(two, 1)
    assert not problems


def test_one_stream_for_a_set_however_many_pictures(
    server: Server, enter: Callable[..., Page], problems: list[str]
) -> None:
    with making(server) as make:
        make.finished_set(prompts="a whale", name="Winter", campaign="Winter")
    page = enter(path="/review")
    for number in range(1, 6):
        shown(page, number)
        page.keyboard.press("a" if number % 2 else "ArrowRight")
    shown(page, 6)
    ahead(page)
    wait_until(lambda: server.resources.bus._topics[topic(1)].watchers == 0)
    wait_until(lambda: server.resources.bus._topics[topic(2)].watchers == 1)
    assert len(server.resources.streams) == 1
    page.goto(server.url)
    wait_until(lambda: server.resources.bus._topics[topic(2)].watchers == 0)
    assert not problems


def test_a_connection_that_was_lost_misses_nothing(enter: Callable[..., Page]) -> None:
    one, two = enter(name="Ito Kenji"), enter(name="佐藤 美咲")
    shown(two, 1)
    two.wait_for_load_state()
    two.evaluate(HIDE, "hidden")
    one.keyboard.press("c")
    shown(one, 2)
    expect(dock(two).locator(".standing li")).to_have_count(0)
    two.evaluate(HIDE, "visible")
    expect(news(two)).to_have_text("Ito Kenji asked for changes to this picture.")
    expect(dock(two).locator(".standing li")).to_have_count(1)


def test_changes_during_a_request_are_requested_too(
    server: Server, enter: Callable[..., Page], problems: list[str]
) -> None:
    page = enter()
    page.add_init_script(COUNT)
    page.reload()
    shown(page, 1)
    ahead(page)
    ito = make_person(server, Role.REVIEWER, "Ito Kenji")
    held: list[tuple[Route, APIResponse]] = []

    def comment(body: str) -> None:
        with server.resources.database.write() as session:
            service.comment(session, ito, 1, body)
        server.app.state.dispatcher.changed(topic(1), [1])

    def answer(route: Route) -> None:
        """Late, and from before the second comment."""
        held.append((route, route.fetch()))
        comment("The tail")

    page.route("**/review?*known=*", answer, times=1)
    comment("The ear")
    expect(page.locator("html")).to_have_attribute("data-heard", "2")
    for route, early in held:
        route.fulfill(response=early)
    expect(page.locator("#room-threads")).to_contain_text("The tail")
    assert not problems


def test_a_new_number_of_approvals_is_reported(enter: Callable[..., Page], problems: list[str]) -> None:
    page, manager = enter(), enter(Role.MANAGER, "Mori Haruka", path="/review/settings")
    shown(page, 1)
    ahead(page)
    manager.get_by_label("Approvals needed in Autumn").select_option("2")
    expect(news(page)).to_have_text("Mori Haruka set the approvals needed in this campaign to 2.")
    expect(dock(page)).to_contain_text("0 of 2 approvals")
    assert not problems


# How often the stream had news.
COUNT = """(() => {
  let heard = 0;
  window.SharedWorker = class extends SharedWorker {
    constructor(...given) {
      super(...given);
      this.port.addEventListener("message", ({ data }) => {
        if (data.told.event === "news") document.documentElement.dataset.heard = ++heard;
      });
    }
  };
})()"""


def test_a_newer_version_and_a_deletion_are_reported(
    server: Server, enter: Callable[..., Page], problems: list[str]
) -> None:
    page, manager = enter(), enter(Role.MANAGER, "Mori Haruka")
    shown(page, 1)
    ahead(page)
    manager.locator("body").press("e")
    manager.locator("#redo-form").get_by_role("textbox", name="Prompt").fill("a red fox")
    manager.locator("#redo-form").get_by_role("button", name="Redo picture").press("Enter")
    expect(news(page)).to_contain_text("Version 2 of this picture is finished.")
    expect(dock(page)).to_contain_text("A newer version replaced this one.")
    expect(page.locator("#decide")).to_have_count(0)
    assert "set=1" in manager.url, "made again, in the same review"
    page.get_by_role("link", name="Open the newest version").press("Enter")
    shown(page, 6)
    manager.request.post(
        f"{server.url}/pictures/delete", form={"ids": "6", "query": "set=1"}, headers={"sec-fetch-site": "same-origin"}
    )
    expect(news(page)).to_have_text("Mori Haruka deleted this picture.")
    expect(dock(page)).to_contain_text("This picture was deleted")
    page.get_by_role("link", name="Open the current version").press("Enter")
    shown(page, 1)
    expect(page.locator("#decide")).to_be_visible()
    assert not problems
