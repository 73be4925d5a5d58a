"""A manager reads the audit log by keyboard alone: finds events, checks the chain, downloads a CSV."""

import csv
import re
from collections.abc import Callable, Iterator
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, expect

from app.audit.checker import Walk
from app.main import create_app
from app.models import Role
from app.settings import Settings
from tests.browser.fit import misfits
from tests.browser.late import Late
from tests.engine.painter import Painter
from tests.web.server import Server, make_person, making, serve, signed_in_browser


@pytest.fixture
def busy(settings: Settings) -> Iterator[Server]:
    """A server on which things have happened; its engine only paints."""
    with serve(create_app(settings, Painter())) as server:
        with making(server) as make:
            owner = make.user(Role.DESIGNER, "森 はるか")
            for name in ("Autumn table", "秋の食卓"):
                make.decide(make.finished_set(owner, name=name, count=12).images[0])
        yield server


@pytest.fixture
def page(chromium: Browser, busy: Server, watch: Callable[[Page], Page]) -> Iterator[Page]:
    """Signed in as a manager, at home."""
    browser = signed_in_browser(busy, make_person(busy, Role.MANAGER, "Ito Kenji"))
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, accept_downloads=True)
    context.add_cookies([{"name": name, "value": value, "url": busy.url} for name, value in browser.cookies.items()])
    browser.close()
    page = watch(context.new_page())
    page.goto(busy.url)
    yield page
    context.close()


def tab_to(page: Page, name: str | re.Pattern[str], role: str = "link") -> None:
    """Press Tab until the control has the focus, like someone without a mouse."""
    control = page.get_by_role(role, name=name).first  # type: ignore[arg-type]
    for _ in range(200):
        page.keyboard.press("Tab")
        if control.evaluate("control => control === document.activeElement"):
            return
    raise AssertionError(f"Tab never comes to {name}")


def test_the_last_of_several_quick_choices_counts(page: Page) -> None:
    page.goto(page.url + "record")
    act = page.locator("#act")
    values = act.locator("option").evaluate_all("options => options.slice(1, 4).map(each => each.value)")
    page.route(re.compile(r"/record\?"), lambda _: None)  # no answer arrives, so each finds the previous one waiting
    last = re.compile(rf"act={quote(values[-1], safe='')}(&|$)")
    with page.expect_request(last):
        for value in values:
            act.select_option(value)


def test_the_record_by_keyboard(page: Page, problems: list[str]) -> None:
    tab_to(page, "Account: Ito Kenji", "button")
    page.keyboard.press("Enter")
    tab_to(page, "Audit log")
    page.keyboard.press("Enter")
    page.wait_for_url("**/record")
    shown = page.locator(".event")
    expect(shown).to_have_count(50)

    page.keyboard.press("ArrowRight")
    page.wait_for_url("**/record?before=*")
    page.keyboard.press("ArrowLeft")
    page.wait_for_url("**/record?after=*")
    expect(shown.first).to_contain_text("Ito Kenji signed in")

    page.keyboard.press("/")
    page.keyboard.type("autumn pictures")
    expect(shown).to_have_count(1)
    expect(shown).to_contain_text("森 はるか created the set Autumn table")
    page.wait_for_url("**q=autumn+pictures*")

    tab_to(page, "Download CSV")
    with page.expect_download() as begun:
        page.keyboard.press("Enter")
    with begun.value.path().open(encoding="utf-8-sig", newline="") as file:
        assert [row["what"] for row in csv.DictReader(file)] == ["Autumn table"]

    tab_to(page, "Show only Autumn table")
    page.keyboard.press("Enter")
    page.wait_for_url("**/record?on=image_sets:1")
    expect(page.get_by_text("Only Autumn table")).to_be_visible()

    tab_to(page, "Check now", "button")
    page.keyboard.press("Enter")
    expect(page.locator(".chain")).to_contain_text(re.compile(r"Intact, \d+ events, checked just now by Ito Kenji"))
    page.locator(".chain__head summary").press("Enter")
    expect(page.get_by_label(re.compile("Hash of event"))).to_have_value(re.compile("^[0-9a-f]{64}$"))
    assert not problems


def test_choosing_an_act_needs_no_reload(page: Page, busy: Server, problems: list[str]) -> None:
    page.goto(busy.url + "/record")
    page.evaluate("window.sameDocument = true")
    page.get_by_label("Action", exact=True).select_option(label="Decided on")
    expect(page.locator(".event")).to_have_count(2)
    page.get_by_label("Person").select_option(label="Soroe and visitors")
    expect(page.get_by_role("heading", name="No matching events")).to_be_visible()
    assert page.evaluate("window.sameDocument")
    page.go_back()
    expect(page.locator(".event")).to_have_count(2)
    assert not problems


def test_what_is_found_late_leaves_the_focus_where_it_is(page: Page, busy: Server, problems: list[str]) -> None:
    """Someone types and goes on with Tab before the list is there."""
    page.goto(busy.url + "/record")
    found = Late(page, r"/record\?.*q=autumn")
    page.get_by_label("Search", exact=True).fill("autumn")
    tab_to(page, "Download CSV")
    found.arrive()
    expect(page.get_by_text("Clear filters")).to_be_visible()
    expect(page.get_by_role("link", name="Download CSV")).to_be_focused()
    expect(page.get_by_role("link", name="Download CSV")).to_have_attribute("href", re.compile("q=autumn"))
    assert not problems


def test_a_check_is_followed_to_its_end(page: Page, busy: Server, problems: list[str]) -> None:
    """One that someone else requested."""
    checker, user = busy.resources.checker, make_person(busy, Role.ADMIN, "森 はるか")
    checker.walk = Walk(user.id, user.name, 40_000, 100_000)
    page.goto(busy.url + "/record")
    expect(page.get_by_text(re.compile("Checked 40.000 of 100.000"))).to_be_visible()
    page.locator(".chain__head summary").click()
    checker.walk = Walk(user.id, user.name, 60_000, 100_000)
    expect(page.get_by_text(re.compile("Checked 60.000 of 100.000"))).to_be_visible()
    expect(page.get_by_label(re.compile("Hash of event"))).to_be_visible()
    checker.check()
    expect(page.locator(".chain")).to_contain_text(re.compile(r"Intact, \d+ events, checked just now by 森 はるか"))
    expect(page.get_by_role("button", name="Check now")).to_be_visible()
    assert not problems


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1920])
def test_it_fits_and_axe_finds_nothing(page: Page, busy: Server, scheme: str, width: int, problems: list[str]) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    for path in ("/record", "/record?q=nothing+such", "/record?on=images:1", "/record?act=review"):
        busy.resources.checker.walk = Walk(1, "森 はるか", 40_000, 100_000) if "act" in path else None
        page.goto(busy.url + path)
        page.locator(".chain__head summary").click()
        assert not misfits(page, f"record-{path.partition('?')[2][:3]}-{width}-{scheme}")
    assert not problems
