"""The command palette by keyboard, searches as they are typed, and nothing while text is composed."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, CDPSession, Page, expect

from app.main import create_app
from app.models import Role
from app.settings import Settings
from tests.engine.painter import Painter
from tests.web.server import make_person, making, serve, signed_in_browser


@pytest.fixture
def page(chromium: Browser, settings: Settings, watch: Callable[[Page], Page]) -> Iterator[Page]:
    """Signed in as a manager, at home; two sets, one with "car" as a word."""
    with serve(create_app(settings, Painter())) as server:
        with making(server) as make:
            make.finished_set(name="Red car", prompts="a red car")
            make.finished_set(name="Scarves", prompts="a scarf")
            make.user(Role.REVIEWER, "Sato Misaki")
        browser = signed_in_browser(server, make_person(server, Role.MANAGER, "Ito Kenji"))
        context = chromium.new_context(base_url=server.url, viewport={"width": 1440, "height": 900})
        context.add_cookies(
            [{"name": name, "value": value, "url": server.url} for name, value in browser.cookies.items()]
        )
        browser.close()
        page = watch(context.new_page())
        page.goto("/")
        yield page
        context.close()


@pytest.fixture
def sent(page: Page) -> list[str]:
    """The addresses that the page requests, without files."""
    requests: list[str] = []
    page.on("request", lambda request: None if "/static/" in request.url else requests.append(request.url))
    return requests


def compose(keyboard: CDPSession, text: str) -> None:
    """What an input method shows before a word is chosen."""
    keyboard.send("Input.imeSetComposition", {"text": text, "selectionStart": len(text), "selectionEnd": len(text)})


def test_the_palette_opens_finds_and_closes_by_keyboard(page: Page, problems: list[str]) -> None:
    field = page.get_by_role("combobox", name="Find pages, things and actions")
    chosen = page.locator("#palette [aria-selected=true]")
    opener = page.get_by_role("searchbox", name="Search everything")
    opener.focus()
    page.keyboard.press("Control+k")
    expect(field).to_be_focused()
    expect(chosen).to_have_text("New set")
    page.keyboard.press("ArrowDown")
    expect(chosen).to_have_text("New style")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    expect(chosen).to_have_text("Sign out")
    page.keyboard.type("dark")
    expect(chosen).to_have_text("Theme: dark")
    page.keyboard.press("Enter")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(field).to_be_hidden()
    expect(opener).to_be_focused()
    page.keyboard.press("Control+k")
    expect(field).to_be_focused()
    page.keyboard.press("Escape")
    expect(opener).to_be_focused()
    page.keyboard.press("Control+k")
    page.keyboard.type("car")  # at once: Enter waits for what is found
    page.keyboard.press("Enter")
    page.wait_for_url("**/sets/1")


def test_the_field_in_the_bar_searches_everything(page: Page, problems: list[str]) -> None:
    page.get_by_role("searchbox", name="Search everything").fill("car")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search?q=car")
    expect(page.locator(".found__name")).to_have_text(["Red car", "Scarves"])
    page.get_by_role("main").get_by_role("searchbox").fill("scarf")
    expect(page.get_by_role("main").get_by_role("img", name="a scarf")).to_be_visible()
    expect(page.locator(".found__name")).to_have_count(0)


@pytest.mark.parametrize("address", ["/pictures", "/sets", "/search", "/record"])
def test_nothing_is_searched_while_text_is_composed(
    page: Page, sent: list[str], address: str, problems: list[str]
) -> None:
    page.goto(address)
    page.get_by_role("main").get_by_role("searchbox").focus()
    keyboard = page.context.new_cdp_session(page)
    sent.clear()
    for text in ("k", "き", "きt", "きつ", "きつね"):
        compose(keyboard, text)
        page.keyboard.press("Enter")  # 229 from an input method; here it must do nothing either
        compose(keyboard, text)
    with page.expect_request(lambda request: "q=" in request.url) as found:
        keyboard.send("Input.insertText", {"text": "狐"})
    assert found.value.url.count("%E7%8B%90") == 1
    assert [url for url in sent if "q=" in url] == [found.value.url]


def test_keys_and_forms_wait_for_the_end_of_a_composition(page: Page, sent: list[str], problems: list[str]) -> None:
    with page.expect_response("**/sets/estimate?*"):  # of the empty form
        page.goto("/sets/new")
    page.locator("#prompts").focus()
    keyboard = page.context.new_cdp_session(page)
    compose(keyboard, "きつね")
    sent.clear()
    for field, key in (("prompts", "Enter"), ("prompts", "k"), ("name", "Enter"), ("name", "?")):
        page.locator(f"#{field}").evaluate(
            """(field, key) => {
              for (const how of [{ isComposing: true }, { keyCode: 229 }]) {
                const options = { key, ctrlKey: true, bubbles: true, cancelable: true, ...how };
                field.dispatchEvent(new KeyboardEvent("keydown", options));
              }
            }""",
            key,
        )
    expect(page.locator("#palette")).to_be_hidden()
    assert page.url.endswith("/sets/new")
    assert [url for url in sent if "/drafts" not in url] == []


def test_the_palette_comments_and_review_keys_wait_for_an_input_method(page: Page, problems: list[str]) -> None:
    page.goto("/review?set=1")
    keyboard = page.context.new_cdp_session(page)

    def press(*keys: str) -> None:
        """As an input method lets them through: all have the code 229."""
        for key, control in ((key, control) for key in keys for control in (0, 2)):
            event = {"key": key, "windowsVirtualKeyCode": 229, "modifiers": control}
            keyboard.send("Input.dispatchKeyEvent", {"type": "rawKeyDown", **event})
            keyboard.send("Input.dispatchKeyEvent", {"type": "keyUp", **event})

    comment = page.locator("#composer textarea")
    comment.focus()
    page.keyboard.type("@Sa")
    expect(page.locator("#mentions")).to_be_visible()
    compose(keyboard, "とu")
    press("Enter", "ArrowDown", "Tab", "Escape", "k", "a", "x", "u", "z", "1", "?", "ArrowRight")
    expect(comment).to_be_focused()
    expect(comment).to_have_value("@Saとu")
    keyboard.send("Input.insertText", {"text": "to"})
    expect(comment).to_have_value("@Sato")
    page.keyboard.press("Enter")
    expect(comment).to_have_value("@Sato Misaki ")
    comment.blur()
    press("a", "x", "u", "ArrowRight")
    expect(page.locator("#room")).to_have_attribute("data-image", "1")
    expect(page.locator(".standing li, [id^=thread-]")).to_have_count(0)

    page.keyboard.press("Control+k")
    field = page.get_by_role("combobox", name="Find pages, things and actions")
    expect(field).to_be_focused()
    chosen = page.locator("#palette [aria-selected=true]")
    expect(chosen).to_have_count(1)
    first = chosen.inner_text()
    compose(keyboard, "だーk")
    press("Enter", "ArrowDown", "Escape", "k")
    expect(field).to_be_visible()
    expect(chosen).to_have_text(first)
    keyboard.send("Input.insertText", {"text": "dark"})
    expect(chosen).to_have_text("Theme: dark")
    assert page.url.endswith("/review?set=1")
    assert not problems
