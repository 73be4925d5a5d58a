"""A manager exports a campaign and shares it outside, by keyboard; a guest downloads it."""

import io
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, Request, expect

from app.exports import certificates, provenance
from app.main import create_app
from app.models import Role
from app.settings import Settings
from tests.browser.fit import misfits
from tests.engine.painter import Painter
from tests.web.server import Server, make_person, making, serve, share_link, signed_in_browser


@pytest.fixture
def busy(settings: Settings) -> Iterator[Server]:
    """A server with a reviewed campaign; its engine only paints."""
    with serve(create_app(settings, Painter())) as server:
        with making(server) as make:
            owner = make.user(Role.DESIGNER, "森 はるか")
            image_set = make.finished_set(owner, prompts="a fox\n露のついたぶどうの房\nan owl", campaign="Spring")
            for image in image_set.images:
                make.decide(image)
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


@pytest.fixture
def guest(chromium: Browser, watch: Callable[[Page], Page]) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 390, "height": 844}, accept_downloads=True)
    yield watch(context.new_page())
    context.close()


def tab_to(page: Page, role: str, name: str) -> None:
    """Press Tab until the control has the focus, like someone without a mouse."""
    control = page.get_by_role(role, name=name).first  # type: ignore[arg-type]
    for _ in range(200):
        page.keyboard.press("Tab")
        if control.evaluate("control => control === document.activeElement"):
            return
    raise AssertionError(f"Tab never comes to {name}")


def test_a_campaign_is_shared_outside(
    page: Page, guest: Page, busy: Server, settings: Settings, tmp_path: Path, problems: list[str]
) -> None:
    archive = export_it(page, tmp_path)
    with zipfile.ZipFile(archive) as opened:
        names = [name for name in opened.namelist() if name.endswith(".webp")]
        assert names == ["1080x1350/1-a-fox.webp", "1080x1350/2-露のついたぶどうの房.webp", "1080x1350/3-an-owl.webp"]
        data = opened.read(names[0])
    assert Image.open(io.BytesIO(data)).size == (1080, 1350)
    authority = certificates.identity(settings).authority
    assert provenance.verified(data, "image/webp", authority)["validation_state"] == "Trusted"

    link = busy.url + share_it(page).removeprefix(settings.public_url)
    take_it(guest, link, archive)
    revoke_it(page)
    guest.goto(link)
    expect(guest.get_by_text("This link has expired or was revoked")).to_be_visible()
    expected = ("status of 422", "status of 404")  # the wrong password, the revoked link
    assert not [problem for problem in problems if not any(each in problem for each in expected)]


def export_it(page: Page, folder: Path) -> Path:
    """By keyboard, from home to the file."""
    tab_to(page, "link", "Export approved pictures of Spring")
    page.keyboard.press("Enter")
    example = page.locator("#example")
    expect(example).to_contain_text("spring-retro-sunburst-001-a-fox.png")
    tab_to(page, "radio", "PNG")
    expect(page.get_by_label("Quality")).to_be_hidden()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_label("Quality")).to_be_visible()
    expect(page.get_by_text("If the shape differs")).to_be_hidden()
    tab_to(page, "checkbox", "Original size")
    page.keyboard.press("Space")
    expect(example).to_contain_text("Choose at least one size.")
    tab_to(page, "checkbox", "1080 × 1350 Portrait")
    page.keyboard.press("Space")
    expect(page.get_by_text("If the shape differs")).to_be_visible()
    page.get_by_label("Name template").fill("{size}/{n}-{what}")
    expect(example).to_contain_text("{what}; the fields are")
    page.get_by_label("Name template").fill("{size}/{n}-{slug}")
    expect(example).to_contain_text("1080x1350/1-a-fox.webp")
    with page.expect_download() as begun:
        page.keyboard.press("Enter")
    path = folder / begun.value.suggested_filename
    begun.value.save_as(path)
    assert path.name == "spring-approved.zip"
    expect(page.get_by_role("link", name="Download")).to_be_visible()
    return path


def share_it(page: Page) -> str:
    tab_to(page, "combobox", "Expires after")
    page.keyboard.press("Tab")
    page.keyboard.type("correct horse")
    page.keyboard.press("Tab")
    page.keyboard.type("Agency")
    page.keyboard.press("Enter")
    link = page.get_by_label("Link to copy").input_value()
    expect(page.get_by_text("Send the password separately.")).to_be_visible()
    page.reload()
    expect(page.get_by_label("Link to copy")).to_have_count(0)
    expect(page.get_by_role("button", name="Revoke")).to_have_count(1)
    return link


def take_it(guest: Page, link: str, archive: Path) -> None:
    """On a phone: the password, then the same bytes."""
    guest.goto(link)
    expect(guest.get_by_label("Password")).to_be_focused()
    guest.keyboard.type("wrong horse")
    guest.keyboard.press("Enter")
    refusal = guest.get_by_role("link", name="This is not the password of the link.")
    expect(refusal).to_be_visible()
    refusal.press("Enter")
    expect(guest.get_by_label("Password")).to_be_focused()
    guest.keyboard.type("correct horse")
    guest.keyboard.press("Enter")
    expect(guest.get_by_text("3 picture files")).to_be_visible()
    with guest.expect_download() as begun:
        guest.get_by_role("link", name="Download all (zip)").click()
    assert begun.value.path().read_bytes() == archive.read_bytes()


def revoke_it(page: Page) -> None:
    page.reload()
    expect(page.get_by_text("1 download, last just now")).to_be_visible()
    tab_to(page, "button", "Revoke Agency")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Link revoked")).to_be_visible()
    expect(page.get_by_text("Revoked just now")).to_be_visible()


def test_deleting_asks_first(page: Page, busy: Server) -> None:
    page.goto(f"{busy.url}/campaigns/1/export")
    with page.expect_download():
        page.get_by_role("button", name="Create zip").click()
    dialog = page.get_by_role("dialog", name="Delete this export?")
    page.get_by_role("button", name="Delete").click()
    expect(dialog.get_by_role("button", name="Keep export")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Delete")).to_be_focused()
    page.keyboard.press("Enter")
    dialog.get_by_role("button", name="Delete export").click()
    expect(page.get_by_text("Export spring-approved deleted")).to_be_visible()


def test_the_end_of_one_question_does_not_answer_the_next(page: Page, busy: Server) -> None:
    """The browser tells a moment late that a dialog has closed."""
    page.goto(f"{busy.url}/campaigns/1/export")
    with page.expect_download():
        page.get_by_role("button", name="Create zip").click()
    button = page.get_by_role("button", name="Delete", exact=True)
    button.click()
    button.evaluate("button => { document.getElementById('ask').close(); button.click(); }")
    page.get_by_role("dialog").get_by_role("button", name="Delete export").click()
    expect(page.get_by_text("Export spring-approved deleted")).to_be_visible()


def again(page: Page, part: str) -> None:
    """The same part comes once more, as with an answer that was on its way."""
    page.evaluate("part => { part = document.querySelector(part); part.outerHTML = part.outerHTML; }", part)


def test_news_that_replaces_a_form_while_it_asks_does_not_lose_the_answer(page: Page, busy: Server) -> None:
    page.goto(f"{busy.url}/campaigns/1/export")
    with page.expect_download():
        page.get_by_role("button", name="Create zip").click()
    page.get_by_role("button", name="Delete").click()
    again(page, "#actions")
    page.get_by_role("dialog").get_by_role("button", name="Delete export").click()
    expect(page.get_by_text("Export spring-approved deleted")).to_be_visible()


def test_a_form_that_asks_something_else_by_now_is_not_sent(page: Page, busy: Server) -> None:
    page.goto(f"{busy.url}/campaigns/1/export")
    with page.expect_download():
        page.get_by_role("button", name="Create zip").click()
    page.get_by_role("button", name="Delete").click()
    page.locator("#actions [name=ask-text]").evaluate("field => field.setAttribute('value', 'Two more pictures go.')")
    again(page, "#actions")
    page.get_by_role("dialog").get_by_role("button", name="Delete export").click()
    expect(page.get_by_text("This page changed in the meantime")).to_be_visible()
    expect(page.get_by_role("button", name="Delete")).to_be_visible()


def test_a_zip_is_downloaded_once(page: Page, busy: Server) -> None:
    begun: list[Request] = []
    page.on("request", lambda request: begun.append(request) if "download.zip" in request.url else None)
    page.goto(f"{busy.url}/campaigns/1/export")
    with page.expect_download():
        page.get_by_role("button", name="Create zip").click()
    page.locator("a[href$='download.zip']").evaluate("link => link.dataset.downloadNow = ''")
    again(page, "#export")
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete export").click()
    expect(page.get_by_text("Export spring-approved deleted")).to_be_visible()
    assert len(begun) == 1


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1920])
def test_axe_finds_nothing_wrong(
    page: Page, guest: Page, busy: Server, width: int, theme: str, problems: list[str]
) -> None:
    page.goto(f"{busy.url}/campaigns/1/export")
    with page.expect_download():
        page.get_by_role("button", name="Create zip").click()
    expect(page.get_by_text("Ready")).to_be_visible()
    open_link, _ = share_link(busy, 1)
    locked_link, _ = share_link(busy, 1, "correct horse")
    found: list[str] = []
    for view in (page, guest):
        view.set_viewport_size({"width": width, "height": 900})
        view.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    for path in ("/exports", "/campaigns/1/export", "/sets/1/export", "/exports/1"):
        found += look(page, busy.url + path, f"{theme}-{width}-{path.strip('/').replace('/', '-')}")
    for name, token in (("open", open_link), ("locked", locked_link)):
        found += look(guest, f"{busy.url}/shared/{token}", f"{theme}-{width}-shared-{name}")
    assert not found, "\n".join(found)
    assert not problems


def look(page: Page, url: str, name: str) -> list[str]:
    page.goto(url)
    return misfits(page, name, full_page=True)
