"""What a screen reader finds on the pages of the daily work: their parts in order, by role and name."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from app.main import create_app
from app.models import Role, State, User
from app.settings import Settings
from tests.engine.painter import Painter
from tests.web.server import Server, make_person, making, serve, signed_in_browser

SET = """
- main:
  - heading "Autumn" [level=1]
  - complementary "Style and settings"
  - region "Pictures of the set"
"""
TILE = """
- region "Pictures of the set":
  - progressbar "Pictures of the set"
  - list:
    - listitem:
      - link "a fox":
        - img "a fox"
      - checkbox "Select a fox"
      - link "Download a fox"
      - paragraph: a fox
      - text: Approved
      - link "Redo a fox"
    - listitem:
      - paragraph: No light in the numbers.
      - button "Retry an owl"
      - paragraph: an owl
      - text: /Failed/
"""
FORM = """
- main:
  - heading "New set" [level=1]
  - region "Style":
    - heading "Style" [level=2]
    - button "About Style"
    - radiogroup "Style":
      - radio /Crayon/ [checked]
  - region "Prompts":
    - textbox "Prompts"
  - complementary "Output":
    - slider "Strength": "1"
    - group "Format":
      - radio /Square/ [checked]
    - textbox "Variations": "1"
    - group "Quality":
      - radio "Final" [checked]
    - button "Generate"
  - textbox "Set name"
  - combobox "Campaign"
"""


@pytest.fixture
def studio(settings: Settings) -> Iterator[tuple[Server, User]]:
    with serve(create_app(settings, Painter())) as server:
        yield server, make_person(server, Role.MANAGER, "Mori Haruka")


@pytest.fixture
def autumn(studio: tuple[Server, User]) -> str:
    """The page of a set with an approved picture and one that failed."""
    server, person = studio
    with making(server) as make:
        me = make.session.get_one(User, person.id)
        made = make.finished_set(me, make.style(me, name="Crayon"), name="Autumn", prompts="a fox\nan owl")
        fox, owl = made.images
        make.decide(fox)
        owl.state, owl.shown, owl.error = State.FAILED, False, "No light in the numbers."
        return f"/sets/{made.id}"


@pytest.fixture
def page(studio: tuple[Server, User], chromium: Browser) -> Iterator[Page]:
    server, person = studio
    context = chromium.new_context(base_url=server.url)
    with signed_in_browser(server, person) as browser:
        context.add_cookies(
            [{"name": name, "value": value, "url": server.url} for name, value in browser.cookies.items()]
        )
    yield context.new_page()
    context.close()


def test_the_page_of_a_set(page: Page, autumn: str) -> None:
    page.goto(autumn)
    expect(page.get_by_role("main")).to_match_aria_snapshot(SET)
    expect(page.get_by_role("region", name="Pictures of the set")).to_match_aria_snapshot(TILE)
    reason = page.get_by_text("No light in the numbers.")
    reason.focus()
    expect(reason).to_be_focused()  # a long one scrolls


def test_the_form_of_a_new_set(page: Page, autumn: str) -> None:
    page.goto("/sets/new")
    expect(page.get_by_role("main")).to_match_aria_snapshot(FORM)
    page.get_by_role("button", name="Generate").click()
    summary = page.get_by_role("group", name="1 thing to fix")
    expect(summary).to_be_focused()
    summary.get_by_role("link").click()
    prompts = page.get_by_role("textbox", name="Prompts")
    expect(prompts).to_be_focused()
    expect(prompts).to_have_accessible_description(re.compile("prompt"))
