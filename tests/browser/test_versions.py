"""A designer redoes a picture by keyboard; the new version appears on top of the old one for two people watching."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from app.main import create_app
from app.models import Role, User, Verdict
from app.reviews import service as reviews
from app.settings import Settings
from tests.browser.fit import misfits
from tests.engine.painter import Painter
from tests.web.server import Server, make_person, making, serve, signed_in_browser


@pytest.fixture
def engine() -> Painter:
    return Painter(pause_at=2)  # to be looked at while it is made


@pytest.fixture
def studio(settings: Settings, engine: Painter) -> Iterator[tuple[Server, User]]:
    """A server with a set of three, one of them to be changed, and the set's owner."""
    with serve(create_app(settings, engine)) as server:
        owner = make_person(server, Role.DESIGNER, "Mori Haruka")
        with making(server) as make:
            image_set = make.finished_set(owner, prompts="a fox\na teapot\nan owl", name="Autumn table", steps=8)
            reviewer = make.user(Role.REVIEWER, "Ito Kenji")
            make.decide(image_set.images[0], Verdict.CHANGES_REQUESTED, reviewer)
            reviews.comment(make.session, reviewer, image_set.images[0].id, "Make it red, please.")
        yield server, owner


@pytest.fixture
def open_page(chromium: Browser, watch: Callable[[Page], Page]) -> Iterator[Callable[[Server, User], Page]]:
    contexts = []

    def open_page(server: Server, user: User) -> Page:
        browser = signed_in_browser(server, user)
        context = chromium.new_context(viewport={"width": 1440, "height": 900})
        context.add_cookies(
            [{"name": name, "value": value, "url": server.url} for name, value in browser.cookies.items()]
        )
        browser.close()
        contexts.append(context)
        return watch(context.new_page())

    yield open_page
    for context in contexts:
        context.close()


def test_redone_by_keyboard(
    studio: tuple[Server, User], open_page: Callable[[Server, User], Page], engine: Painter, problems: list[str]
) -> None:
    server, owner = studio
    page, viewer = open_page(server, owner), open_page(server, make_person(server, Role.REVIEWER))
    for each in (page, viewer):
        each.goto(f"{server.url}/sets/1")
        each.evaluate("window.sameDocument = true")
    page.locator("#place-1 .tile__pic > a:not([download])").focus()
    page.keyboard.press("e")
    prompt = page.get_by_role("dialog", name="Redo picture").get_by_label("Prompt")
    expect(prompt).to_be_focused()
    expect(prompt).to_have_value("a fox")
    page.keyboard.press("Escape")
    expect(prompt).to_be_hidden()
    expect(page.locator("#place-1 .tile__pic > a:not([download])")).to_be_focused()

    page.keyboard.press("e")
    expect(prompt).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.type("fail")
    page.get_by_role("dialog").get_by_label("Custom:").press("Space")
    page.get_by_label("Custom seed").fill("nonsense")
    page.keyboard.press("Enter")
    refusal = page.get_by_role("link", name="Seed must be a whole number from 0 to 2147483647; 'nonsense' was given.")
    expect(refusal).to_be_visible()
    expect(prompt).to_have_value("fail")
    prompt.fill("a red fox")
    page.get_by_label("Custom seed").fill("42")
    page.get_by_label("Custom seed").press("Enter")
    expect(prompt).to_be_hidden()
    expect(page.locator(".toast", has_text="Version 2 is queued")).to_be_visible()

    for each in (page, viewer):
        place = each.locator("#place-1")
        expect(place.locator(".newer")).to_contain_text(re.compile(r"v2\s*\d of 8"))
        expect(place.locator(".tile__pic img")).to_have_attribute("src", "/images/1/thumb-320.webp")
        expect(each.locator("[data-spoken]")).to_have_text("3 of 3 finished")
    engine.go_on()
    for each in (page, viewer):
        place = each.locator("#place-1")
        expect(place.locator(".tile__pic img")).to_have_attribute("src", "/images/4/thumb-320.webp")
        expect(place.locator(".tile__version")).to_have_text("Version v2")
        expect(place.locator(".newer")).to_have_count(0)
        expect(place.locator(".tile__prompt")).to_have_text("a red fox")
        assert each.evaluate("window.sameDocument")
    assert engine.units[-1].images[0].seed == 42

    page.locator("#place-1 .tile__pic > a:not([download])").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/review?set=1&image=4")
    stack = page.locator(".versions li")
    expect(stack).to_have_count(2)
    expect(stack.first.get_by_role("link")).to_have_attribute("aria-current", "true")
    expect(stack.first).to_contain_text("New prompt, seed")
    expect(page.get_by_text("Make it red, please.")).to_be_visible()
    stack.last.get_by_role("link").press("Enter")
    expect(page.locator(".frame img").first).to_have_attribute("src", "/images/1.png")
    expect(page.get_by_text("Make it red, please.")).to_be_visible()

    page.keyboard.press("e")
    prompt = page.locator("#redo-form").get_by_label("Prompt")
    expect(prompt).to_be_focused()  # so that letters decide nothing
    expect(prompt).to_have_value("a fox")
    prompt.fill("a blue fox")
    page.locator("#redo-form").get_by_role("button", name="Redo picture").press("Enter")
    expect(page.locator(".toast", has_text="Version 3 is queued")).to_be_visible()  # perhaps it is finished too
    expect(page.locator(".versions li")).to_have_count(3)
    assert not [problem for problem in problems if "422" not in problem], "the seed that was no number"


def test_a_failure_is_given_up_and_decisions_arrive_while_nothing_is_made(
    studio: tuple[Server, User], open_page: Callable[[Server, User], Page], engine: Painter, problems: list[str]
) -> None:
    server, owner = studio
    engine.go_on()
    page = open_page(server, owner)
    page.goto(f"{server.url}/images/2/again?from=/sets/1")
    page.get_by_label("Prompt").fill("fail")
    page.get_by_role("button", name="Redo picture").click()
    page.wait_for_url("**/sets/1")
    place = page.locator("#place-2")
    expect(place.locator(".newer")).to_contain_text("Failed")
    expect(page.get_by_text("1 new version failed")).to_be_visible()
    place.get_by_role("button", name="Cancel version 2 of a teapot").click()
    expect(place.locator(".newer")).to_have_count(0)
    # The set was done, so its stream has ended; the next one waits.
    reviewer = signed_in_browser(server, make_person(server, Role.REVIEWER))
    reviewer.post("/images/2/decision", data={"verdict": "approved", "seen": ""})
    reviewer.close()
    expect(place).to_contain_text("Approved")
    # A preview still being fetched failed as well.
    assert not [problem for problem in problems if "404" not in problem]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1920])
def test_it_fits_and_axe_finds_nothing(
    studio: tuple[Server, User],
    open_page: Callable[[Server, User], Page],
    scheme: str,
    width: int,
    problems: list[str],
) -> None:
    server, owner = studio
    page = open_page(server, owner)
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    page.goto(f"{server.url}/images/1/again")
    check(page)
    page.get_by_label("Prompt").fill("a red fox")
    page.get_by_role("button", name="Redo picture").click()
    page.wait_for_url("**/sets/1")
    expect(page.locator("#place-1 .newer")).to_be_visible()
    check(page)
    page.locator("#place-2 .tile__pic > a:not([download])").focus()
    page.keyboard.press("e")
    expect(page.get_by_role("dialog", name="Redo picture").get_by_label("Prompt")).to_be_focused()
    check(page)
    assert not problems


def check(page: Page) -> None:
    assert not misfits(page, "versions")
