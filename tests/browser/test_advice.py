"""Advice in a browser: it is there as soon as the uploaded picture is, and fits a phone."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from app.main import create_app
from app.models import Role
from app.settings import Settings
from tests.browser.fit import misfits
from tests.engine.painter import Painter
from tests.quality.test_advice import compressed, framed, painting, written
from tests.web.server import Server, make_person, serve, signed_in_browser


@pytest.fixture
def painted(settings: Settings) -> Iterator[Server]:
    with serve(create_app(settings, Painter())) as server:
        yield server


@pytest.fixture
def page(painted: Server, chromium: Browser, watch: Callable[[Page], Page], problems: list[str]) -> Iterator[Page]:
    context = chromium.new_context(base_url=painted.url, viewport={"width": 390, "height": 800})
    token = signed_in_browser(painted, make_person(painted, Role.DESIGNER)).cookies[painted.resources.cookie]
    context.add_cookies([{"name": painted.resources.cookie, "value": token, "url": painted.url}])
    yield watch(context.new_page())
    context.close()
    assert problems == []


def test_an_upload_brings_its_advice_and_the_references_page_has_it_too(
    painted: Server, page: Page, tmp_path: Path
) -> None:
    file = tmp_path / "poster with a border.png"
    framed(compressed(written(painting()), 15)).save(file)
    page.goto("/styles/new")
    page.set_input_files("#picture-file", str(file))
    told = page.locator("#picture .advice")
    expect(told).to_contain_text("Crop to the picture inside")
    expect(told).to_contain_text("may imitate")
    expect(page.locator("#picture .swatches li")).not_to_have_count(0)
    assert misfits(page, "style form") == []
    page.goto("/references/1")
    expect(page.locator(".advice")).to_contain_text("Crop to the picture inside")
    painted.resources.advisor._known.clear()  # as after a restart
    page.goto("/references/1")
    expect(page.locator(".advice")).to_contain_text("Crop to the picture inside")
    assert misfits(page, "reference") == []
