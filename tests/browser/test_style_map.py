"""Where the look of a picture came from, in a browser: the map, its scale and its colours."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from app.main import create_app
from app.settings import Settings
from tests.engine.painter import Painter
from tests.web.server import Server, making, serve, signed_in_browser

BRIGHTEST = """canvas => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return [0, 1, 2].map((part) => Math.max(...data.filter((_, at) => at % 4 === part)));
}"""


@pytest.fixture
def server(settings: Settings) -> Iterator[Server]:
    with serve(create_app(settings, Painter())) as server:
        yield server


def test_a_scale_says_what_the_colours_of_the_map_mean(
    server: Server, chromium: Browser, watch: Callable[[Page], Page], problems: list[str]
) -> None:
    with making(server) as make:
        user = make.user(name="Mori Haruka")
        image_id = make.finished_set(user, prompts="a fox").images[0].id
    token = signed_in_browser(server, user).cookies[server.resources.cookie]
    context = chromium.new_context(viewport={"width": 390, "height": 844})
    context.add_cookies([{"name": server.resources.cookie, "value": token, "url": server.url}])
    page = watch(context.new_page())
    page.goto(f"{server.url}/images/{image_id}/map")
    page.get_by_role("button", name="Make the map").click()
    key = page.locator("[data-map-key]")
    for end_of_scale in ("low", "high"):
        expect(page.locator(f"[data-map-{end_of_scale}]")).to_have_text(re.compile(r"^\d+ %$"))
    low, high = (int(page.locator(f"[data-map-{each}]").inner_text().rstrip(" %")) for each in ("low", "high"))
    assert low < high

    def end(canvas: str, place: int) -> list[int]:
        read = f"canvas => [...canvas.getContext('2d').getImageData({place}, 0, 1, 1).data].slice(0, 3)"
        return list(page.locator(canvas).evaluate(read))

    for name, full in (("Magenta", [255, 45, 215]), ("Green", [60, 255, 120]), ("White", [255, 255, 255])):
        page.get_by_label("Colour of the map").select_option(name)
        assert (end("[data-map-key]", 0), end("[data-map-key]", 255)) == ([0, 0, 0], full)
        brightest = page.locator("[data-map-layer]").evaluate(BRIGHTEST)
        assert brightest == full
    expect(key).to_have_attribute("aria-label", "From dark, little of the reference, to bright, much of it")
    assert [each for each in problems if "Canvas2D" not in each] == [], "but for what this test reads"
    context.close()
