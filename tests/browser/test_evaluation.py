"""The report of `soroe evaluate` opens from a file alone, and fits a phone."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.command import soroe

LIST = "neon sign | a cat | a rocket | a rose | a bell\nblueprint | a bicycle | a robot | a snail | a key\n"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluation")
    (folder / "list.txt").write_text(LIST)
    options = [
        "--prompts-file",
        folder / "list.txt",
        "--steps",
        "1",
        "--setting",
        "no sharing",
        "--setting",
        "StyleAligned",
    ]
    done = soroe("evaluate", "--out", folder / "out", "--model", "demo", *options)
    assert done.returncode == 0, done.stderr
    return folder / "out" / "report.html"


@pytest.mark.parametrize("width", [390, 1440])
def test_the_report_asks_nothing_of_the_network(chromium: Browser, report: Path, width: int) -> None:
    context = chromium.new_context(viewport={"width": width, "height": 900})
    page = context.new_page()
    asked: list[str] = []
    faults: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: faults.append(message.text))
    page.goto(report.as_uri())
    page.get_by_text("blueprint", exact=True).click()
    pictures = page.locator("details[open] img")
    expect(pictures).to_have_count(16)
    assert pictures.evaluate_all(
        "all => Promise.all(all.map(each => each.decode())).then(() => all.every(each => each.naturalWidth > 0))"
    )
    expect(page.locator("figure svg circle")).to_have_count(2)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert [url for url in asked if not url.startswith("data:")] == [report.as_uri()]
    assert faults == []
    context.close()
