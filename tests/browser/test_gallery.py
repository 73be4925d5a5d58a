"""Many pictures by keyboard and by mouse: select, tag, star, delete and undo; a saved search."""

import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from app.gallery import service
from app.main import create_app
from app.models import Decision, Image, ImageSet, ImageTag, Role, Star, Style, Verdict, now
from app.reviews import service as reviews
from app.settings import Settings
from app.web import gallery
from tests.browser.fit import misfits
from tests.engine.painter import Painter
from tests.web.server import Server, make_person, making, serve, signed_in_browser

FRAMES = """items => items.map(item => {
  const image = item.querySelector("a > img");
  const { top, width, height } = item.getBoundingClientRect();
  return { top: Math.round(top), width, height, shape: image.getAttribute("width") / image.getAttribute("height"),
    fit: getComputedStyle(image).objectFit };
})"""


@pytest.fixture
def busy(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server with three campaigns, a dozen pictures per page; its engine only paints."""
    monkeypatch.setattr(gallery, "PAGE", 12)
    with serve(create_app(settings, Painter())) as server:
        with making(server) as make:
            owner = make.user(Role.DESIGNER, "森 はるか")
            styles = [make.style(name=name) for name in ("Retro sunburst", "鉛筆スケッチ")]
            make.finished_set(owner, styles[0], prompts="\n".join(f"thing {n}" for n in range(24)), campaign="Spring")
            things = ["a fox", "露のついたぶどうの房", "an owl", "a brass bell", "a steam train", "a town bicycle"]
            for number, campaign in enumerate(("Spring", "秋のキャンペーン", "Store opening, Kyoto")):
                made = make.finished_set(owner, styles[number % 2], prompts="\n".join(things), campaign=campaign)
                for image in made.images[: 2 * number]:
                    make.decide(image)
        yield server


@pytest.fixture
def page(chromium: Browser, busy: Server, watch: Callable[[Page], Page]) -> Iterator[Page]:
    """Signed in as a manager, at all pictures."""
    browser = signed_in_browser(busy, make_person(busy, Role.MANAGER, "Ito Kenji"))
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    context.add_cookies([{"name": name, "value": value, "url": busy.url} for name, value in browser.cookies.items()])
    browser.close()
    page = watch(context.new_page())
    page.goto(f"{busy.url}/pictures")
    yield page
    context.close()


def tab_to(page: Page, control: Locator) -> None:
    """Press Tab until the control has the focus, like someone without a mouse."""
    for _ in range(200):
        page.keyboard.press("Tab")
        if control.evaluate("control => control === document.activeElement"):
            return
    raise AssertionError(f"Tab never comes to {control}")


def first_page_only(page: Page) -> None:
    """Stop more pictures from loading, however near the end of the page is."""
    page.route(re.compile("[?&]after="), lambda _: None)


def picked(page: Page) -> list[int]:
    return [int(value) for value in page.locator(".pick :checked").evaluate_all("boxes => boxes.map(b => b.value)")]


def test_by_keyboard_alone(page: Page, busy: Server, problems: list[str]) -> None:
    # Three of the first row; one too many, and back.
    page.locator("#picture-42 > a").focus()
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowLeft")
    assert picked(page) == [42, 41, 40]
    expect(page.locator("[data-picked-count]")).to_have_text("3 selected")

    page.get_by_role("button", name="Tag").focus()
    page.keyboard.press("Enter")
    page.keyboard.type("Hero")
    page.keyboard.press("Enter")
    expect(page.get_by_text("3 pictures were tagged Hero")).to_be_visible()
    assert picked(page) == [42, 41, 40], "what was tagged stays selected"

    page.locator("#picture-41 > a").focus()
    page.keyboard.press("s")
    expect(page.get_by_text("3 pictures were starred")).to_be_visible()
    expect(page.locator(".badge--star")).to_have_count(3)
    expect(page.get_by_role("button", name="Remove star")).to_be_visible()

    page.keyboard.press("Escape")
    assert picked(page) == []
    page.locator("#picture-39 > a").focus()
    page.keyboard.press("Delete")
    expect(page.get_by_text("1 picture was deleted")).to_be_visible()
    expect(page.locator("#picture-39")).to_have_count(0)
    assert picked(page) == []
    expect(page.locator("#picture-38 > a")).to_be_focused()
    page.keyboard.press("z")
    expect(page.get_by_text("1 picture is as before")).to_be_visible()
    expect(page.locator("#picture-39 > a")).to_be_focused()

    with busy.resources.database.read() as session:
        assert {row.image_id for row in session.query(ImageTag)} == {40, 41, 42}
        assert {row.image_id for row in session.query(Star)} == {40, 41, 42}
        assert session.query(Image).filter(Image.deleted_at.is_not(None)).count() == 0
    assert not problems


def test_the_focus_stays_among_the_pictures(page: Page, problems: list[str]) -> None:
    page.locator("#picture-42 > a").focus()
    page.keyboard.press("Shift+ArrowRight")
    tab_to(page, page.get_by_role("button", name="Approve", exact=True))
    page.keyboard.press("Enter")
    expect(page.get_by_text("2 pictures were approved")).to_be_visible()
    expect(page.locator("#picture-42 > a")).to_be_focused()

    # A menu of the bar returns the focus to its button; an act in it ends the selection.
    page.keyboard.press(" ")
    for name in ("Tag", "Move", "Reject"):
        page.get_by_role("button", name=name, exact=True).press("Enter")
        expect(page.locator(".pop:popover-open")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator(".pop:popover-open")).to_have_count(0)
        expect(page.get_by_role("button", name=name, exact=True)).to_be_focused()
        assert picked(page) == [42]
    page.get_by_role("button", name="Move", exact=True).press("Enter")
    page.keyboard.type("Winter")
    page.keyboard.press("Enter")
    expect(page.get_by_text("1 picture was moved to Winter")).to_be_visible()
    expect(page.locator("#picture-42 > a")).to_be_focused()

    # The last one removed selects its predecessor; without any, one can continue searching.
    page.goto(page.url + "?q=owl")
    page.locator("#pictures > li > a").last.press("Delete")
    expect(page.locator("#pictures > li")).to_have_count(2)
    expect(page.locator("#pictures > li > a").last).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.press("Delete")
    expect(page.get_by_role("heading", name="No matching pictures")).to_be_visible()
    expect(page.get_by_label("Search pictures")).to_be_focused()
    assert not problems


def test_keys_work_wherever_the_focus_is(page: Page, busy: Server, problems: list[str]) -> None:
    """Ctrl A selects pictures with the focus on the page, on a filter or on a button; a number chooses a reason."""
    first_page_only(page)
    page.reload()
    filters = page.get_by_role("checkbox", name="Approved"), page.get_by_role("button", name="Saved searches")
    for place in (page.locator("body"), *filters):
        place.evaluate("place => place.focus()")
        page.keyboard.press("Control+a")
        expect(page.locator("[data-picked-count]")).to_have_text("12 selected")
        page.keyboard.press("Escape")
        assert picked(page) == []
    page.get_by_label("Search pictures").press("Control+a")
    assert picked(page) == [], "in a field, it selects the field's text"

    page.locator("#picture-42 > a").press(" ")
    page.get_by_role("button", name="Reject", exact=True).press("Enter")
    reasons = page.get_by_role("dialog", name="Reason for rejecting").get_by_role("button")
    expect(reasons.first).to_be_focused()
    second = reasons.nth(1).get_attribute("value")
    page.keyboard.press("2")
    expect(page.get_by_text("1 picture was rejected")).to_be_visible()
    with busy.resources.database.read() as session:
        assert session.query(Decision.reason).filter_by(image_id=42, verdict=Verdict.REJECTED).scalar() == second
    assert not problems


def test_pictures_keep_their_shape_and_the_bar_its_place(page: Page, busy: Server, problems: list[str]) -> None:
    """Panoramas fill frames of their own shape, the last row does not grow, and the bar stays at the bottom."""
    first_page_only(page)
    with making(busy) as make:
        for set_id, (width, height) in {4: (2048, 512), 3: (256, 1024)}.items():
            made = make.session.get_one(ImageSet, set_id)
            made.width, made.height = width, height
    bar = page.locator("#picked")
    for words in ("", "?q=owl"):  # a long page, and one that ends above the bar
        page.goto(f"{busy.url}/pictures{words}")
        frames = page.locator("#pictures > li").evaluate_all(FRAMES)
        for frame in frames:
            assert frame["fit"] == "cover"
            assert frame["width"] / frame["height"] == pytest.approx(frame["shape"], rel=0.05)
        rows = sorted({frame["top"]: frame["height"] for frame in frames}.items())
        assert rows[-1][1] <= min(height for _, height in rows) + 1
        page.locator("#pictures .pick").first.click()
        for edge in ("Home", "End"):
            page.keyboard.press(edge)
            expect(bar).to_be_in_viewport(ratio=1)
            assert bar.evaluate("bar => innerHeight - bar.getBoundingClientRect().bottom") == pytest.approx(16, abs=1)
    assert not problems


def test_new_tags_and_campaigns_are_suggested_immediately(page: Page, problems: list[str]) -> None:
    page.locator("#picture-42 .pick").click()
    for button, field, value, done in (
        ("Tag", "Tag", "hero", "1 picture was tagged hero"),
        ("Move", "Campaign", "Winter", "1 picture was moved to Winter"),
    ):
        suggestion = page.locator(f"#{field.lower()}_names option[value={value}]")
        expect(suggestion).to_have_count(0)
        page.get_by_role("button", name=button, exact=True).click()
        page.get_by_role("combobox", name=field).fill(value)
        page.keyboard.press("Enter")
        expect(page.get_by_text(done)).to_be_visible()
        expect(suggestion).to_have_count(1)
    assert not problems


def test_several_tags_and_an_address_without_empty_fields(page: Page, busy: Server, problems: list[str]) -> None:
    with making(busy) as make:
        rows = ((42, "hero"), (41, "key visual"), (40, "print"))
        make.session.add_all(ImageTag(image_id=id, tag=tag, added_by_id=1) for id, tag in rows)
    page.goto(f"{busy.url}/pictures?tag=hero&tag=key+visual")
    tags = page.get_by_role("group", name="Tag")
    tags.get_by_label("print").check()
    expect(page.locator("#pictures > li")).to_have_count(3)
    page.wait_for_url("**/pictures?tag=hero&tag=key+visual&tag=print")
    expect(tags.get_by_label("key visual")).to_be_checked()
    page.route(re.compile("[?]tag="), lambda _: None)  # slower than the clicks: the last choice counts
    for tag in ("hero", "key visual", "print"):
        tags.get_by_label(tag).uncheck()
    expect(page.locator("#pictures > li").nth(3)).to_be_attached()
    page.wait_for_url("**/pictures")
    page.get_by_label("Search pictures").fill("owl")
    page.wait_for_url("**/pictures?q=owl")
    assert not problems


def test_the_campaigns_stay_while_one_types(page: Page, problems: list[str]) -> None:
    rail = page.get_by_role("navigation", name="Campaigns")
    for words in ("thing 3", "zebra"):
        page.get_by_label("Search pictures").fill(words)
        page.wait_for_url(re.compile(words.replace(" ", r"\+")))
        expect(rail).to_be_visible()
    assert not problems


def test_missing_permission_to_move_or_delete_shows_beforehand(
    chromium: Browser, busy: Server, watch: Callable[[Page], Page], problems: list[str]
) -> None:
    ann = make_person(busy, Role.DESIGNER, "Ann")
    with making(busy) as make:
        make.finished_set(ann, prompts="a lamp")
    browser = signed_in_browser(busy, ann)
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, base_url=busy.url)
    context.add_cookies([{"name": name, "value": value, "url": busy.url} for name, value in browser.cookies.items()])
    browser.close()
    page = watch(context.new_page())
    page.goto("/pictures")
    acts = [page.get_by_role("button", name=name, exact=True) for name in ("Move", "Delete")]
    page.locator("#picture-42 .pick").click()
    for act in acts:
        expect(act).to_be_disabled()
        expect(act).to_have_attribute("title", re.compile("Only the set’s owner or a manager"))
    page.locator("#picture-42 > a").press("Delete")
    expect(page.locator("#toasts")).to_contain_text("Only the set’s owner or a manager")
    page.locator("#picture-43 .pick").click()
    for act in acts:
        expect(act).to_be_enabled()
        expect(act).to_have_attribute("title", re.compile("^(Move|Delete)$"))
    context.close()
    assert not problems


def test_own_pictures_are_not_offered_for_approval(
    chromium: Browser, busy: Server, watch: Callable[[Page], Page], problems: list[str]
) -> None:
    rae = make_person(busy, Role.REVIEWER, "Rae")
    with making(busy) as make:
        theirs, own = make.finished_set(prompts="a lamp"), make.finished_set(rae, prompts="a chair")
        for image_set in (theirs, own):
            reviews.set_four_eyes(make.session, make.user(Role.MANAGER), image_set.campaign_id, True)
        pictures = [f"#picture-{image_set.images[0].id} .pick" for image_set in (own, theirs)]
    with signed_in_browser(busy, rae) as browser:
        cookies = [{"name": name, "value": value, "url": busy.url} for name, value in browser.cookies.items()]
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, base_url=busy.url)
    context.add_cookies(cookies)
    page = watch(context.new_page())
    page.goto("/pictures")
    approve = page.locator("#picked").get_by_role("button", name="Approve", exact=True)
    page.locator(pictures[0]).click()
    expect(approve).to_be_disabled()
    expect(approve).to_have_attribute("title", re.compile("nobody approves their own pictures"))
    page.locator(pictures[1]).click()
    expect(approve).to_be_enabled()
    context.close()
    assert not problems


def test_a_click_leads_to_the_reference(page: Page, problems: list[str]) -> None:
    page.locator("#picture-42").hover()
    page.locator("#picture-42").get_by_role("link", name="Reference of Retro sunburst").click()
    page.wait_for_url("**/references/1")
    assert not problems


def test_the_bar_of_a_narrow_window_is_two_lines(page: Page, problems: list[str]) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.reload()
    cell = page.locator("#picture-42 .cell__cap")
    expect(cell).to_be_visible()
    assert cell.evaluate("cap => getComputedStyle(cap).opacity") == "1"
    for number in (41, 42):
        page.locator(f"#picture-{number} .pick input").check(force=True)
    tall = page.locator("#picked").evaluate("bar => bar.getBoundingClientRect().height / innerHeight")
    assert tall < 0.13
    expect(page.get_by_role("button", name="Delete", exact=True)).to_be_hidden()
    page.get_by_role("button", name="More", exact=True).click()
    page.get_by_role("button", name="Tag", exact=True).click()
    page.get_by_role("combobox", name="Tag").fill("hero")
    page.keyboard.press("Enter")
    expect(page.get_by_text("2 pictures were tagged hero")).to_be_visible()
    expect(page.locator("#picked :popover-open")).to_have_count(0)
    expect(cell).to_contain_text("#hero")
    assert not problems


def test_every_icon_that_stands_alone_has_a_name_and_a_title(page: Page, problems: list[str]) -> None:
    """The labels are shown from 1280 px."""
    for width in (900, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        page.locator("#picture-42 .pick input").check(force=True)
        words = page.locator("#picked > .btn > span, #bulk-more > .btn > span")
        visible = [each.inner_text() for each in words.all() if each.is_visible()]
        if width == 1280:
            assert {"Approve", "Reject", "Request changes", "Compare", "Move", "Tag", "Star", "Delete"} <= set(visible)
        for button in page.locator("#picked > .btn, #bulk-more > .btn").all():
            if button.is_visible() and not button.inner_text().strip():
                assert button.get_attribute("title") == button.get_attribute("aria-label") != ""
    assert not problems


def test_the_bin_page_by_page(page: Page, busy: Server, problems: list[str]) -> None:
    with making(busy) as make:
        for image in make.session.query(Image).filter(Image.id > 10):
            image.deleted_at, image.deleted_by_id, image.shown = now(), 1, False
    page.goto(f"{busy.url}/pictures/bin")
    pictures = page.locator("#pictures > li")
    for number in (12, 24, 32):  # the next ones load when their button comes near
        expect(pictures.nth(number - 1)).to_be_attached()
        pictures.last.scroll_into_view_if_needed()
    expect(page.get_by_role("link", name="Load more")).to_have_count(0)
    page.get_by_role("button", name="Select all shown").click()
    expect(page.locator("[data-picked-count]")).to_have_text("32 selected")
    page.locator("#picked").get_by_role("button", name="Restore").click()
    expect(page.get_by_text("32 pictures were restored")).to_be_visible()
    assert not problems


@pytest.fixture
def far(page: Page, busy: Server) -> Page:
    """A low window with large pictures, where the end of the first page is far away."""
    page.context.add_cookies([{"name": "size", "value": "l", "url": busy.url}])
    page.set_viewport_size({"width": 900, "height": 500})
    page.reload()
    expect(page.locator("#pictures > li")).to_have_count(12)
    return page


def test_a_new_filter_cancels_the_pictures_of_the_one_before(far: Page, problems: list[str]) -> None:
    page = far
    page.route("**/pictures?*after=31", lambda _: None)  # never answered
    with page.expect_request("**/pictures?*after=31"):
        page.get_by_role("link", name="Load more").press("Enter")
    with page.expect_event("requestfailed", timeout=30_000):
        page.get_by_label("Order").select_option("oldest")
    expect(page.locator("#pictures > li").first).to_have_id("picture-1")
    assert not problems


def test_by_mouse_and_over_pages(far: Page, problems: list[str]) -> None:
    page = far
    page.locator("#picture-42 > a").click(modifiers=["Control"])
    page.locator("#picture-38 > a").click(modifiers=["Shift"])
    page.locator("#picture-40 > a").click(modifiers=["Control"])
    assert picked(page) == [42, 41, 39, 38]
    page.get_by_role("link", name="Load more").press("Enter")
    expect(page.locator("#pictures > li a:focus")).to_have_count(1)
    numbers = page.locator("#pictures > li").evaluate_all("items => items.map(item => item.id)")
    # The key and the button request the same page: each picture appears once.
    assert len(numbers) > 12
    assert numbers == [f"picture-{number}" for number in range(42, 42 - len(numbers), -1)]
    assert picked(page) == [42, 41, 39, 38], "the selection survives the next page"

    page.get_by_role("button", name="Move", exact=True).click()
    page.get_by_label("Campaign", exact=True).fill("Winter")
    page.get_by_role("button", name="Move here").click()
    expect(page.get_by_text("4 pictures were moved to Winter")).to_be_visible()
    expect(page.locator("#picture-30")).to_have_count(1)  # as far as it was
    assert picked(page) == []
    expect(page.get_by_role("link", name="Winter 4")).to_have_count(1)

    page.locator("#picture-42 > a").click(modifiers=["Control"])
    page.locator("#picture-41 > a").click(modifiers=["Control"])
    page.get_by_role("button", name="Compare").click()
    page.wait_for_url(re.compile(r"/compare\?.*ids=42.*ids=41"))
    assert not problems


def test_all_that_match(far: Page, busy: Server, problems: list[str]) -> None:
    page = far
    page.locator("#picture-42 > a").focus()
    page.keyboard.press("Control+a")
    expect(page.locator("[data-picked-count]")).to_have_text("12 selected")
    page.get_by_role("button", name="Select all 42 that match").click()
    expect(page.locator("[data-picked-count]")).to_have_text("All 42 selected")
    page.get_by_role("button", name="Approve", exact=True).click()
    expect(page.get_by_text("42 pictures were approved")).to_be_visible()
    with busy.resources.database.read() as session:
        assert session.query(Image).filter(Image.decision == "approved").count() == 42

    page.locator("#picture-42 .pick").click()
    page.get_by_role("button", name="Reject").click()
    page.get_by_role("button", name="Off the look").click()
    expect(page.get_by_text("1 picture was rejected")).to_be_visible()
    assert not problems


def test_all_that_match_are_downloaded_by_keyboard(
    page: Page, busy: Server, tmp_path: Path, problems: list[str]
) -> None:
    first_page_only(page)
    page.keyboard.press("/")
    with busy.resources.database.read() as session:
        code = session.query(Style.code).filter_by(name="Retro sunburst").scalar()
    page.keyboard.type(code)
    expect(page.locator("[data-total='36']")).to_be_visible()
    tab_to(page, page.locator("#pictures > li a").first)
    page.keyboard.press("Control+a")
    tab_to(page, page.get_by_role("button", name="Select all 36 that match"))
    page.keyboard.press("Enter")
    expect(page.locator("[data-picked-count]")).to_have_text("All 36 selected")
    tab_to(page, page.get_by_role("button", name="Export 4 approved"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Export pictures that match")).to_be_visible()
    assert "ids=" not in page.url
    expect(page.get_by_text("4 approved pictures")).to_be_visible()
    expect(page.get_by_role("link", name="36 that match")).to_be_visible()
    tab_to(page, page.get_by_role("button", name="Create zip"))
    with page.expect_download() as begun:
        page.keyboard.press("Enter")
    assert begun.value.suggested_filename == f"pictures-{code.lower()}-approved.zip"
    begun.value.save_as(tmp_path / "pictures.zip")
    with zipfile.ZipFile(tmp_path / "pictures.zip") as opened:
        names = [name.split("-0")[1] for name in opened.namelist() if name.endswith(".png")]
    assert names == ["01-a-fox.png", "02-露のついたぶどうの房.png", "03-an-owl.png", "04-a-brass-bell.png"]
    assert not problems


def test_more_than_can_be_changed_at_once_can_be_exported(
    far: Page, problems: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MOST", 20)
    far.reload()
    far.locator("#picture-42 > a").focus()
    far.keyboard.press("Control+a")
    expect(far.get_by_role("button", name="Approve", exact=True)).to_be_enabled()
    far.get_by_role("button", name="Select all 42 that match").click()
    expect(far.get_by_text("Above 20, you can only export.")).to_be_visible()
    for name in ("Approve", "Reject", "Move", "Tag", "Star", "Delete"):
        expect(far.get_by_role("button", name=name, exact=True)).to_be_disabled()
    expect(far.get_by_role("button", name="Export 6 approved")).to_be_enabled()
    far.keyboard.press("Escape")
    far.locator("#picture-42 .pick").click()
    expect(far.get_by_role("button", name="Approve", exact=True)).to_be_enabled()
    expect(far.get_by_text("Above 20, you can only export.")).to_be_hidden()
    assert not problems


def test_the_oldest_first(far: Page, problems: list[str]) -> None:
    far.get_by_label("Order").select_option("Oldest first")
    expect(far.locator("#pictures > li").first).to_have_id("picture-1")
    far.wait_for_url(re.compile("order=oldest"))
    far.get_by_role("link", name="Load more").press("Enter")
    expect(far.locator("#picture-13")).to_have_count(1)
    far.get_by_role("link", name=re.compile("^Spring")).click()
    expect(far.locator("#picture-1")).to_have_count(1)
    expect(far.get_by_label("Order")).to_have_value("oldest")
    assert not problems


def test_a_search_is_saved_and_opened(page: Page, busy: Server, problems: list[str]) -> None:
    page.get_by_label("Search pictures").fill("ぶどう")
    expect(page.locator("#pictures > li")).to_have_count(3)
    page.get_by_role("checkbox", name="Approved").check()
    expect(page.locator("#pictures > li")).to_have_count(2)
    expect(page.get_by_role("checkbox", name="Approved")).to_be_checked()
    page.get_by_role("button", name="Saved searches").click()
    page.get_by_label("Save this search as").fill("Grapes")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Search Grapes saved")).to_be_visible()
    page.goto(f"{busy.url}/pictures")
    page.get_by_role("button", name="Saved searches").click()
    page.get_by_role("link", name="Grapes").click()
    expect(page.locator("#pictures > li")).to_have_count(2)
    expect(page.get_by_label("Remove the filter Approved")).to_be_visible()
    assert not problems


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1920])
def test_axe_finds_nothing_wrong(
    page: Page, busy: Server, width: int, theme: str, problems: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MOST", 20)
    first_page_only(page)
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    page.reload()
    found = misfits(page, f"{theme}-{width}-pictures")
    page.goto(f"{busy.url}/pictures/export?all=1&query=q%3Da")
    found += misfits(page, f"{theme}-{width}-export")
    page.goto(f"{busy.url}/pictures")
    page.locator("#picture-42 > a").focus()
    page.keyboard.press("Control+a")
    page.get_by_role("button", name="Select all 42 that match").click()
    found += misfits(page, f"{theme}-{width}-all")
    page.keyboard.press("Escape")
    for number in (41, 42):
        page.locator(f"#picture-{number} .pick input").check(force=True)
    found += misfits(page, f"{theme}-{width}-selected")
    for name, opener in (("tag", "Tag"), ("move", "Move"), ("reject", "Reject"), ("saved", "Saved searches")):
        behind = width == 390 and name in ("tag", "move")
        if behind:
            page.get_by_role("button", name="More", exact=True).click()
            found += misfits(page, f"{theme}-{width}-more")
        page.get_by_role("button", name=opener, exact=True).click()
        found += misfits(page, f"{theme}-{width}-{name}")
        page.keyboard.press("Escape")
        if behind:
            page.keyboard.press("Escape")
    if width == 390:
        page.get_by_role("button", name="Filters", exact=True).click()
        found += misfits(page, f"{theme}-{width}-filters")
        page.keyboard.press("Escape")
    if width == 390:
        page.get_by_role("button", name="More", exact=True).click()
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_text("2 pictures were deleted")).to_be_visible()
    found += misfits(page, f"{theme}-{width}-deleted")
    page.goto(f"{busy.url}/pictures/bin")
    found += misfits(page, f"{theme}-{width}-bin")
    page.goto(f"{busy.url}/pictures?q=zebra")
    found += misfits(page, f"{theme}-{width}-none")
    assert not found, "\n".join(found)
    assert not problems
