"""Maps in the form of a set, in a browser: shown next to their pictures before they are used."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, Locator, Page, expect

from app.decoding.limits import FORMATS
from app.main import create_app
from app.settings import Settings
from tests.browser.fit import faults
from tests.engine.painter import Painter
from tests.web.server import Server, making, serve, signed_in_browser


@pytest.fixture
def engine() -> Painter:
    return Painter()


@pytest.fixture
def server(settings: Settings, engine: Painter) -> Iterator[Server]:
    with serve(create_app(settings, engine)) as server:
        yield server


@pytest.fixture
def form(server: Server, chromium: Browser, watch: Callable[[Page], Page]) -> Iterator[Page]:
    """The form of a new set, with two prompts, at the width of a phone."""
    with making(server) as make:
        user = make.user(name="Mori Haruka")
        make.style(user)
    token = signed_in_browser(server, user).cookies[server.resources.cookie]
    context = chromium.new_context(viewport={"width": 390, "height": 844})
    context.add_cookies([{"name": server.resources.cookie, "value": token, "url": server.url}])
    page = watch(context.new_page())
    page.goto(f"{server.url}/sets/new")
    page.locator("#prompts").fill("a fox\na teapot")
    page.get_by_text("Structure", exact=False).first.click()
    yield page
    context.close()


def drawing(folder: Path, name: str, size: tuple[int, int] = (300, 300), place: int = 80) -> Path:
    picture = Image.new("RGB", size, "white")
    ImageDraw.Draw(picture).rectangle((place, 90, place + 90, 200), fill="navy")
    picture.save(folder / name)
    return folder / name


def bring(page: Page, *files: Path) -> None:
    page.locator("[data-map-file]").set_input_files(list(files))


def seen(picture: Locator) -> None:
    """Expect a picture to be present and loaded."""
    expect(picture).to_be_visible()
    expect(picture).to_have_js_property("complete", True)
    assert picture.evaluate("image => image.naturalWidth") > 0


def chosen(page: Page) -> list[dict[str, Any]]:
    return list(json.loads(page.locator("[name=structures]").input_value() or "[]"))


def test_a_map_is_seen_used_and_sent(form: Page, engine: Painter, tmp_path: Path, problems: list[str]) -> None:
    bring(form, drawing(tmp_path, "chair.png"))
    seen(form.get_by_alt_text("The picture chair.png"))
    seen(form.get_by_alt_text("Edges of chair.png"))
    assert chosen(form) == [], "a map is not used before somebody says so"
    form.get_by_role("button", name="Generate").locator("visible=true").click()
    expect(form.locator("#toasts")).to_contain_text("A map is not used yet.")
    form.get_by_text("Silhouette", exact=True).click()
    seen(form.get_by_alt_text("Silhouette of chair.png"))
    form.get_by_role("button", name="Use this map").click()
    expect(form.locator(".structure h3")).to_have_text("Silhouette")
    form.locator("[data-weight]").fill("0.6")
    form.locator("[data-end]").fill("70")
    width = form.evaluate("document.documentElement.scrollWidth")
    assert width == 390, "nothing is wider than a phone"
    assert not faults(form, "structure")
    form.get_by_role("button", name="Generate").locator("visible=true").click()
    form.wait_for_url("**/sets/1")
    seen(form.get_by_alt_text("Silhouette of chair.png"))
    expect(form.get_by_text("weight 0.6")).to_be_attached()
    (structure,) = engine.units[0].structures
    assert (structure.control, structure.weight, structure.start, structure.end) == ("silhouette", 0.6, 0, 0.7)
    assert len(structure.maps) == 1
    assert not problems


def test_one_map_for_each_prompt(form: Page, tmp_path: Path) -> None:
    bring(form, *(drawing(tmp_path, f"{i}.png", place=60 + 20 * i) for i in range(2)))
    form.get_by_role("button", name="Use these 2 maps").click()
    card = form.locator(".structure")
    expect(card).to_contain_text("one for each of 2 prompts")
    expect(card.locator("[data-problem]")).to_be_hidden()
    assert len(chosen(form)[0]["maps"]) == 2
    form.locator("#prompts").fill("a fox\na teapot\na car")
    expect(card.locator("[data-problem]")).to_have_text(
        "There are 2 maps for 3 prompts; give one for all, or one for each prompt."
    )


def test_a_map_of_another_shape_is_cropped(form: Page, tmp_path: Path) -> None:
    bring(form, drawing(tmp_path, "wide.png", size=(600, 300)))
    form.get_by_role("button", name="Use this map").click()
    problem = form.locator(".structure [data-problem]")
    expect(problem).to_contain_text("wide.png is 512 × 256 px, a different shape from 256 × 256")
    before = chosen(form)[0]["maps"]
    form.get_by_role("button", name="Crop to fit").click()
    expect(problem).to_be_hidden()
    assert chosen(form)[0]["maps"] != before


def test_what_cannot_be_a_map_is_one_sentence(form: Page, tmp_path: Path) -> None:
    (tmp_path / "no.png").write_bytes(b"8BPS")
    bring(form, tmp_path / "no.png")
    sentence = f"The file is a Photoshop file. Save it as {FORMATS}, then upload that."
    expect(form.get_by_role("alert")).to_have_text(sentence)
    bring(form, drawing(tmp_path, "chair.png"))
    expect(form.get_by_role("alert")).to_be_hidden()


def test_a_picture_is_dropped_or_pasted(form: Page) -> None:
    for name, carrier in (("drop", "dataTransfer"), ("paste", "clipboardData")):
        form.evaluate(
            """async ([name, carrier]) => {
              const canvas = new OffscreenCanvas(200, 200);
              const context = canvas.getContext("2d");
              context.fillStyle = "white"; context.fillRect(0, 0, 200, 200);
              context.fillStyle = "navy"; context.fillRect(60, 60, 80, 80);
              const files = new DataTransfer();
              files.items.add(new File([await canvas.convertToBlob()], `${name}.png`, { type: "image/png" }));
              const kind = name === "drop" ? DragEvent : ClipboardEvent;
              const event = new kind(name, { [carrier]: files, bubbles: true, cancelable: true });
              document.querySelector("[data-map-drop]").dispatchEvent(event);
            }""",
            [name, carrier],
        )
        seen(form.get_by_alt_text(f"Edges of {name}.png"))


def test_a_map_used_before_is_picked_and_removed_by_keys(form: Page, tmp_path: Path) -> None:
    bring(form, drawing(tmp_path, "chair.png"))
    seen(form.get_by_alt_text("Edges of chair.png"))
    form.locator("#structure").get_by_role("button", name="Discard").click()
    assert chosen(form) == []
    form.get_by_role("button", name="Recent maps").press("Enter")
    form.get_by_role("button", name="chair.png").press("Enter")
    expect(form.locator(".structure h3")).to_have_text("Edges")
    form.get_by_role("button", name="Remove Edges").press("Enter")
    assert chosen(form) == []
    expect(form.locator("[data-map-file]")).to_be_focused()


def test_a_set_like_this_one_brings_its_maps(form: Page, tmp_path: Path, server: Server) -> None:
    bring(form, drawing(tmp_path, "chair.png"))
    form.get_by_role("button", name="Use this map").click()
    form.get_by_role("button", name="Generate").locator("visible=true").click()
    form.wait_for_url("**/sets/1")
    form.goto(f"{server.url}/sets/new?from=1")
    expect(form.locator(".structure h3")).to_have_text("Edges")
    seen(form.locator(".structure img"))
    assert chosen(form)[0]["maps"] == [1]
