"""Decisions by keyboard and by swiping, immediate, undone, and by two people; the queue and its settings."""

import re
from collections.abc import Callable

from playwright.sync_api import Page, Route, expect

from app import slow
from app.models import Image, Role
from app.styles import service as styles
from app.styles.spec import ReferenceSpec
from tests.browser.review.room import HIDE, ahead, both, dock, page_status, shown, tally
from tests.web.server import Server, making


def test_an_empty_room(server: Server, enter: Callable[..., Page], problems: list[str]) -> None:
    with making(server) as make:
        for image in make.session.query(Image):
            make.decide(image)
    page = enter(path="/review")
    expect(page.get_by_role("heading", name="All reviewed")).to_be_visible()
    page.keyboard.press("+")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator("#room-filter")).to_be_visible()
    assert not problems


def test_a_held_key_and_a_double_click_decide_on_one_picture(enter: Callable[..., Page], server: Server) -> None:
    page = enter()
    shown(page, 1)
    page.keyboard.down("a")
    shown(page, 2)
    page.keyboard.down("a")  # repeats
    page.keyboard.up("a")
    place = page.get_by_role("button", name="Approve").bounding_box()
    assert place
    page.mouse.click(place["x"] + 9, place["y"] + 9)
    shown(page, 3)
    page.mouse.down(click_count=2)  # the second click of a double click, on the next picture's button
    page.mouse.up(click_count=2)
    page.get_by_role("button", name="Request changes").focus()
    page.keyboard.down("Enter")
    shown(page, 4)
    page.get_by_role("button", name="Approve").focus()
    page.keyboard.down("Enter")  # repeats
    page.keyboard.up("Enter")
    page.keyboard.press("ArrowLeft")
    shown(page, 3)
    expect(dock(page)).to_contain_text("Changes requested")
    with server.resources.database.read() as session:
        decided = {image.position: image.decision for image in session.query(Image)}
    assert decided == {1: "approved", 2: "approved", 3: "changes_requested", 4: None, 5: None}


def test_decisions_by_keyboard(enter: Callable[..., Page], problems: list[str]) -> None:
    page = enter()
    shown(page, 1)
    page.keyboard.press("a")
    shown(page, 2)
    page.keyboard.press("r")
    reasons = page.locator("#reasons")
    expect(reasons).to_be_visible()
    page.keyboard.press("Escape")
    expect(reasons).to_be_hidden()
    page.keyboard.press("r")
    page.keyboard.press("3")
    shown(page, 3)
    page.keyboard.press("f")
    page.keyboard.press("c")
    shown(page, 4)
    expect(page.locator(".duo .ref")).to_be_hidden()  # also in the prefetched room
    page.keyboard.press("z")  # on second thoughts, no
    shown(page, 3)
    expect(dock(page).locator(".standing")).to_have_count(0)
    page.keyboard.press("ArrowLeft")
    shown(page, 2)
    expect(dock(page)).to_contain_text(re.compile("Rejected.*by Ito Kenji.*Shape or anatomy is wrong", re.DOTALL))
    page.keyboard.press("n")
    shown(page, 3)
    page.keyboard.press("r")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    shown(page, 4)
    page.keyboard.press("a")
    shown(page, 5)
    page.keyboard.press("a")
    expect(page.get_by_role("heading", name="All reviewed")).to_be_visible()
    assert not problems


def test_z_withdraws_when_the_toast_is_gone(enter: Callable[..., Page], problems: list[str]) -> None:
    page = enter()
    shown(page, 1)
    page.keyboard.press("a")
    shown(page, 2)
    expect(page.get_by_role("button", name="Undo")).to_be_visible()
    page.keyboard.press("ArrowLeft")
    shown(page, 1)
    page.reload()
    expect(page.get_by_role("button", name="Undo")).to_have_count(0)
    page.keyboard.press("z")
    expect(dock(page).locator(".standing")).to_have_count(0)
    shown(page, 1)
    assert not problems


def test_the_references_one_after_the_other(server: Server, enter: Callable[..., Page], problems: list[str]) -> None:
    with making(server) as make:
        owner = make.user()
        one, two = make.reference(owner), make.reference(owner)
        parts = tuple(ReferenceSpec(reference_id=each.id) for each in (one, two))
        style = styles.create(make.session, owner, make.draft(one, references=parts))
        make.session.flush()
        make.finished_set(owner, style, prompts="a whale\na bell")
    page = enter(path="/review?set=2")
    first, second = page.locator(".duo .ref").all()
    expect(second).to_be_hidden()
    page.keyboard.press("Shift+F")
    expect(second).to_be_visible()
    expect(first).to_be_hidden()
    page.locator("body").press("ArrowRight")
    shown(page, 7)
    expect(second).to_be_visible()
    second.get_by_role("button", name="Next reference").press("Enter")
    expect(first.get_by_role("button", name="Next reference")).to_be_focused()
    first.get_by_role("button", name="Previous reference").press("Enter")
    expect(second).to_be_visible()
    page.locator("body").press("f")
    expect(second).to_be_hidden()
    assert not problems


def test_the_next_picture_is_there_before_the_server_has_answered(
    server: Server, enter: Callable[..., Page], problems: list[str]
) -> None:
    page = enter()
    shown(page, 1)
    ahead(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.removeprefix(server.url)))
    with slow.permitted(), server.resources.database.write() as busy:
        busy.connection()  # decisions now wait until this has ended
        page.keyboard.press("a")
        shown(page, 2)
        assert page.locator("[data-frame] img").evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
        expect(tally(page)).to_contain_text("5 left")  # the server has not stored it yet
        page.keyboard.press("c")  # the second decision waits for the first
        shown(page, 3)
        assert asked.count("/images/1/decision") == 1
        assert "/images/2/decision" not in asked
        assert not [path for path in asked if "image=2" in path], "its page had come before"
    expect(tally(page)).to_contain_text("3 left")
    shown(page, 3)
    for number in (2, 3):
        assert downloads(page, f"/images/{number}.png") == 1, "shown from the browser's cache"
    assert not problems


def test_deciding_before_the_next_picture_has_come(
    server: Server, enter: Callable[..., Page], problems: list[str]
) -> None:
    page = enter()
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/review?set=1&image=2", hold)  # a slow network: the next room does not come
    with page.expect_request("**/review?set=1&image=2"):
        page.reload()
    shown(page, 1)
    with slow.permitted(), server.resources.database.write() as busy:
        busy.connection()  # and neither does the server's answer
        page.keyboard.press("a")
        page.keyboard.press("a")  # pressing again on the same picture counts once
        expect(page.locator("form[data-deciding]")).to_have_count(1)
        shown(page, 1)
        held.pop().continue_()
        shown(page, 2)
        expect(tally(page)).to_contain_text("5 left")
    expect(tally(page)).to_contain_text("4 left")
    shown(page, 2)
    assert not problems


def test_the_way_back_to_a_picture_waits_for_its_decision(
    server: Server, enter: Callable[..., Page], problems: list[str]
) -> None:
    page = enter()
    shown(page, 1)
    ahead(page)
    with slow.permitted(), server.resources.database.write() as busy:
        busy.connection()  # the decision waits until this has ended; pages can still be read
        page.keyboard.press("a")
        shown(page, 2)
        page.keyboard.press("ArrowLeft")
    shown(page, 1)
    expect(dock(page).locator(".standing li")).to_have_count(1)
    assert not problems


def downloads(page: Page, path: str) -> int:
    """How often the browser downloaded a file from the server."""
    return page.evaluate(
        """path => performance.getEntriesByType("resource")
             .filter(({ name, transferSize }) => name.endsWith(path) && transferSize).length""",
        path,
    )


def test_a_decision_that_did_not_arrive_brings_the_picture_back(enter: Callable[..., Page]) -> None:
    page = enter()
    shown(page, 1)
    ahead(page)
    page.route("**/decision", lambda route: route.abort())
    page.keyboard.press("a")
    expect(page.get_by_text("The server could not be reached, so your decision was not saved")).to_be_visible()
    shown(page, 1)
    page.unroute("**/decision")
    page.keyboard.press("a")
    shown(page, 2)
    expect(tally(page)).to_contain_text("4 left")


def test_two_people_at_once(enter: Callable[..., Page], problems: list[str]) -> None:
    one, two = both(enter)
    two.evaluate(HIDE, "hidden")  # so that it misses the change
    one.keyboard.press("r")
    one.keyboard.press("1")
    expect(tally(one)).to_contain_text("4 left")
    two.keyboard.press("a")
    expect(two.get_by_text("Ito Kenji just rejected this picture. Check it before you decide.")).to_be_visible()
    shown(two, 1)
    expect(dock(two)).to_contain_text("Off the look")
    two.keyboard.press("a")  # after looking
    shown(two, 2)
    two.keyboard.press("ArrowLeft")
    shown(two, 1)
    expect(dock(two).locator(".standing li")).to_have_count(2)
    expect(page_status(two, 1)).to_have_accessible_name(re.compile("rejected"))
    assert not problems


def test_compare_filter_and_settings_by_keyboard(enter: Callable[..., Page], problems: list[str]) -> None:
    page = enter(Role.MANAGER)
    shown(page, 1)
    page.keyboard.press("u")
    expect(page.get_by_label("White")).to_be_checked()
    page.keyboard.press("v")
    page.wait_for_url(re.compile(r"/compare\?ids=1,2,3,4&from="))
    page.get_by_role("link", name="Back").press("Enter")
    shown(page, 1)
    assert "set=1" in page.url
    ahead(page)
    page.keyboard.press("f")
    expect(page.locator(".duo .ref")).to_be_hidden()
    page.keyboard.press("l")
    expect(page.get_by_label("Campaign")).to_be_focused()
    page.get_by_label("Campaign").select_option(label="Autumn")
    page.get_by_role("button", name="Show").press("Enter")
    page.wait_for_url(re.compile(r"/review\?campaign=1&set=1"))
    expect(page.get_by_role("heading", name="Autumn table, Autumn")).to_be_visible()
    page.get_by_role("link", name="Reasons and approvals").press("Enter")
    page.get_by_label("New reason").fill("Not our brand")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Reason 6")).to_have_value("Not our brand")
    for _ in range(2):
        page.get_by_role("button", name="Move Not our brand up").press("Enter")
        page.wait_for_load_state()
    expect(page.get_by_label("Reason 4")).to_have_value("Not our brand")
    page.get_by_label("Approvals needed in Autumn").select_option("2")
    expect(page.get_by_label("Approvals needed in Autumn")).to_have_value("2")
    assert not problems


def test_swiping_leads_along(enter: Callable[..., Page]) -> None:
    page = enter(has_touch=True)
    shown(page, 1)
    swipe = """([from, to]) => {
      const frame = document.querySelector("[data-frame]");
      const touch = (x) => new Touch({ identifier: 1, target: frame, clientX: x, clientY: 300 });
      const send = (name, init) => frame.dispatchEvent(new TouchEvent(name, { bubbles: true, ...init }));
      send("touchstart", { touches: [touch(from)], changedTouches: [touch(from)] });
      send("touchend", { touches: [], changedTouches: [touch(to)] });
    }"""
    page.evaluate(swipe, [400, 200])
    shown(page, 2)
    page.evaluate(swipe, [200, 400])
    shown(page, 1)
