"""A real browser against a real server: the system's Chromium, `soroe serve` with the bundled model."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from tests.web.process import Process

# The headless shell is the same engine without the windows and menus, and takes half the processor time.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

PATIENCE = 120_000  # ms; on a busy machine, five seconds do not prove that something never comes

expect.set_options(timeout=PATIENCE)


@pytest.fixture(autouse=True)
def patient_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some tests hold the write lock while the browser works, which can take unusually long on a busy machine."""
    monkeypatch.setattr("app.database.BUSY_SECONDS", 300)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with Process(tmp_path_factory.mktemp("story") / "data", unit_size=2) as server:
        yield server


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """One for all browser tests: contexts keep them apart. Not for others, as its event loop runs in this thread."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    assert found, f"the browser tests need one of {', '.join(NAMES)} on the PATH; `apt install {NAMES[0]}` brings it"
    with sync_playwright() as playwright:
        options = {"executable_path": found, "args": ["--no-sandbox", "--disable-gpu"], "timeout": PATIENCE}
        browser = playwright.chromium.launch(**options)
        make_patient(browser)
        yield browser
        browser.close()


def make_patient(browser: Browser) -> None:
    """Let opening, pressing and waiting take as long as expecting."""
    new_context = browser.new_context

    def patient(**options: Any) -> BrowserContext:
        context = new_context(**options)
        context.set_default_timeout(PATIENCE)
        return context

    browser.new_context = patient  # type: ignore[method-assign]


@pytest.fixture(scope="module")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture
def problems() -> list[str]:
    """What the browser reported: console errors, including CSP refusals, and script exceptions."""
    return []


@pytest.fixture
def watch(problems: list[str]) -> Callable[[Page], Page]:
    def watch(page: Page) -> Page:
        def said(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning"):
                problems.append(f"{page.url}: {message.text}")

        page.on("console", said)
        page.on("pageerror", lambda error: problems.append(f"{page.url}: {error}"))
        return page

    return watch
