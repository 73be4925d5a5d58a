"""Walk through a real server as a new team would, and take screenshots: `python scripts/screenshots.py FOLDER`.

Starts Soroe on an empty data folder, sets it up, makes a style and sets with the loaded model, decides, and writes a
PNG of every page, at 390, 1440 and 1920 px, light and dark. The README's pictures come from here, and all are real.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "static" / "samples"
PROMPTS = ["a teapot", "a house", "a tulip", "a car", "a penguin", "a bicycle", "a cupcake", "an umbrella"]
SEED = "7"
SIZES = {"390": (390, 844), "1440": (1440, 900), "1920": (1920, 1080)}
CHROMIUM = os.environ.get("SOROE_CHROMIUM") or shutil.which("chromium-headless-shell") or "/usr/bin/chromium"


@contextmanager
def server(data: Path) -> Iterator[str]:
    """A server on an empty data folder; yields its set-up link."""
    environment = os.environ | {"SOROE_DATA": str(data), "SOROE_PORT": "0"}
    command = [Path(sys.executable).with_name("soroe"), "serve"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            for line in process.stdout or ():
                if link := re.search(r"http://\S+/setup/\S+", line):
                    yield link[0]
                    return
            raise SystemExit("the server did not print a set-up link")
        finally:
            process.terminate()


def set_up(page: Page, link: str) -> None:
    page.goto(link)
    page.get_by_label("Name").fill("Mori Haruka")
    page.get_by_label("E-mail").fill("haruka@example.com")
    page.locator("input[type=password]").first.fill("a matched set of pictures")
    page.locator("form button[type=submit]").first.click()
    page.wait_for_url(re.compile(r"/$"))


def make_style(page: Page, name: str, look: str, shows: str) -> None:
    page.goto("/styles/new")
    page.locator("input[type=file]").set_input_files(SAMPLES / f"look-{look}.webp")
    page.get_by_label("Name").fill(name)
    page.get_by_label("What the picture shows").fill(shows)
    expect(page.locator("[name=reference_id]")).to_have_value(re.compile(r"\d"), timeout=20_000)
    page.get_by_role("button", name="Save style").click()
    page.wait_for_url(re.compile(r"/styles/SOR-"))


def start_set(page: Page, name: str, style: str, prompts: list[str]) -> str:
    page.goto("/sets/new")
    page.get_by_text(style, exact=True).first.click()
    page.locator("#prompts").fill("\n".join(prompts))
    page.get_by_text("Advanced").click()
    page.locator("#seed").fill(SEED)
    page.locator("#name").fill(name)
    page.locator("#campaign").fill("Autumn table")
    page.keyboard.press("Control+Enter")
    page.wait_for_url(re.compile(r"/sets/\d+$"))
    return page.url


def shoot(page: Page, folder: Path, name: str, sizes: tuple[str, ...] = ("390", "1440", "1920")) -> None:
    """Take the page at each size, light and dark."""
    for size in sizes:
        width, height = SIZES[size]
        page.set_viewport_size({"width": width, "height": height})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # a str to mypy
            page.wait_for_timeout(400)  # until the colour transition has ended
            page.screenshot(path=folder / f"{name}-{size}-{scheme}.png", full_page=True)
    page.set_viewport_size({"width": 1440, "height": 900})
    page.emulate_media(color_scheme="light")


def walk(page: Page, folder: Path, link: str) -> None:
    page.goto(link)
    shoot(page, folder, "setup")
    set_up(page, link)
    shoot(page, folder, "home-first")
    page.goto("/styles/new")
    page.locator("input[type=file]").set_input_files(SAMPLES / "look-poster.webp")
    expect(page.locator("[name=reference_id]")).to_have_value(re.compile(r"\d"), timeout=20_000)
    shoot(page, folder, "style-new")
    for name, look, shows in (("Harvest poster", "poster", "an owl"), ("Workshop", "blueprint", "a rocket")):
        make_style(page, name, look, shows)
    page.goto("/sets/new")
    page.locator("#prompts").fill("\n".join(PROMPTS))
    shoot(page, folder, "set-new")
    first = start_set(page, "Autumn table, small posters", "Harvest poster", PROMPTS)
    page.wait_for_selector("[data-state=generating] img, [data-state=finished] img")
    page.wait_for_timeout(600)
    shoot(page, folder, "set-running", ("1440",))
    expect(page.locator("[data-state=finished]")).to_have_count(8, timeout=300_000)
    start_set(page, "Workshop icons", "Workshop", PROMPTS[:4])
    page.goto(first.replace(link.split("/setup")[0], ""))
    shoot(page, folder, "set-done")
    review(page, folder)
    for name in ("home", "sets", "styles", "pictures", "people"):
        page.goto("/" if name == "home" else f"/{name}")
        shoot(page, folder, name)
    page.goto("/styles")
    page.locator("a[href^='/styles/SOR']").first.click()
    page.wait_for_url(re.compile(r"/styles/SOR-"))
    shoot(page, folder, "style")
    rights(page, folder)
    companions(page, folder)
    page.context.clear_cookies()
    page.goto("/login")
    shoot(page, folder, "login")


def review(page: Page, folder: Path) -> None:
    """Decisions by keys, a pinned comment, a redone picture, and pictures side by side."""
    page.goto("/review/settings")
    # The network is never idle: Chromium does not tell a page that the script of its shared worker has arrived.
    page.get_by_label("Nobody approves their own pictures in Autumn table").uncheck()
    page.wait_for_url(re.compile(r"/review/settings\?open="))
    page.goto("/review?set=1")
    for keys in ("a", "a", "a", "r2", "a", "c"):
        page.wait_for_selector("main img")
        for key in keys:
            page.keyboard.press(key)
            page.wait_for_timeout(500)
    page.keyboard.press("p")
    page.keyboard.press("Enter")
    page.keyboard.type("A little more room here, please.")
    page.get_by_role("button", name="Send").click()
    page.wait_for_timeout(1000)
    shoot(page, folder, "review")
    page.goto("/images/6/again")
    shoot(page, folder, "again", ("390", "1440"))
    for mode in ("side", "split", "difference"):
        page.goto(f"/compare?ids=1,2,3&reference=1&mode={mode}")
        page.wait_for_function("[...document.images].every((image) => image.complete)")
        shoot(page, folder, f"compare-{mode}")
    page.goto("/review/settings")
    shoot(page, folder, "review-settings", ("390", "1440"))
    page.goto("/pictures/bin")
    shoot(page, folder, "bin", ("390", "1440"))


def rights(page: Page, folder: Path) -> None:
    """Who owns a reference, and until when."""
    page.goto("/references/1/rights")
    page.get_by_label("Owned by").first.fill("Studio Kiri")
    page.get_by_label("Licence").first.fill("Marketing, all channels")
    page.locator("[name=valid_until]").fill(f"{date.today() + timedelta(days=9)}")
    shoot(page, folder, "rights", ("390", "1440"))
    page.locator("main form button[type=submit]").first.click()
    page.wait_for_url(re.compile(r"/references/1$"))
    shoot(page, folder, "reference", ("390", "1440"))


def companions(page: Page, folder: Path) -> None:
    """A set that follows a map and has a region in another style; a subject; an export; the audit log."""
    page.goto("/sets/new")
    page.get_by_text("Harvest poster", exact=True).first.click()
    page.locator("#prompts").fill("a house")
    page.get_by_text("Edges, a silhouette or depth").click()
    page.locator("[data-map-file]").set_input_files(SAMPLES / "look-blueprint.webp")
    page.get_by_role("button", name="Use this map").click()
    page.get_by_text("Areas with their own prompt").click()
    page.locator("[data-region-add]").click()
    row = page.locator(".regions__row").first
    row.get_by_label("What this region shows").fill("a tulip")
    row.get_by_label("Style of this region").select_option(label="Workshop")
    shoot(page, folder, "set-new-companions", ("390", "1440"))
    page.locator("#prompts").focus()
    page.keyboard.press("Control+Enter")
    page.wait_for_url(re.compile(r"/sets/\d+$"))
    expect(page.locator("[data-state=finished]")).to_have_count(1, timeout=300_000)
    shoot(page, folder, "set-companions", ("390", "1440"))
    page.goto("/subjects")
    shoot(page, folder, "subjects", ("390", "1440"))
    page.goto("/subjects/new")
    shoot(page, folder, "subject-new", ("390", "1440"))
    page.goto("/sets/1")
    page.get_by_role("link", name=re.compile("Export|Download")).first.click()
    shoot(page, folder, "export", ("390", "1440"))
    page.goto("/record")
    shoot(page, folder, "record", ("390", "1440"))


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as data, server(Path(data)) as link, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        # Without animations, no screenshot is taken during a transition.
        page = browser.new_page(
            base_url=link.split("/setup")[0], viewport={"width": 1440, "height": 900}, reduced_motion="reduce"
        )
        page.set_default_timeout(180_000)  # a small machine makes pictures slowly
        page.on("console", lambda message: print("console:", message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: print("page error:", error))
        try:
            walk(page, folder, link)
        except Exception:
            page.screenshot(path=folder / "failed.png")
            print("failed at", page.url)
            raise
        finally:
            browser.close()


if __name__ == "__main__":
    main()
