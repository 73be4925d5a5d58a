"""A set of more pictures than its page loads at once: nothing is lost, wherever it happens."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import update

from app.files import Kind
from app.gallery import service as gallery
from app.main import create_app
from app.models import Image, Role, State, Unit, User, Verdict, now
from app.sets.queries import PAGE
from app.settings import Settings
from tests.browser.fit import misfits
from tests.browser.late import Late
from tests.engine.painter import Painter
from tests.factory import png
from tests.web.server import Server, make_person, making, serve, signed_in_browser

PICTURES = 150


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(data=tmp_path_factory.mktemp("large"), _env_file=None)  # type: ignore[call-arg]


@pytest.fixture(scope="module")
def studio(settings: Settings) -> Iterator[tuple[Server, User]]:
    """A server with a set of 150 pictures, all finished but one that failed, and the set's owner."""
    with serve(create_app(settings, Painter())) as server:
        owner = make_person(server, Role.MANAGER, "Mori Haruka")
        with making(server) as make:
            prompts = "\n".join(f"thing {number}" for number in range(1, PICTURES + 1))
            image_set = make.image_set(owner, prompts=prompts, name="Everything")
            sha256 = make.files.put(Kind.IMAGES, png("teal", (64, 64)))
            done: dict[str, Any] = {"state": State.FINISHED, "shown": True, "sha256": sha256, "finished_at": now()}
            make.session.execute(update(Image).where(Image.set_id == image_set.id).values(**done))
            failed = {"state": State.FAILED, "shown": False, "error": "It was too dark."}
            make.session.execute(update(Image).where(Image.position == PICTURES).values(**failed))
            make.session.execute(update(Unit).values(state=State.FINISHED))
        yield server, owner


@pytest.fixture
def page(
    studio: tuple[Server, User], chromium: Browser, watch: Callable[[Page], Page], problems: list[str]
) -> Iterator[Page]:
    server, owner = studio
    with signed_in_browser(server, owner) as browser:
        cookies = [{"name": name, "value": value, "url": server.url} for name, value in browser.cookies.items()]
    context = chromium.new_context(viewport={"width": 1280, "height": 500}, base_url=server.url)
    context.add_cookies(cookies)
    yield watch(context.new_page())
    context.close()
    assert problems == []


def decide(server: Server, position: int, verdict: Verdict) -> None:
    with making(server) as make:
        image = make.session.query(Image).filter_by(position=position).one()
        done = gallery.decide(make.session, make.user(Role.MANAGER), [image.id], verdict, None, "Off brand")
        assert done.ids


def loaded(page: Page, number: int) -> None:
    expect(page.locator("#pictures > li:not([hidden])")).to_have_count(number)
    assert page.evaluate("new Set([...document.querySelectorAll('#pictures > li')].map(({ id }) => id)).size") >= number


def scroll(page: Page) -> None:
    page.locator("#more").scroll_into_view_if_needed()


def test_parts_load_as_they_come_near_and_events_between_are_not_lost(studio: tuple[Server, User], page: Page) -> None:
    server, _ = studio
    page.goto("/sets/1")
    loaded(page, PAGE)
    decide(server, PAGE + 2, Verdict.APPROVED)  # not on the page yet
    expect(page.locator("#progress")).to_contain_text("1 approved")
    loaded(page, PAGE)

    part = Late(page, r"/sets/1\?.*after=60$")
    scroll(page)
    part.wait()
    answer = part.held[0].fetch()  # it was read before what happens now, and arrives after it
    decide(server, PAGE + 3, Verdict.APPROVED)
    expect(page.locator("#progress")).to_contain_text("2 approved")
    part.held[0].fulfill(response=answer)
    expect(page.locator(f"#place-{PAGE + 2}")).to_have_attribute("data-decision", "approved")
    expect(page.locator(f"#place-{PAGE + 3}")).to_have_attribute("data-decision", "approved")

    scroll(page)
    loaded(page, PICTURES)
    expect(page.locator("#more a")).to_have_count(0)
    decide(server, 1, Verdict.APPROVED)
    expect(page.locator("#place-1")).to_have_attribute("data-decision", "approved")
    page.locator(f"#place-{PICTURES - 1} .tile__pic > a:not([download])").focus()
    page.keyboard.press("Control+a")
    expect(page.locator("[data-picked-count]")).to_have_text(f"{PICTURES - 1} selected")


def test_all_are_selected_though_few_are_on_the_page(page: Page) -> None:
    page.goto("/sets/1")
    page.locator("#place-1 .tile__pic > a:not([download])").focus()
    page.keyboard.press("Control+a")
    expect(page.locator("[data-picked-count]")).to_have_text(f"{PAGE} selected")
    page.get_by_role("button", name=f"Select all {PICTURES - 1} finished").click()
    expect(page.locator("[data-picked-count]")).to_have_text(f"All {PICTURES - 1} selected")
    page.get_by_role("button", name="Export 3 approved").click()
    page.wait_for_url("**/pictures/export?**")
    assert "ids=" not in page.url
    expect(page.get_by_text("3 approved pictures").first).to_be_visible()


def test_a_filter_finds_what_is_not_on_the_page(studio: tuple[Server, User], page: Page) -> None:
    page.goto("/sets/1")
    expect(page.get_by_role("link", name="Show all on one page")).to_be_visible()
    page.locator("#set-show label", has_text="Failed 1").click()
    loaded(page, 1)
    expect(page.get_by_role("link", name="Show all on one page")).to_be_hidden()
    expect(page.locator(f"#place-{PICTURES}")).to_contain_text("It was too dark.")
    assert "show=failed" in page.url
    with making(studio[0]) as make:
        make.session.execute(update(Image).where(Image.position == 70).values(state=State.FAILED, shown=False))
    page.reload()
    loaded(page, 2)
    page.locator("#set-show label", has_text="All 150").click()
    loaded(page, PAGE)


def test_an_address_of_a_picture_and_the_way_back_find_its_part(page: Page) -> None:
    page.goto("/sets/1#place-130")
    expect(page.locator("#place-130")).to_be_in_viewport()
    expect(page.locator("#place-1")).to_have_count(0)
    page.get_by_role("link", name="Load earlier pictures").click()
    expect(page.locator(f"#place-{PAGE + 1}")).to_be_visible()
    expect(page.locator("#place-1")).to_have_count(0)
    page.get_by_role("link", name="Load earlier pictures").click()
    expect(page.locator("#place-1")).to_be_visible()
    expect(page.get_by_role("link", name="Load earlier pictures")).to_have_count(0)

    page.goto("/sets/1")
    page.evaluate("location.hash = '#place-140'")
    expect(page.locator("#place-140")).to_be_in_viewport()

    page.goto("/sets/1")
    scroll(page)
    loaded(page, 2 * PAGE)
    page.locator("#place-100 .tile__pic > a:not([download])").click()
    page.wait_for_url("**/review?set=1**")
    page.go_back()
    expect(page.locator("#place-100")).to_be_in_viewport()


def test_it_works_without_scripts(studio: tuple[Server, User], chromium: Browser) -> None:
    server, owner = studio
    with signed_in_browser(server, owner) as browser:
        cookies = [{"name": name, "value": value, "url": server.url} for name, value in browser.cookies.items()]
    context = chromium.new_context(java_script_enabled=False, base_url=server.url)
    context.add_cookies(cookies)
    page = context.new_page()
    page.goto("/sets/1")
    page.get_by_role("link", name="Load more").click()
    expect(page.locator("#place-61")).to_be_visible()
    expect(page.locator("#place-60")).to_have_count(0)
    page.get_by_role("link", name="Load more").click()
    expect(page.locator("#place-150")).to_be_visible()
    page.get_by_role("link", name="Load earlier pictures").click()
    expect(page.locator("#place-61")).to_be_visible()
    page.get_by_role("link", name="Show all on one page").click()
    expect(page.locator("#pictures > li")).to_have_count(PICTURES)
    context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1920])
def test_it_fits(page: Page, width: int, theme: str) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
    page.goto("/sets/1?at=100")
    expect(page.get_by_role("link", name="Load earlier pictures")).to_be_visible()
    assert misfits(page, f"set-{width}-{theme}") == []


def test_on_paper_a_set_has_its_pictures_and_no_bars(page: Page) -> None:
    page.goto("/sets/1?whole=on")
    page.emulate_media(media="print")
    loaded(page, PICTURES)
    for gone in (".topbar", ".toolbar", "#set-actions", "button >> nth=0"):
        expect(page.locator(gone)).to_be_hidden()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.locator("#place-140 img")).to_be_visible()
    assert page.evaluate("getComputedStyle(document.querySelector('.tile')).breakInside") == "avoid"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgba(0, 0, 0, 0)"
