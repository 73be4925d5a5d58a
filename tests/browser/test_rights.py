"""Someone records the rights of a reference, sees its style stopped, and releases it again, by keyboard alone."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from app.days import today
from app.main import create_app
from app.models import Role
from app.rights import queries, service
from app.rights.spec import RightsSpec
from app.settings import Settings
from tests.browser.fit import misfits
from tests.engine.painter import Painter
from tests.web.server import Server, making, serve, signed_in_browser

YESTERDAY = today() - timedelta(days=1)


@pytest.fixture
def server(settings: Settings) -> Iterator[Server]:
    with serve(create_app(settings, Painter())) as server:
        yield server


@pytest.fixture
def page(chromium: Browser, server: Server, watch: Callable[[Page], Page]) -> Iterator[Page]:
    """At the owner of a style without recorded rights; another style's rights end soon."""
    with making(server) as make:
        user = make.user(name="森 はるか")
        soon = make.style(user, reference=make.reference(user), name="Blueprint")
        make.right(soon.versions[0].references[0].reference, valid_until=(today() + timedelta(days=5)).isoformat())
        style = make.style(user, reference=make.reference(user), name="Retro sunburst")
        make.finished_set(user, style, prompts="a fox\na teapot\nan owl", name="Autumn table")
    browser = signed_in_browser(server, user)
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, accept_downloads=True)
    context.add_cookies([{"name": name, "value": value, "url": server.url} for name, value in browser.cookies.items()])
    browser.close()
    page = watch(context.new_page())
    page.goto(f"{server.url}/styles/{style.code}")
    yield page
    context.close()


def tab_to(page: Page, role: str, name: str | re.Pattern[str]) -> None:
    """Press Tab until the control has the focus, like someone without a mouse."""
    control = page.get_by_role(role, name=name).first  # type: ignore[arg-type]
    for _ in range(200):
        page.keyboard.press("Tab")
        if control.evaluate("control => control === document.activeElement"):
            return
    raise AssertionError(f"Tab never comes to {name}")


def fill(page: Page, label: str, text: str) -> None:
    field = page.get_by_label(re.compile(rf"^{label}( required)?$"))
    field.focus()
    field.fill(text)


def test_the_story_of_a_right(page: Page, tmp_path: Path, problems: list[str]) -> None:
    style = page.url
    tab_to(page, "link", "Record rights")
    page.keyboard.press("Enter")
    page.wait_for_url("**/references/*/rights")
    expect(page.get_by_label("Supplied by")).to_have_value("森 はるか")
    fill(page, "Owned by", "Mori Design Studio")
    fill(page, "Licence", "Commissioned, all media")
    fill(page, "Until", YESTERDAY.isoformat())
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/references/\d+$"))
    reference = page.url
    expect(page.locator(".note--bad")).to_contain_text("so nothing new can be made from it")

    (tmp_path / "consent.pdf").write_bytes(b"%PDF-1.7 I agree.")
    page.get_by_label("Add a file").set_input_files(tmp_path / "consent.pdf")
    tab_to(page, "button", re.compile("^Add$"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="consent.pdf")).to_be_visible()
    with page.expect_download() as begun:
        page.get_by_role("link", name="consent.pdf").press("Enter")
    assert begun.value.suggested_filename == "consent.pdf"
    assert begun.value.path().read_bytes() == b"%PDF-1.7 I agree."

    page.goto(style)
    tab_to(page, "link", "New set")
    page.keyboard.press("Enter")
    page.wait_for_url("**/sets/new?style=*")
    page.locator("#prompts").fill("a fox")
    generate = page.get_by_role("button", name=re.compile("Generate")).locator("visible=true")
    expect(generate).to_be_disabled()
    expect(page.locator("#refused")).to_contain_text(re.compile(r"The rights to the reference \d+\.png expired on"))
    page.keyboard.press("Control+Enter")
    assert page.url.count("/sets/new") == 1
    page.get_by_role("radio", name=re.compile("Blueprint")).press("Space")
    expect(generate).to_be_enabled()
    expect(page.locator("#refused")).to_be_hidden()
    expect(page.locator(".pickcard", has_text="Blueprint")).to_contain_text("Expires in 5 days")

    page.goto(reference)
    tab_to(page, "link", "Edit rights")
    page.keyboard.press("Enter")
    fill(page, "Until", "")
    page.keyboard.press("Enter")
    page.wait_for_url(reference)
    expect(page.locator(".chip").first).to_have_text("Valid")
    page.locator("summary", has_text="Withdraw rights").press("Enter")
    fill(page, "Reason", "The owner asked us to stop")
    page.keyboard.press("Enter")
    page.get_by_role("dialog").get_by_role("button", name="Withdraw rights").press("Enter")
    expect(page.locator(".note--bad")).to_contain_text("were withdrawn on")
    page.locator("summary", has_text="Restore rights").press("Enter")
    fill(page, "Reason", "They agreed again")
    page.keyboard.press("Enter")
    page.get_by_role("dialog").get_by_role("button", name="Restore rights").press("Enter")
    expect(page.locator(".note--bad")).to_have_count(0)
    expect(page.locator(".rights__history > li")).to_have_count(4)
    assert not problems


def look_again(page: Page, server: Server) -> int:
    """Leave the page where someone was too late to change rights; returns the reference's id."""
    with making(server) as make:
        reference = make.session.query(queries.Reference).order_by(queries.Reference.id.desc()).first()
        make.right(reference, territory="Japan", allows="Print, and what is made from it")
    page.goto(f"{server.url}/references/{reference.id}/rights")
    fill(page, "Licence", "Bought, invoice 0419")
    fill(page, "What it allows", "All media")
    expect(page.get_by_text("Draft saved")).to_be_visible()
    with making(server) as make:
        other = make.user(Role.MANAGER, "Ito Kenji")
        row = make.session.get(queries.Reference, reference.id)
        changed = RightsSpec(owned_by="Mori Design Studio", licence="CC BY 4.0", territory="Japan, Korea")
        service.save(make.session, other, row, changed, queries.held(make.session, row).record.id)
    page.locator("#licence").press("Enter")
    summary = page.locator("[data-summary]")
    expect(summary).to_contain_text("Ito Kenji just changed “Licence”")
    expect(summary).to_be_focused()
    return int(reference.id)


def test_the_second_of_two_editors_looks_again(page: Page, server: Server, problems: list[str]) -> None:
    reference = look_again(page, server)
    expect(page.locator(".note--warn")).to_contain_text("Your changes are still here.")
    expect(page.locator("#licence")).to_have_value("Bought, invoice 0419")
    expect(page.get_by_text("Current value: CC BY 4.0")).to_be_visible()
    expect(page.get_by_label("Territory")).to_have_value("Japan, Korea")
    expect(page.get_by_role("region", name="Current rights")).to_contain_text("Ito Kenji")
    tab_to(page, "button", "Save anyway")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/references/{reference}")
    expect(page.locator(".rights__facts")).to_contain_text("Bought, invoice 0419")
    assert [problem for problem in problems if "status of 409" not in problem] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1920])
def test_the_form_to_look_at_again_fits(page: Page, server: Server, scheme: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    look_again(page, server)
    assert not misfits(page, f"rights-again-{width}-{scheme}", full_page=True)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1920])
def test_it_fits_and_axe_finds_nothing(
    page: Page, server: Server, scheme: str, width: int, problems: list[str]
) -> None:
    with making(server) as make:
        reference = make.session.query(queries.Reference).order_by(queries.Reference.id.desc()).first()
        make.right(reference, valid_until=YESTERDAY.isoformat(), note="長い文" * 80, source_url="https://example.com/a")
        service.add_file(
            make.session,
            reference.uploaded_by,
            reference,
            service.keep_document(make.files, b"text"),
            "Licence " * 12 + ".txt",
        )
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    style = page.url
    for path in (
        f"/references/{reference.id}",
        f"/references/{reference.id}/rights",
        "/",
        "/sets/new",
        style,
    ):
        page.goto(path if path.startswith("http") else server.url + path)
        page.evaluate("document.querySelectorAll('details').forEach(fold => fold.open = true)")
        assert not misfits(page, path)
    assert not problems
