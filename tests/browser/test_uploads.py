"""Pictures on their way to the server: progress, cancelling, a lost connection, several at once, samples."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.test_story import set_up
from tests.web.process import Process


@pytest.fixture(scope="module")
def context(chromium: Browser, server: Process) -> BrowserContext:
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    set_up(page, server.setup_link)
    page.close()
    return context


@pytest.fixture
def page(context: BrowserContext, watch: Callable[[Page], Page], server: Process) -> Page:
    """A new style, without the drafts of other tests."""
    page = watch(context.new_page())
    page.goto(server.url + "/styles/new")
    while (discard := page.get_by_role("button", name="Discard")).is_visible():
        with page.expect_navigation():
            discard.click()
    return page


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """Of 800 kB, so that a slow line takes seconds."""
    path = tmp_path / "noise.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (520, 520, 3), dtype=np.uint8)).save(path)
    return path


def slow(page: Page, **conditions: object) -> None:
    told = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 100_000} | conditions
    page.context.new_cdp_session(page).send("Network.emulateNetworkConditions", told)


def test_a_sample_fills_in_its_name_and_text(page: Page, server: Process) -> None:
    page.goto(server.url + "/")
    page.get_by_role("button", name="Sample: pencil").click()
    page.wait_for_url("**/styles/new?reference=*")
    expect(page.locator("#name")).to_have_value("Pencil")
    expect(page.get_by_label("What the picture shows")).to_have_value("a chair")


def test_an_upload_shows_percent_and_speed_and_can_be_cancelled(page: Page, picture: Path) -> None:
    page.locator("#name").fill("Kept")
    slow(page)
    page.locator("#picture-file").set_input_files(picture)
    shown = page.get_by_role("group", name="Upload")
    expect(shown).to_contain_text("noise.png")
    expect(shown.locator("[data-words]")).to_contain_text("kB/s")
    shown.get_by_role("button", name="Cancel").click()
    expect(shown).to_be_hidden()
    expect(page.locator("#picture .drop")).to_be_visible()
    expect(page.locator("#name")).to_have_value("Kept")
    assert page.locator("#picture-file").evaluate("input => input.files.length") == 0
    slow(page, uploadThroughput=-1)
    page.locator("#picture-file").set_input_files(picture)
    expect(page.locator("#picture [data-crop]")).to_be_visible()


def test_a_lost_connection_offers_to_retry(page: Page, picture: Path) -> None:
    page.route("**/styles/preview", lambda route: route.abort("connectionreset"))
    page.locator("#picture-file").set_input_files(picture)
    shown = page.get_by_role("group", name="Upload")
    expect(shown).to_contain_text("The connection was lost. Nothing was uploaded.")
    page.unroute("**/styles/preview")
    shown.get_by_role("button", name="Retry").click()
    expect(page.locator("#picture [data-crop]")).to_be_visible()


def bring(page: Page, kind: str, count: int) -> None:
    """Drop or paste `count` small pictures."""
    page.evaluate(
        """async ([kind, count]) => {
            const canvas = Object.assign(document.createElement("canvas"), { width: 96, height: 96 });
            canvas.getContext("2d").fillRect(0, 0, 96, 96);
            const blob = await new Promise((done) => canvas.toBlob(done));
            const data = new DataTransfer();
            for (let n = 0; n < count; n++) data.items.add(new File([blob], `${n}.png`, { type: "image/png" }));
            const about = { bubbles: true, cancelable: true };
            const event = kind === "drop" ? new DragEvent("drop", { ...about, dataTransfer: data })
                : new ClipboardEvent("paste", { ...about, clipboardData: data });
            document.querySelector(kind === "drop" ? ".drop, .crop" : "body").dispatchEvent(event);
        }""",
        [kind, count],
    )


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_of_several_pictures_the_first_is_taken_and_it_says_so(page: Page, kind: str) -> None:
    bring(page, kind, 3)
    told = "Only 0.png was taken: a style starts with one picture. Not taken: 1.png, 2.png."
    expect(page.get_by_text(told)).to_be_visible()
    expect(page.locator("#picture [data-crop]")).to_be_visible()


def test_a_transparent_picture_asks_what_is_behind_it(page: Page, server: Process, tmp_path: Path) -> None:
    drawn = Image.new("RGBA", (256, 256), (200, 30, 30, 255))
    drawn.paste((0, 0, 0, 0), (0, 0, 128, 256))
    drawn.save(tmp_path / "glass.png")
    page.locator("#name").fill("Glass")
    page.locator("#picture-file").set_input_files(tmp_path / "glass.png")
    asked = page.get_by_role("group", name="glass.png is transparent.")
    expect(asked.get_by_role("button")).to_have_count(4)
    asked.get_by_label("Colour").fill("#00ff88")
    expect(asked.locator("[data-ground-fill]")).to_have_attribute("fill", "#00ff88")
    asked.get_by_role("button", name="This colour").click()
    expect(page.locator("#picture [data-crop]")).to_be_visible()
    expect(page.locator("#name")).to_have_value("Glass")

    page.goto(server.url + "/subjects/new")
    with page.expect_response("**/drafts"):
        page.locator("#pictures").set_input_files([tmp_path / "glass.png"])
    asked = page.get_by_role("group", name="glass.png is transparent.")
    page.reload()
    asked.get_by_role("button", name="Mid-grey").click()
    expect(page.locator("[data-kept] .kept")).to_have_count(1)
    expect(asked).to_have_count(0)


def test_a_refused_lora_stays_in_its_form(page: Page, server: Process, tmp_path: Path) -> None:
    (tmp_path / "mug.safetensors").write_bytes(b"no LoRA" * 30_000)
    page.goto(server.url + "/subjects/new")
    form = page.locator("form[data-sends]")
    page.get_by_text("Upload a LoRA").click()
    form.get_by_label("Name").fill("Blue mug")
    slow(page)
    form.get_by_label("File").set_input_files(tmp_path / "mug.safetensors")
    expect(page.get_by_role("group", name="Upload")).to_contain_text("kB/s")
    slow(page, uploadThroughput=-1)
    expect(form.locator("[data-summary]")).to_be_focused()
    expect(form.get_by_label("Name")).to_have_value("Blue mug")
    assert form.get_by_label("File").evaluate("input => input.files[0].name") == "mug.safetensors"


def test_a_chosen_licence_survives_a_reload(page: Page, server: Process, picture: Path, tmp_path: Path) -> None:
    (tmp_path / "licence.txt").write_text("Free for any use")
    page.locator("#picture-file").set_input_files(picture)
    page.goto(f"{server.url}/references/{page.locator('[name=reference_id]').get_attribute('value')}")
    form = page.locator("form[data-sends]")
    form.get_by_label("Add a file").set_input_files(tmp_path / "licence.txt")
    kept = form.locator("[data-kept-file]")
    expect(kept).to_be_focused()
    page.reload()
    expect(kept).to_contain_text("licence.txt 16 bytes")
    form.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("link", name="licence.txt")).to_be_visible()
    expect(kept).to_be_hidden()


def test_a_sample_leaves_what_was_typed(page: Page, server: Process) -> None:
    page.locator("#name").fill("My own")
    page.get_by_role("button", name="Sample: pencil").click()
    page.wait_for_url("**/styles/new?sample=Pencil")
    expect(page.locator("#picture [data-crop]")).to_be_visible()
    expect(page.locator("#name")).to_have_value("Pencil")
    expect(page.get_by_label("What the picture shows")).to_have_value("a chair")
    page.reload()
    page.get_by_role("link", name="Open draft from").click()
    expect(page.locator("#name")).to_have_value("My own")
