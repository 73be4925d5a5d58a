"""Somebody types, and reloads, goes back, is signed out, or opens a second tab: nothing is lost."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from app.drafts import service as drafting
from app.errors import Conflict
from app.main import create_app
from app.models import Draft, LoginSession, Role, User, now
from app.reviews import service as reviews
from app.sets import service as sets
from app.settings import Settings
from tests.browser.conftest import PATIENCE
from tests.browser.late import Late, held_saves
from tests.engine.painter import Painter
from tests.factory import PASSWORD
from tests.web.server import Server, make_person, making, serve, signed_in_browser


@pytest.fixture
def server(settings: Settings) -> Iterator[Server]:
    with serve(create_app(settings, Painter())) as server:
        yield server


@pytest.fixture
def user(server: Server) -> User:
    with making(server) as make:
        user = make.user(name="森 はるか")
        make.finished_set(user, make.style(user, name="Retro sunburst"), prompts="a fox\nan owl")
        return user


@pytest.fixture
def context(chromium: Browser, server: Server, user: User) -> Iterator[BrowserContext]:
    browser = signed_in_browser(server, user)
    context = chromium.new_context(base_url=server.url, viewport={"width": 1440, "height": 900})
    context.add_cookies([{"name": name, "value": value, "url": server.url} for name, value in browser.cookies.items()])
    browser.close()
    context.set_default_timeout(20_000)
    yield context
    context.close()


def drafts(server: Server) -> list[dict[str, str]]:
    with server.resources.database.read() as session:
        return [dict(draft.fields) for draft in session.query(Draft).order_by(Draft.id)]


TYPED = """form => Object.fromEntries(
  [...form.elements].filter(({ name, type, value }) => name && value && /^text/.test(type))
    .map(({ name, value }) => [name, value])
)"""


def saved(server: Server, page: Page, form: str = "#set-form") -> None:
    """Wait until the server has what was typed, and the page says so."""
    typed = page.locator(form).evaluate(TYPED)
    until(page, lambda: any(typed.items() <= draft.items() for draft in drafts(server)))
    expect(page.locator(f"{form} [data-typed-words]")).to_contain_text(re.compile("Draft (saved|from)"))


def until(page: Page, is_so: Callable[[], bool]) -> None:
    ends = time.monotonic() + PATIENCE / 1000
    while not is_so() and time.monotonic() < ends:
        page.wait_for_timeout(20)


def send(page: Page, form: str) -> None:
    page.locator(form).evaluate("form => form.requestSubmit()")


def test_a_set_in_the_making_survives(server: Server, context: BrowserContext) -> None:
    page = context.new_page()
    page.goto("/sets/new")
    page.locator("#prompts").fill("a fox")
    page.reload()  # before anything could be saved
    expect(page.locator("#prompts")).to_have_value("a fox")
    saved(server, page)
    page.locator("#name").fill("Autumn table")
    saved(server, page)
    page.goto("/styles")
    page.go_back()
    expect(page.locator("#name")).to_have_value("Autumn table")
    page.locator("#steps").evaluate("field => { field.value = 'many' }")
    send(page, "#set-form")
    expect(page.locator("[data-summary]")).to_be_focused()
    page.wait_for_url("**/sets/new")  # the scripts of the answer run
    page.goto("/styles")
    page.go_back()  # to the answer to a POST
    expect(page.locator("#steps")).to_have_value("many")
    assert len(drafts(server)) == 1
    page.locator("#steps").evaluate("field => { field.value = '5' }")
    send(page, "#set-form")
    page.wait_for_url("**/sets/2")
    assert drafts(server) == []


def two_tabs(server: Server, context: BrowserContext) -> list[Page]:
    """Two tabs with the form of a new set, of which the second changed what the first had saved."""
    tabs = [context.new_page(), context.new_page()]
    for number, page in enumerate(tabs):
        page.goto("/sets/new")
        page.locator("#name").fill(f"From tab {number}")
        saved(server, page)
    return tabs


def test_two_tabs_keep_both(server: Server, context: BrowserContext) -> None:
    one, _ = two_tabs(server, context)
    one.locator("#name").fill("From the first tab")
    expect(one.locator("#name")).to_have_value("From the first tab")
    one.reload()
    expect(one.locator("#name")).to_have_value("From the first tab")
    saved(server, one)
    one.reload()
    expect(one.locator("#name")).to_have_value("From the first tab")
    one.get_by_role("link", name="Open draft from").click()
    expect(one.locator("#name")).to_have_value("From tab 1")
    one.get_by_role("button", name="Discard").click()
    expect(one.locator("#name")).to_have_value("From the first tab")


def test_a_tab_shows_what_it_saved_even_if_it_never_heard_of_it(server: Server, context: BrowserContext) -> None:
    one, other = two_tabs(server, context)
    one.on("dialog", lambda dialog: dialog.accept())
    unheard: list[object] = []
    one.route("**/drafts", lambda route: unheard.append((route.fetch(), route.abort())))
    one.locator("#name").fill("From the first tab")
    until(one, lambda: bool(unheard))
    assert len(drafts(server)) == 2
    other.locator("#name").fill("From tab 1, later")
    saved(server, other)
    one.evaluate("location.reload()")
    one.wait_for_url("**/sets/new?draft=*")
    expect(one.locator("#name")).to_have_value("From the first tab")


def redone(page: Page) -> Locator:
    """Open the form that redoes a set's first picture, and type another prompt; returns its field."""
    page.goto("/sets/1")
    page.locator("#place-1 .tile__pic > a:not([download])").focus()
    page.keyboard.press("e")
    prompt = page.get_by_role("dialog", name="Redo picture").get_by_label("Prompt")
    prompt.fill("a red fox")
    return prompt


def test_what_was_accepted_is_not_saved_again_after_its_form_is_gone(server: Server, context: BrowserContext) -> None:
    page = context.new_page()
    pass_time = held_saves(page)
    prompt = redone(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.get_by_role("dialog").get_by_label("Custom:").press("Space")
    page.get_by_label("Custom seed").fill("42")
    page.get_by_label("Custom seed").press("Enter")  # the key is released after the form was sent
    expect(prompt).to_have_count(0)
    pass_time()
    page.evaluate("fetch('/healthz').then(answer => answer.text())")
    assert [url for url in asked if url.endswith("/drafts")] == []
    assert drafts(server) == []


def test_a_session_that_ended_loses_nothing(server: Server, context: BrowserContext, user: User) -> None:
    page = context.new_page()
    page.goto("/sets/new")
    page.locator("#prompts").fill("a fox")
    with server.resources.database.write() as session:
        session.query(LoginSession).update({"seen_at": now() - timedelta(days=60)})
    page.locator("#name").fill("Autumn table")
    send(page, "#set-form")
    page.wait_for_url("**/login?next=/sets/new")
    page.locator("#email").fill(user.email)
    page.locator("#password").fill(PASSWORD)
    send(page, "form[action='/login']")
    page.wait_for_url("**/sets/new")
    expect(page.locator("#prompts")).to_have_value("a fox")
    expect(page.locator("#name")).to_have_value("Autumn table")
    expect(page.locator("[data-typed-words]").first).to_contain_text("Draft from")


def test_comments_are_kept_until_they_are_sent(server: Server, context: BrowserContext) -> None:
    page = context.new_page()
    page.goto("/review?image=1")
    field = page.locator("#composer textarea")
    field.fill("A little lighter")
    saved(server, page, "#composer")
    other = context.new_page()  # its own session storage
    other.goto("/review?image=1")
    expect(other.locator("#composer textarea")).to_have_value("A little lighter")
    other.get_by_role("button", name="Send").click()
    expect(other.locator("#room-threads")).to_contain_text("A little lighter")
    expect(other.locator("#composer textarea")).to_have_value("")
    assert drafts(server) == []
    unsent = """() => { dispatchEvent(new Event("pagehide"));
        return Object.keys(sessionStorage).filter(key => key.startsWith("typed ")); }"""
    assert other.evaluate(unsent) == [], "the emptied form is not a draft"


def test_each_picture_of_the_room_has_its_own_draft(server: Server, context: BrowserContext) -> None:
    page = context.new_page()
    page.goto("/review?image=1")
    page.get_by_label("Next picture").click()
    page.wait_for_url("**/review?image=2")
    field = page.locator("#composer textarea")
    field.fill("Too dark")
    saved(server, page, "#composer")
    assert [draft["image"] for draft in drafts(server)] == ["2"], "looking at a picture saves nothing"
    field.fill("Too dark at the top")
    page.get_by_label("Previous picture").click()  # before that is saved
    page.wait_for_url("**/review?image=1")
    expect(field).to_have_value("")
    page.get_by_label("Next picture").click()
    page.wait_for_url("**/review?image=2")
    expect(field).to_have_value("Too dark at the top")
    expect(page.locator("#composer [data-typed-words]")).to_contain_text("Draft from")
    assert [draft["body"] for draft in drafts(server)] == ["Too dark at the top"]


def test_what_is_typed_before_the_scripts_arrive_is_kept(server: Server, context: BrowserContext) -> None:
    page = context.new_page()
    scripts = Late(page, r"/js/.*\.js$")
    page.goto("/review?image=1", wait_until="commit")
    page.locator("#composer textarea").fill("A little lighter")  # pasted, and nothing after it
    scripts.arrive()
    saved(server, page, "#composer")
    assert [draft["body"] for draft in drafts(server)] == ["A little lighter"]


def test_leaving_asks_before_an_early_change_of_a_comment_is_lost(
    server: Server, context: BrowserContext, user: User
) -> None:
    with making(server) as make:
        reviews.comment(make.session, make.session.get_one(User, user.id), 1, "Lighter, please.")
    page = context.new_page()
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    scripts = Late(page, r"/js/.*\.js$")
    page.goto("/review?image=1", wait_until="commit")
    edit = page.locator("form[action='/comments/1/edit']")
    edit.locator("xpath=..").locator("summary").click()
    edit.locator("textarea").press("Control+End")
    page.keyboard.type(" A little.")
    scripts.arrive()
    page.wait_for_load_state()
    page.goto("/styles")
    assert asked == ["beforeunload"]


def test_leaving_asks_only_if_nothing_could_be_saved(context: BrowserContext) -> None:
    page = context.new_page()
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.goto("/sets/new")
    page.locator("#name").click()
    page.keyboard.type("Autumn")
    page.goto("/styles")
    assert asked == []
    page.go_back()
    expect(page.locator("#name")).to_have_value("Autumn")
    page.route("**/drafts", lambda route: route.abort())
    page.locator("#name").click()
    page.keyboard.type(" table")
    expect(page.locator("[data-typed-words]").first).to_contain_text("not saved yet")
    page.goto("/styles")
    assert asked == ["beforeunload"]


def test_leaving_asks_before_an_edited_comment_is_lost(server: Server, context: BrowserContext, user: User) -> None:
    """Its form has no draft."""
    with making(server) as make:
        reviews.comment(make.session, make.session.get_one(User, user.id), 1, "Lighter, please.")
    page = context.new_page()
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.goto("/review?image=1")
    edit = page.locator("form[action='/comments/1/edit']")

    def typed() -> None:
        edit.locator("xpath=..").locator("summary").click()
        edit.locator("textarea").press("Control+End")
        page.keyboard.type(" A little.")

    typed()
    page.goto("/styles")
    assert asked == ["beforeunload"]
    page.goto("/review?image=1")
    typed()
    edit.get_by_role("button", name="Save").click()
    expect(page.locator("#room-threads")).to_contain_text("Lighter, please. A little.")
    page.goto("/styles")
    assert asked == ["beforeunload"], "what was sent is kept"


def test_going_back_to_what_was_sent_makes_no_draft_of_it(server: Server, context: BrowserContext) -> None:
    page = context.new_page()
    page.goto("/sets/new")
    page.locator("#prompts").fill("a fox\nan owl")
    page.locator("#strength").fill("0.5")
    saved(server, page)
    send(page, "#set-form")
    page.wait_for_url("**/sets/2")
    assert drafts(server) == []
    page.go_back()
    expect(page.locator("#prompts")).to_have_value("a fox\nan owl")  # filled in by the browser
    expect(page.locator("#set-form")).to_contain_text("2 prompts")
    expect(page.locator("output[for=strength]")).to_have_text("0.5")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto("/styles")  # what a page holds unsaved is saved as it is left
    assert [url for url in asked if url.endswith("/drafts")] == []
    assert drafts(server) == []


@pytest.mark.parametrize("status", [0, 500])
def test_going_back_to_what_was_not_accepted_keeps_it(server: Server, context: BrowserContext, status: int) -> None:
    page = context.new_page()
    page.goto("/sets/new")
    page.route("**/drafts", lambda route: route.abort())
    page.route("**/sets", lambda route: route.fulfill(status=status, body="Sorry") if status else route.abort())
    page.locator("#prompts").fill("a fox")
    send(page, "#set-form")
    expect(page.locator("#set-form")).to_have_count(0)  # the answer, or the page of the browser itself
    assert drafts(server) == []
    page.unroute("**/drafts")
    page.go_back()
    expect(page.locator("#prompts")).to_have_value("a fox")
    until(page, lambda: bool(drafts(server)))  # whether the form says that it is saved, or that it was
    assert [draft["prompts"] for draft in drafts(server)] == ["a fox"]


def test_a_choice_that_could_not_be_saved_is_saved_after_going_back(
    server: Server, context: BrowserContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = context.new_page()
    page.goto("/sets/new")
    usual = drafting.save

    refused: list[object] = []

    def nothing(*_: object, **sent: object) -> None:
        refused.append(sent)
        raise Conflict("Sorry")

    # In the server itself: nobody routes the answers to a page that is left.
    monkeypatch.setattr(drafting, "save", nothing)
    chosen = page.locator("input[name=size]:not(:checked)").first
    size = chosen.get_attribute("value")
    chosen.evaluate("field => field.click()")
    expect(page.locator("#set-form [data-typed-words]")).to_contain_text("not saved yet")
    page.goto("/styles")
    until(page, lambda: len(refused) > 1)  # the last try comes as the page is left
    monkeypatch.setattr(drafting, "save", usual)
    assert drafts(server) == []
    page.go_back()
    expect(page.locator("input[name=size]:checked")).to_have_value(size)
    saved(server, page)
    assert [draft["size"] for draft in drafts(server)] == [size]


def test_what_is_typed_after_going_back_to_a_sent_form_is_kept(server: Server, context: BrowserContext) -> None:
    page = context.new_page()
    page.goto("/sets/new")
    page.locator("#prompts").fill("a fox")
    send(page, "#set-form")
    page.wait_for_url("**/sets/2")
    page.go_back()
    expect(page.locator("#prompts")).to_have_value("a fox")
    page.locator("#prompts").fill("a fox\nan owl")
    saved(server, page)
    assert [draft["prompts"].splitlines() for draft in drafts(server)] == [["a fox", "an owl"]]


@pytest.fixture
def slow_sets(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A server that refuses new sets, once the event is set."""
    answer = threading.Event()

    def refuse(*_: object, **__: object) -> None:
        answer.wait(60)
        raise Conflict("Sorry")

    monkeypatch.setattr(sets, "create", refuse)
    yield answer
    answer.set()


# In the page itself: Playwright would wait for the answer.
SEND = """(end) => new Promise((done) => {
  const field = document.querySelector("#prompts");
  field.value = "a fox in the snow";
  field.dispatchEvent(new Event("input", { bubbles: true }));
  field.form.requestSubmit();
  setTimeout(() => (end ? location.assign(end) : stop(), done(field.form.dataset.sent)), 300);
})"""


def test_what_is_typed_after_sending_was_stopped_is_kept_and_can_be_sent(
    server: Server, context: BrowserContext, slow_sets: threading.Event
) -> None:
    page = context.new_page()
    page.goto("/sets/new")
    page.evaluate(SEND, "")
    expect(page.locator("#set-form[data-sent]")).to_have_count(0)
    saved(server, page)
    page.locator("#prompts").fill("a fox in the rain")
    saved(server, page)
    slow_sets.set()
    send(page, "#set-form")
    page.wait_for_url("**/sets/new")
    expect(page.get_by_text("Sorry")).to_be_visible()


def test_leaving_before_the_answer_keeps_what_was_sent(
    server: Server, context: BrowserContext, slow_sets: threading.Event
) -> None:
    page = context.new_page()
    page.goto("/sets/new")
    page.evaluate(f"void ({SEND})('/styles')")
    page.wait_for_url("**/styles")
    slow_sets.set()
    until(page, lambda: bool(drafts(server)))
    page.goto("/sets/new")
    expect(page.locator("#prompts")).to_have_value("a fox in the snow")


def test_a_duplicated_tab_has_drafts_of_its_own(server: Server, context: BrowserContext) -> None:
    one = context.new_page()
    one.goto("/sets/new")
    one.locator("#name").fill("From one")
    saved(server, one)
    with context.expect_page() as opened:
        one.evaluate("void open(location.href)")  # with a copy of what the tab has stored
    two = opened.value
    two.locator("#name").fill("From two")
    saved(server, two)
    one.locator("#prompts").fill("a fox")
    saved(server, one)
    assert sorted(draft["name"] for draft in drafts(server)) == ["From one", "From two"]


def test_what_is_typed_while_a_refusal_is_on_its_way_stays(server: Server, context: BrowserContext) -> None:
    page = context.new_page()
    prompt = redone(page)
    page.get_by_role("dialog").get_by_label("Custom:").press("Space")
    page.get_by_label("Custom seed").fill("many")
    answer = Late(page, r"/again$")
    page.get_by_label("Custom seed").press("Enter")
    answer.wait()
    prompt.fill("a red fox in the snow")
    answer.arrive()
    expect(page.locator("#redo-form [data-summary]")).to_be_visible()
    expect(prompt).to_have_value("a red fox in the snow")
    saved(server, page, "#redo-form")


def test_going_back_to_a_refused_form_of_a_part_of_a_page(server: Server, chromium: Browser) -> None:
    with signed_in_browser(server, make_person(server, Role.ADMIN)) as browser:
        cookies = [{"name": name, "value": value, "url": server.url} for name, value in browser.cookies.items()]
    context = chromium.new_context(base_url=server.url)
    context.add_cookies(cookies)
    page = context.new_page()
    page.goto("/people")
    page.get_by_label("E-mail (optional)").fill("haruka")
    page.get_by_role("button", name="Create invite link").click()
    expect(page.locator("[data-summary]")).to_be_visible()
    page.wait_for_url("**/people#invite")
    page.goto("/styles")
    page.go_back()  # to the answer to a POST
    expect(page.get_by_label("E-mail (optional)")).to_have_value("haruka")
    context.close()
