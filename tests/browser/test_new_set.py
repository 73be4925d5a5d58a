"""The form of a new set, in a browser: one screen, few tab stops, and nothing changed silently."""

from collections.abc import Callable, Iterator
from contextlib import closing
from sqlite3 import connect

import pytest
from playwright.sync_api import Browser, Page, expect

from app.main import create_app
from app.settings import Settings
from tests.browser.fit import faults
from tests.engine.painter import Painter
from tests.web.server import Server, making, serve, signed_in_browser

NEEDED = ("[name=style]", "#prompts", "#strength", "[name=size]", "#count", "[data-generate]")


@pytest.fixture
def engine() -> Painter:
    return Painter()


@pytest.fixture
def server(settings: Settings, engine: Painter) -> Iterator[Server]:
    with serve(create_app(settings, engine)) as server:
        yield server


@pytest.fixture
def has_scripts() -> bool:
    return True


@pytest.fixture
def form(server: Server, chromium: Browser, watch: Callable[[Page], Page], has_scripts: bool) -> Iterator[Page]:
    """The form, with a dozen styles."""
    with making(server) as make:
        user = make.user(name="Mori Haruka")
        for number in range(12):
            make.style(user, name=f"Look {number}", strength=1.5 if number == 3 else 1)
    token = signed_in_browser(server, user).cookies[server.resources.cookie]
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, java_script_enabled=has_scripts)
    context.add_cookies([{"name": server.resources.cookie, "value": token, "url": server.url}])
    page = watch(context.new_page())
    page.goto(f"{server.url}/sets/new")
    yield page
    context.close()


def test_it_is_one_screen_with_few_tab_stops(form: Page, problems: list[str]) -> None:
    for selector in NEEDED:
        box = form.locator(selector).first.bounding_box()
        assert box, selector
        assert box["y"] + box["height"] <= 900, selector
    form.locator("main h1").click()
    stops = 0
    while not form.evaluate("document.activeElement.matches('[data-generate]')"):
        form.keyboard.press("Tab")
        stops += not form.evaluate("document.activeElement.matches('.why')")  # a setting's explanation
        assert stops <= 15
    form.set_viewport_size({"width": 390, "height": 844})
    box = form.locator("[data-generate]").bounding_box()
    assert box, "Generate stays at the bottom of a phone"
    assert box["y"] + box["height"] <= 844
    assert not faults(form, "new set")
    assert not problems


def test_a_style_is_found_and_brings_its_strength(form: Page) -> None:
    find = form.get_by_placeholder("Find a style")
    find.fill("look 3")
    expect(form.locator(".pickcard:visible")).to_have_count(1)
    find.press("Enter")
    assert form.url.endswith("/sets/new"), "a search does not generate"
    expect(form.locator(".pickcard", has_text="Look 3")).to_contain_text("Look 3")
    expect(form.locator("output[for=strength]")).to_have_text("1.5")
    find.press("Escape")
    expect(form.locator(".pickcard:visible")).to_have_count(12)
    form.locator("[name=style]:checked").press("ArrowRight")
    expect(form.locator("output[for=strength]")).to_have_text("1")


def test_what_the_model_draws_is_chosen_by_keys(form: Page) -> None:
    chooser = form.get_by_role("combobox", name="Add something that this model draws")
    chooser.press_sequentially("ow")
    chooser.press("Enter")
    chooser.press("ArrowDown")
    expect(form.locator("#chooser-list [aria-selected=true]")).to_have_text("a fox")
    chooser.press("Enter")
    expect(form.locator("#prompts")).to_have_value("an owl\na fox")
    expect(form.locator("[data-total]")).to_have_text("2")
    chooser.press("Escape")
    expect(form.locator("#chooser-list")).to_be_hidden()


def test_what_the_model_draws_is_listed_above_the_bars_of_a_phone(form: Page) -> None:
    form.set_viewport_size({"width": 390, "height": 844})
    chooser = form.get_by_role("combobox", name="Add something that this model draws")
    chooser.evaluate("field => field.scrollIntoView({ block: 'end' })")
    chooser.focus()
    form.keyboard.type("t")
    expect(form.locator("#chooser-list")).to_be_visible()
    covers = """list => {
      const { left, bottom } = list.getBoundingClientRect();
      return list.contains(document.elementFromPoint(left + 20, bottom - 5)) ? null : [bottom, innerHeight];
    }"""
    assert form.locator("#chooser-list").evaluate(covers) is None


def test_nothing_typed_is_changed_and_nothing_is_sent_while_composing(form: Page) -> None:
    form.locator("#prompts").fill("a fox")
    form.locator("#count").fill("99")
    form.locator("#count").press("Tab")
    expect(form.locator("#count")).to_have_value("99")
    expect(form.get_by_text("Variations: a whole number from 1 to 16.")).to_be_visible()
    form.locator("#count").fill("3")
    expect(form.get_by_text("Variations: a whole number")).to_be_hidden()
    form.locator("#prompts").evaluate(
        "field => field.dispatchEvent(new KeyboardEvent('keydown', "
        "{key: 'Enter', ctrlKey: true, bubbles: true, isComposing: true}))"
    )
    form.locator("#count").press("ArrowUp")
    expect(form.locator("#count")).to_have_value("4")
    assert form.url.endswith("/sets/new")
    form.locator("#prompts").press("Control+Enter")
    form.wait_for_url("**/sets/1")


def test_strengths_are_previewed_and_one_is_chosen(form: Page, engine: Painter, problems: list[str]) -> None:
    start = form.get_by_role("button", name="Preview strengths")
    start.click()
    expect(form.locator("[data-strip-said]")).to_have_text("Write at least one prompt, one per line.")
    form.locator("#prompts").fill("a fox\nan owl")
    start.click()
    drafts = form.locator("[data-strip-drafts] button")
    expect(drafts.locator("img:visible")).to_have_count(5)
    expect(drafts.nth(2)).to_have_attribute("aria-pressed", "true")
    drafts.nth(4).click()
    expect(form.locator("output[for=strength]")).to_have_text("2")
    assert {image.prompt for image in engine.units[0].images} == {"a fox"}
    assert [problem for problem in problems if "422" not in problem] == []


@pytest.mark.parametrize(("style", "before"), [("Look 0", "1"), ("Look 3", "1.5")])
def test_a_strength_that_was_taken_over_is_undone(form: Page, style: str, before: str, problems: list[str]) -> None:
    """Also after other fields were typed in, which saves a draft with it."""
    code = form.locator(
        f"[name=style][aria-label^='{style},'], label:has-text('{style}') [name=style]"
    ).first.input_value()
    form.goto(f"{form.url}?style={code}&taken=0.4")
    note = form.locator(".note", has_text="Strength 0.4 is filled in")
    expect(note).to_be_visible()
    form.locator("#name").fill("Autumn")
    expect(form.locator("[data-typed-words]")).to_contain_text("Draft")
    note.get_by_role("link", name="Undo").click()
    expect(note).to_have_count(0)
    expect(form.locator("#strength")).to_have_value(before)
    expect(form.locator("output[for=strength]")).to_have_text(before)
    expect(form.locator("#strength")).to_be_focused()
    expect(form.locator("#name")).to_have_value("Autumn")
    form.reload()
    expect(form.locator("#name")).to_have_value("Autumn")
    expect(note).to_have_count(0)
    assert problems == []


@pytest.mark.parametrize("has_scripts", [False])
def test_a_double_press_without_scripts_makes_one_set(form: Page, server: Server) -> None:
    form.locator("#prompts").fill("a fox")
    box = form.locator("[data-generate]").bounding_box()
    assert box
    with closing(connect(server.resources.settings.database_path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")  # nothing is made before both have arrived
        for number in (1, 2):
            form.mouse.click(box["x"] + 9, box["y"] + 9)
            while len(server.tasks) < number:
                form.wait_for_timeout(20)
        other.execute("ROLLBACK")
    form.wait_for_url("**/sets/1")
    form.goto(f"{server.url}/sets")
    expect(form.locator(".setcard")).to_have_count(1)
