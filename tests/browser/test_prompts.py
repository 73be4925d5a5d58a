"""Prompt fields in a real browser: what the model does not read is marked while it is written."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import Browser, Page, expect

from app.main import create_app
from app.models import Role
from app.settings import Settings
from tests.engine.painter import FACTS, Painter
from tests.prompts.test_reader import LONG, READER
from tests.web.server import make_person, making, serve, signed_in_browser


@pytest.fixture
def page(
    settings: Settings, chromium: Browser, watch: Callable[[Page], Page], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Page]:
    monkeypatch.setattr(Painter, "model", replace(FACTS, reader=READER))
    with serve(create_app(settings, Painter())) as painted:
        token = signed_in_browser(painted, make_person(painted, Role.DESIGNER)).cookies[painted.resources.cookie]
        with making(painted) as make:
            make.style(text="flat icon")
        context = chromium.new_context(viewport={"width": 600, "height": 900}, base_url=painted.url)
        context.add_cookies([{"name": painted.resources.cookie, "value": token, "url": painted.url}])
        page = watch(context.new_page())
        page.goto("/sets/new")
        yield page
        context.close()


def test_marks_follow_what_is_written(page: Page, problems: list[str]) -> None:
    prompts, notes = page.get_by_role("textbox", name="Prompts"), page.locator(".prompts ~ .reads p")
    prompts.fill(f"a fox\na unicorn and an owl\n{LONG}\n(a fox:3)")
    expect(page.locator(".readmarks__unknown")).to_have_text("unicorn")
    expect(page.locator(".readmarks__cut")).to_contain_text("and a fox")
    expect(notes.first).to_have_text("Line 2: The model does not know “unicorn”.")
    expect(notes.last).to_have_text("Line 4: Weights go from 0 to 2: (a fox:3) is read as 2.")
    expect(page.locator(".readmarks__weight")).to_have_text(["(", ":3)"])

    tops = [
        [round(row["y"]) for row in (each.bounding_box() for each in page.locator(rows).all()[:4]) if row]
        for rows in (".readmarks__mirror div", ".prompts__nums li")
    ]
    assert tops[0] == tops[1], "a line that wraps keeps its number"
    marks = page.locator(".readmarks__unknown").bounding_box()
    assert marks
    assert marks["height"] > 0

    prompts.fill("a fox\na unicorn\nan owl")
    expect(notes).to_have_text(["Line 2: The model knows none of these words. Try others."])
    prompts.fill("a fox")
    expect(notes).to_have_count(0)
    assert not problems


def test_nothing_changes_while_an_input_method_composes(page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.url.endswith("/readings") else None)
    prompts = page.get_by_role("textbox", name="Prompts")
    prompts.focus()
    keyboard = page.context.new_cdp_session(page)
    keyboard.send("Input.imeSetComposition", {"text": "きつね", "selectionStart": 3, "selectionEnd": 3})
    page.wait_for_timeout(600)
    assert not asked
    keyboard.send("Input.insertText", {"text": "キツネ"})
    expect(page.locator(".drawn__row input")).to_have_value("a fox")
    assert len(asked) == 1


def test_what_is_drawn_for_japanese_is_shown_and_corrected(page: Page, problems: list[str]) -> None:
    prompts, notes = page.get_by_role("textbox", name="Prompts"), page.locator(".prompts ~ .reads p")
    red = page.get_by_label("赤い狐 Will be drawn as:")
    prompts.fill(
        "\n".join(["家" * 480 + str(number) for number in range(25)] + ["赤い狐"])
    )  # more than one answer reads
    expect(red).to_have_value("a red fox")
    prompts.fill("赤い狐\nan owl\nキツネモドキ")
    expect(red).to_have_value("a red fox")
    expect(page.locator(".readmarks__unknown")).to_have_text("キツネモドキ")
    expect(page.locator(".drawn__row")).to_have_count(1)
    red.fill("a unicorn")
    expect(notes.first).to_have_text("Lines 1, 3: The model knows none of these words. Try others.")
    red.fill("an owl")
    expect(notes).to_have_text(["Line 3: The model knows none of these words. Try others."])
    prompts.fill("家\n赤い狐")
    expect(red).to_have_value("an owl")
    page.get_by_role("button", name="Generate").click()
    expect(page.get_by_text("Drawn as: an owl")).to_be_visible()
    expect(page.get_by_text("Drawn as: a house")).to_be_visible()
    assert not problems


def test_a_negative_prompt_without_guidance_is_said_at_both_fields(page: Page) -> None:
    page.get_by_text("Advanced").click()
    negative, guidance = page.locator("#negative_prompt"), page.locator("#guidance")
    unused = page.get_by_text("The negative prompt does nothing at guidance 1 or below.")
    negative.fill("owl")
    guidance.fill("1")
    guidance.blur()
    expect(unused).to_have_count(2)
    guidance.fill("4")
    guidance.blur()
    expect(unused).to_have_count(0)


def test_prompts_to_try_a_style_with_are_read_as_they_come(page: Page, problems: list[str]) -> None:
    """They come from the form of a set, so they are there before anybody types."""
    page.goto("/styles")
    code = page.locator("a[href^='/styles/SOR-']").first.get_attribute("href")
    page.goto(f"{code}/tuning?prompts=a+fox%0Aa+unicorn+and+an+owl")
    expect(page.locator(".readmarks__unknown")).to_have_text("unicorn")
    expect(page.locator(".reads p")).to_have_text("Line 2: The model does not know “unicorn”.")
    assert not problems
