"""The review room by keyboard: decide, undo, pin, answer, name people, compare; and what two people do at once."""

import re
from collections.abc import Callable, Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import APIResponse, Browser, Locator, Page, Route, expect

from app.main import create_app
from app.models import Role, User
from app.reviews import service
from app.settings import Settings
from tests.browser.touch import double_tap, spread, touch
from tests.engine.painter import Painter
from tests.web.server import Server, make_person, making, serve, signed_in_browser
from tests.web.test_sets import wait_until

PROMPTS = ("a fox", "a teapot", "an owl", "a bicycle", "露のついたぶどうの房")


@pytest.fixture
def server(settings: Settings) -> Iterator[Server]:
    """With one set of five pictures, to review; its engine only paints."""
    with serve(create_app(settings, Painter())) as server:
        with making(server) as make:
            owner = make.user(Role.DESIGNER, "Mori Haruka")
            make.finished_set(owner, prompts="\n".join(PROMPTS), name="Autumn table", campaign="Autumn")
        yield server


@pytest.fixture
def enter(server: Server, chromium: Browser, watch: Callable[[Page], Page]) -> Iterator[Callable[..., Page]]:
    """The room, opened by a new person."""
    contexts = []

    def enter(
        role: Role = Role.REVIEWER, name: str = "Ito Kenji", path: str = "/review?set=1", **options: object
    ) -> Page:
        browser = signed_in_browser(server, make_person(server, role, name))
        context = chromium.new_context(**{"viewport": {"width": 1440, "height": 900}} | options)  # type: ignore[arg-type]
        context.add_cookies(
            [{"name": key, "value": value, "url": server.url} for key, value in browser.cookies.items()]
        )
        browser.close()
        contexts.append(context)
        page = watch(context.new_page())
        page.goto(server.url + path)
        return page

    yield enter
    for context in contexts:
        context.close()


# A window behind others, which lets its connection go.
HIDE = """(state) => {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => state === "hidden" });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


def shown(page: Page, number: int) -> None:
    """The room shows this picture, and has fetched the next ahead."""
    expect(page.locator("#room")).to_have_attribute("data-image", str(number))


def ahead(page: Page) -> None:
    page.wait_for_load_state("networkidle")


def dock(page: Page) -> Locator:
    return page.locator("#room-dock")


def tally(page: Page) -> Locator:
    return page.locator(".tally")


def both(enter: Callable[..., Page]) -> tuple[Page, Page]:
    """Ito Kenji and 佐藤 美咲 before the same picture, the first, and with the next one fetched."""
    one, two = enter(name="Ito Kenji"), enter(name="佐藤 美咲")
    for page in (one, two):
        shown(page, 1)
        ahead(page)
    return one, two


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
    expect(page.locator(".duo .ref")).to_be_hidden()  # also in the room that was fetched before
    page.keyboard.press("z")  # not that one, after all
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


def test_the_next_picture_is_there_before_the_server_has_answered(
    server: Server, enter: Callable[..., Page], problems: list[str]
) -> None:
    page = enter()
    shown(page, 1)
    ahead(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.removeprefix(server.url)))
    with server.parts.database.write() as busy:
        busy.connection()  # whoever decides now waits until this has ended
        page.keyboard.press("a")
        shown(page, 2)
        assert page.locator("[data-frame] img").evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
        expect(tally(page)).to_contain_text("5 to go")  # the server has not kept it yet
        page.keyboard.press("c")  # the second decision waits for the first
        shown(page, 3)
        assert asked.count("/images/1/decision") == 1
        assert "/images/2/decision" not in asked
        assert not [path for path in asked if "image=2" in path], "its page had come before"
    expect(tally(page)).to_contain_text("3 to go")
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
    with server.parts.database.write() as busy:
        busy.connection()  # nor does the server's answer
        page.keyboard.press("a")
        page.keyboard.press("a")  # the same picture twice is once
        expect(page.locator("form[data-deciding]")).to_have_count(1)
        shown(page, 1)
        held.pop().continue_()
        shown(page, 2)
        expect(tally(page)).to_contain_text("5 to go")
    expect(tally(page)).to_contain_text("4 to go")
    shown(page, 2)
    assert not problems


def test_the_way_back_to_a_picture_waits_for_its_decision(
    server: Server, enter: Callable[..., Page], problems: list[str]
) -> None:
    page = enter()
    shown(page, 1)
    ahead(page)
    with server.parts.database.write() as busy:
        busy.connection()  # the decision waits until this has ended; pages can be read meanwhile
        page.keyboard.press("a")
        shown(page, 2)
        page.keyboard.press("ArrowLeft")
    shown(page, 1)
    expect(dock(page).locator(".standing li")).to_have_count(1)
    assert not problems


def downloads(page: Page, path: str) -> int:
    """How often the browser took a file from the server."""
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
    expect(page.get_by_text("The server could not be reached, so nothing was decided")).to_be_visible()
    shown(page, 1)
    page.unroute("**/decision")
    page.keyboard.press("a")
    shown(page, 2)
    expect(tally(page)).to_contain_text("4 to go")


def test_two_people_at_once(enter: Callable[..., Page], problems: list[str]) -> None:
    one, two = both(enter)
    two.evaluate(HIDE, "hidden")  # so that it does not hear of it
    one.keyboard.press("r")
    one.keyboard.press("1")
    expect(tally(one)).to_contain_text("4 to go")
    two.keyboard.press("a")
    expect(two.get_by_text("Ito Kenji rejected this picture meanwhile. Look again first.")).to_be_visible()
    shown(two, 1)
    expect(dock(two)).to_contain_text("Off the look")
    two.keyboard.press("a")  # having looked
    shown(two, 2)
    two.keyboard.press("ArrowLeft")
    shown(two, 1)
    expect(dock(two).locator(".standing li")).to_have_count(2)
    expect(page_status(two, 1)).to_have_accessible_name(re.compile("rejected"))
    assert not problems


def page_status(page: Page, number: int) -> Locator:
    return page.locator(f"#strip-{number}")


def news(page: Page) -> Locator:
    """The latest: what was said a few seconds before may still be there."""
    return page.locator("#toasts [data-news]").last


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
    expect(tally(two)).to_contain_text("4 to go")
    two.keyboard.type("??")
    writing = two.get_by_role("textbox", name="Comment, or click the picture")
    expect(writing).to_have_value("The ear i??s")  # the caret is where it was
    two.keyboard.press("Control+Enter")
    expect(two.locator("#thread-1")).to_contain_text("The ear i??s")
    expect(writing).to_have_value("")
    two.locator("body").press("Escape")
    two.keyboard.press("a")  # having seen it, without being told to look again
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
    one.locator("#thread-1 summary").press("Enter")
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
    expect(news(one)).to_contain_text("佐藤 美咲 named you in a comment on this picture.")
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


def test_what_was_not_seen_yet_is_not_decided_on(enter: Callable[..., Page], problems: list[str]) -> None:
    one, two = both(enter)
    two.keyboard.press("r")
    one.keyboard.press("a")
    expect(news(two)).to_have_text("Ito Kenji approved this picture.")
    two.keyboard.press("1")  # in the list that was open before
    expect(two.get_by_text("Ito Kenji approved this picture meanwhile. Look again first.")).to_be_visible()
    shown(two, 1)
    assert not problems


def test_one_stream_for_a_set_however_many_pictures(
    server: Server, enter: Callable[..., Page], problems: list[str]
) -> None:
    with making(server) as make:
        make.finished_set(prompts="a whale", name="Winter", campaign="Winter")
    page = enter(path="/review")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/news?" in request.url else None)
    page.reload()
    for number in range(1, 6):
        shown(page, number)
        page.keyboard.press("a" if number % 2 else "ArrowRight")
    shown(page, 6)
    ahead(page)
    assert [re.search(r"sets/(\d)/news", url)[1] for url in asked] == ["1", "2"]  # type: ignore[index]
    wait_until(lambda: server.parts.bus._topics[1].watchers == 0)
    assert server.parts.bus._topics[2].watchers == 1
    page.goto(server.url)
    wait_until(lambda: server.parts.bus._topics[2].watchers == 0)
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


def test_what_happens_while_the_room_asks_is_asked_for_too(
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
        with server.parts.database.write() as session:
            service.comment(session, ito, 1, body)
        server.parts.dispatcher.changed(1, 1)

    def answer(route: Route) -> None:
        """Late, and as it was before the second comment."""
        held.append((route, route.fetch()))
        comment("The tail")

    page.route("**/review?*known=*", answer, times=1)
    comment("The ear")
    expect(page.locator("html")).to_have_attribute("data-heard", "2")
    for route, early in held:
        route.fulfill(response=early)
    expect(page.locator("#room-threads")).to_contain_text("The tail")
    assert not problems


# How often the stream had news.
COUNT = """
window.EventSource = class extends EventSource {
  constructor(url) {
    super(url);
    const { dataset } = document.documentElement;
    this.addEventListener("news", () => { dataset.heard = Number(dataset.heard ?? 0) + 1; });
  }
};
"""


def test_a_newer_version_and_a_deletion_are_told(
    server: Server, enter: Callable[..., Page], problems: list[str]
) -> None:
    page, manager = enter(), enter(Role.MANAGER, "Mori Haruka")
    shown(page, 1)
    ahead(page)
    manager.locator("body").press("e")
    manager.locator("#again-form").get_by_role("textbox", name="Prompt").fill("a red fox")
    manager.locator("#again-form").get_by_role("button", name="Make again").press("Enter")
    expect(news(page)).to_contain_text("Version 2 of this picture is finished.")
    expect(dock(page)).to_contain_text("A newer version replaced this one.")
    expect(page.locator("#decide")).to_have_count(0)
    assert "set=1" in manager.url, "made again, in the same review"
    page.get_by_role("link", name="Open it").press("Enter")
    shown(page, 6)
    manager.request.post(
        f"{server.url}/pictures/delete", form={"ids": "6", "query": "set=1"}, headers={"sec-fetch-site": "same-origin"}
    )
    expect(news(page)).to_have_text("Mori Haruka deleted this picture.")
    expect(dock(page)).to_contain_text("This picture was deleted")
    page.get_by_role("link", name="Open the version that is shown now").press("Enter")
    shown(page, 1)
    expect(page.locator("#decide")).to_be_visible()
    assert not problems


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
    expect(haruka.get_by_text("Ito Kenji named you")).to_be_visible()
    haruka.get_by_role("link", name="See what Ito Kenji wrote").press("Enter")
    haruka.locator("#thread-1 summary").press("Enter")
    haruka.get_by_role("textbox", name="Reply").fill("I will make it again.")
    haruka.get_by_role("button", name="Reply").press("Enter")
    expect(haruka.locator("#thread-1")).to_contain_text("I will make it again.")
    haruka.get_by_role("button", name="Resolve").press("Enter")
    expect(haruka.get_by_text("1 resolved")).to_be_visible()
    expect(haruka.locator("[data-pin]")).to_have_count(0)
    haruka.goto(server.url)
    expect(haruka.get_by_text("named you")).to_have_count(0)
    haruka.context.close()
    assert not problems


def enter_as(server: Server, page: Page, name: str) -> Page:
    """Home, of somebody who is there already."""
    with server.parts.database.read() as session:
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
    expect(page.locator("[data-x]")).to_have_value("")  # a drag is no click
    moved = frame.evaluate("frame => Number(frame.style.getPropertyValue('--x'))")
    assert moved == pytest.approx(0.5 - 60 / box["width"] / 1.25**4, abs=0.002)
    page.mouse.click(*middle)
    assert float(page.locator("[data-x]").input_value()) == pytest.approx(moved, abs=0.002)
    expect(page.get_by_role("textbox", name="Comment, or click the picture")).to_be_focused()
    page.get_by_role("button", name="Take the pin away").click()
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

    # Both along: the picture comes with them. Then one finger moves it too, and leads to no other picture.
    left, right = spread(middle, 30)[0]
    touch(page, [left, right], *[[(x + by, y + by) for x, y in (left, right)] for by in (10, 20, 40)])
    by = 40 / box["width"] / 3
    assert view() == pytest.approx([3, 0.5 - by, 0.5 - by], abs=0.01)
    touch(page, [middle], [(middle[0] + 60, middle[1])], [(middle[0] + 100, middle[1])])
    assert view()[1] == pytest.approx(0.5 - by - 100 / box["width"] / 3, abs=0.01)

    # Together again, no further than to 100 %, which is smaller than the frame.
    touch(page, *spread(middle, 90, 60, 10))
    expect(frame).not_to_have_attribute("data-zoomed", "")
    assert view() == pytest.approx([256 / box["width"], 0.5, 0.5])
    double_tap(page, middle)
    expect(frame).to_have_attribute("data-zoomed", "")
    double_tap(page, middle)
    expect(frame).not_to_have_attribute("data-zoomed", "")
    shown(page, 1)
    expect(page.locator("[data-x]")).to_have_value("")

    # A tap where the pin is waited for sets it; one finger leads along, or down the page.
    page.keyboard.press("p")
    touch(page, *spread(middle, 30, 60, 30))
    expect(page.locator("[data-x]")).to_have_value("")
    page.touchscreen.tap(*middle)
    expect(page.locator("[data-x]")).to_have_value("0.5000")
    page.evaluate("scrollTo(0, 0)")  # from the comment's field, which has the focus now
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
    expect(at).to_have_value(pinned)  # it stays where it was
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
    page.wait_for_url(re.compile(r"/review\?set=1&campaign=1"))
    expect(page.get_by_role("heading", name="Autumn table, Autumn")).to_be_visible()
    page.get_by_role("link", name="Reasons and approvals").press("Enter")
    page.get_by_label("Another reason").fill("Not our brand")
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
        found = serious(page)
        if "image=1" in path:
            page.keyboard.press("r")
            expect(page.locator("#reasons")).to_be_visible()
            found += serious(page)
            page.keyboard.press("Escape")
            page.keyboard.press("m")
            page.keyboard.type("@it")
            expect(page.get_by_role("listbox")).to_be_visible()
            found += serious(page)
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


def serious(page: Page) -> list[str]:
    return [
        f"{found['id']}: {node['html'][:200]}"
        for found in Axe().run(page).response["violations"]
        for node in found["nodes"]
    ]
