"""Soroe's main story in a browser: from the set-up link to a zip of what was approved."""

import csv
import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.fit import faults
from tests.demo import SQUARE
from tests.web.process import Process

SAMPLE = Path(__file__).parent.parent.parent / "static" / "samples" / "owl.webp"
PROMPTS = ("a fox", "a teapot", "an owl", "a bicycle")
MADE_WITHIN = 120_000  # ms, on a busy machine
# Shown again only after the call has returned, as the page is left then.
HIDE_AND_SHOW = """() => {
  const turn = (hidden) => {
    Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  };
  turn(true);
  setTimeout(turn, 100, false);
}"""

# The tests of this file build on each other: a server with people and pictures is expensive to make.


@pytest.fixture(scope="module")
def context(chromium: Browser) -> BrowserContext:
    return chromium.new_context(viewport={"width": 1440, "height": 900}, accept_downloads=True)


@pytest.fixture
def page(context: BrowserContext, watch: Callable[[Page], Page]) -> Page:
    return watch(context.new_page())


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "owl.png"
    Image.open(SAMPLE).save(path)
    return path


def test_the_story(page: Page, server: Process, picture: Path, downloads: Path, problems: list[str]) -> None:
    set_up(page, server.setup_link)
    make_a_style(page, picture)
    ask_for_a_set(page)
    watch_it_appear(page)
    learn_that_others_approve(page)
    review_it(page)
    archive = download(page, downloads)
    check(archive)
    assert not problems


def set_up(page: Page, link: str) -> None:
    page.goto(link)
    page.get_by_label("Your name").fill("Mori Haruka")
    page.get_by_label("E-mail").fill("haruka@example.com")
    page.get_by_label("Password").fill("a sentence of my own")
    page.get_by_role("button", name="Create account").click()
    expect(page.get_by_role("heading", name="Start with one picture whose look you love")).to_be_visible()


def make_a_style(page: Page, picture: Path) -> None:
    page.goto(page.url + "styles/new")
    page.locator("#picture-file").set_input_files(picture)
    expect(page.locator("#picture [data-crop]")).to_be_visible()
    page.locator("#name").fill("Retro sunburst")
    page.get_by_label("What the picture shows").fill("an owl")
    page.get_by_role("button", name="Save style").click()
    expect(page.get_by_role("heading", name="Retro sunburst")).to_be_visible()
    expect(page.get_by_text(re.compile(r"Saved Retro sunburst as SOR-"))).to_be_visible()


def ask_for_a_set(page: Page) -> None:
    page.get_by_role("link", name="New set").first.click()
    page.locator("#prompts").fill("\n".join(PROMPTS))
    expect(page.locator("[data-total]").first).to_have_text("4")
    page.get_by_text("Advanced").click()
    page.get_by_role("textbox", name="Steps").fill("16")
    page.get_by_label("Set name").fill("Autumn table")
    page.locator("#prompts").press("Control+Enter")
    page.wait_for_url(re.compile(r"/sets/\d+$"))


def watch_it_appear(page: Page) -> None:
    """Without a reload: steps count up, previews and then pictures appear."""
    page.evaluate("window.sameDocument = true")
    expect(page.locator(".tile")).to_have_count(len(PROMPTS))
    expect(page.get_by_text(re.compile(r"Step \d+ of 16")).first).to_be_visible(timeout=MADE_WITHIN)
    expect(page.locator("img[src*='/preview?step=']").first).to_be_visible(timeout=MADE_WITHIN)
    expect(page.locator(".tile[data-state=finished]")).to_have_count(len(PROMPTS), timeout=MADE_WITHIN)
    expect(page.locator("#progress")).to_contain_text("4 of 4")
    expect(page.get_by_role("link", name="4 need another reviewer")).to_be_visible()
    assert page.evaluate("window.sameDocument")
    for image in page.locator(".tile img").all():
        image.scroll_into_view_if_needed()
        page.wait_for_function("image => image.complete && image.naturalWidth > 0", arg=image.element_handle())


def learn_that_others_approve(page: Page) -> None:
    """Someone alone reads why they cannot approve, and where to change that."""
    page.get_by_role("link", name="4 need another reviewer").click()
    expect(page.get_by_role("button", name="Approve")).to_be_disabled()
    why = "There is no other reviewer yet: invite a reviewer under People"
    expect(page.get_by_text(why)).to_be_visible()
    expect(page.locator(".tally")).to_have_text("4 for other reviewers")
    page.wait_for_load_state()  # a person sees the page before pressing keys
    page.keyboard.press("a")
    expect(page.locator("#toasts")).to_contain_text(why)
    page.locator(".lockednote").get_by_role("link", name="Reasons and approvals").click()
    box = page.get_by_role("checkbox", name="Nobody approves their own pictures in Unsorted")
    expect(box).to_be_checked()
    box.press(" ")
    expect(box).not_to_be_checked()
    expect(box).to_be_focused()  # on the page that the form came back with
    page.goto(page.url.replace("/review/settings", "/sets/1"))


def review_it(page: Page) -> None:
    """By keyboard alone: approve two, one after a change of mind, and reject one."""
    page.get_by_role("link", name="Review 4 new").click()
    page.wait_for_load_state()  # a person sees the page before pressing keys
    room = page.locator("#room")
    expect(room.get_by_text("1 of 4", exact=True)).to_be_visible()
    page.keyboard.press("a")
    expect(room.get_by_text("2 of 4", exact=True)).to_be_visible()
    page.keyboard.press("r")
    page.keyboard.press("2")
    expect(room.get_by_text("3 of 4", exact=True)).to_be_visible()
    page.keyboard.press("a")
    expect(room.get_by_text("4 of 4", exact=True)).to_be_visible()
    page.keyboard.press("z")  # on second thoughts, no
    expect(room.get_by_text("3 of 4", exact=True)).to_be_visible()
    page.keyboard.press("m")
    page.keyboard.type("A little more light, please.")
    page.get_by_role("button", name="Send").click()
    expect(room.get_by_role("paragraph").filter(has_text="A little more light, please.")).to_be_visible()
    page.locator("body").press("a")
    expect(room.get_by_text("4 of 4", exact=True)).to_be_visible()
    expect(room.locator(".tally")).to_contain_text("1 left")


def download(page: Page, folder: Path) -> Path:
    page.get_by_role("link", name="Back").click()
    page.get_by_role("link", name="Export 2").click()
    with page.expect_download() as begun:
        page.get_by_role("button", name="Create zip").click()
    path = folder / begun.value.suggested_filename
    begun.value.save_as(path)
    return path


def check(archive: Path) -> None:
    """The zip contains exactly the two, as pictures that open, and a manifest that names them."""
    with zipfile.ZipFile(archive) as opened:
        names = opened.namelist()
        pictures = [name for name in names if name.endswith(".png")]
        assert [name.rsplit("/", 1)[-1] for name in pictures] == [
            "unsorted-retro-sunburst-001-a-fox.png",
            "unsorted-retro-sunburst-002-an-owl.png",
        ]
        assert len(names) == 5
        for name in pictures:
            assert Image.open(io.BytesIO(opened.read(name))).size == SQUARE
        manifest = next(name for name in names if name.endswith("manifest.csv"))
        rows = list(csv.DictReader(io.StringIO(opened.read(manifest).decode("utf-8-sig"))))
        assert [row["prompt"] for row in rows] == ["a fox", "an owl"]


def test_a_slow_script_costs_no_events(chromium: Browser, context: BrowserContext, server: Process) -> None:
    """A set may be made before its page listens."""
    slow = chromium.new_context(storage_state=context.storage_state())
    page = slow.new_page()
    page.route("**/*+live*.js", lambda route: (page.wait_for_timeout(500), route.continue_()))
    page.goto(server.url + "/sets/new")
    page.locator("#prompts").fill("a cat")
    page.locator("#prompts").press("Control+Enter")
    page.wait_for_url(re.compile(r"/sets/\d+$"))
    expect(page.locator(".tile[data-state=finished]")).to_have_count(1, timeout=MADE_WITHIN)
    slow.close()


def test_a_signed_out_reviewer_comes_to_the_sign_in_page(
    chromium: Browser, context: BrowserContext, server: Process, picture: Path
) -> None:
    another = chromium.new_context(storage_state=context.storage_state())
    page = another.new_page()
    page.goto(server.url + "/styles/new")
    another.clear_cookies()
    page.locator("#picture-file").set_input_files(picture)
    page.wait_for_url(server.url + "/login?next=/styles/new")
    another.close()


def test_signed_out_during_a_set_leads_to_the_sign_in_page(
    chromium: Browser, context: BrowserContext, server: Process
) -> None:
    another = chromium.new_context(storage_state=context.storage_state())
    page = another.new_page()
    page.goto(server.url + "/sets/new")
    page.locator("#prompts").fill("a cat\na dog")
    page.get_by_text("Advanced").click()
    page.get_by_role("textbox", name="Steps").fill("100")
    page.locator("#prompts").press("Control+Enter")
    page.wait_for_url(re.compile(r"/sets/\d+$"))
    path = page.url.removeprefix(server.url)
    expect(page.get_by_text(re.compile(r"Step \d+ of 100")).first).to_be_visible(timeout=MADE_WITHIN)
    another.clear_cookies()
    # A hidden page does not listen. When it is shown again, the stream is requested again, which leaves the page.
    page.evaluate(HIDE_AND_SHOW)
    page.wait_for_url(f"{server.url}/login?next={path}")
    another.close()
    tidy = context.new_page()
    tidy.goto(server.url + path)
    tidy.get_by_role("button", name="Cancel the set").click()
    tidy.get_by_role("button", name="Stop generating").click()
    expect(tidy.locator("#progress")).to_contain_text("Cancelled")
    tidy.close()


def test_an_upload_that_is_too_large_is_a_sentence_on_the_page(page: Page, server: Process, tmp_path: Path) -> None:
    huge = tmp_path / "huge.png"
    huge.write_bytes(bytes(40 * 2**20))
    page.goto(server.url + "/styles/new")
    page.locator("#picture-file").set_input_files(huge)
    expect(page.get_by_text("The file is larger than 32 MB")).to_be_visible()


PAGES = (
    "/",
    "/styles",
    "/styles/new",
    "/styles/new?reference=1",
    "/sets",
    "/sets/new",
    "/sets/1",
    "/review",
    "/review?set=1&image=1",
    "/review?set=99",
    "/review/settings",
    "/pictures",
    "/pictures?q=nothing-of-the-sort",
    "/people",
    "/account",
    "/nothing-here",
)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_axe_finds_nothing_wrong(
    context: BrowserContext, page: Page, server: Process, width: int, theme: str, problems: list[str]
) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    found = []
    for path in PAGES:
        page.goto(server.url + path)
        found += faults(page, path)
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if wide > 0:
            found.append(f"{path}: {wide} px wider than the window")
    assert not found, "\n".join(found)
    expected = "the server responded with a status of 404"
    assert not [problem for problem in problems if expected not in problem]


def test_axe_finds_nothing_wrong_before_the_door(
    chromium: Browser, server: Process, watch: Callable[[Page], Page], problems: list[str]
) -> None:
    context = chromium.new_context()
    page = watch(context.new_page())
    page.goto(server.url + "/sets")
    assert page.url == server.url + "/login?next=/sets"
    assert not faults(page, "/login")
    assert not problems
    context.close()
