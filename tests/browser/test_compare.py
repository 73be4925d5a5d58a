"""The compare room in a browser: the position of the pictures, the clipping of the split, and the difference."""

import base64
import io
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Picture
from playwright.sync_api import Browser, Page, expect

from app.files import Kind
from app.main import create_app
from app.models import Image, Role, Verdict
from app.quality.vision import Vision, seen_picture
from app.reviews import service
from app.settings import Settings
from tests.browser.fit import faults
from tests.browser.touch import double_tap, spread, touch
from tests.engine.painter import Painter
from tests.factory import encoded
from tests.web.server import Server, make_person, making, serve, signed_in_browser

RED, BLUE = (200, 30, 40), (20, 40, 180)
Pixels = NDArray[np.uint8]


def noise(seed: int, shape: tuple[int, int, int] = (80, 120, 3)) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def nearly(picture: Pixels) -> Pixels:
    """The same picture with one half off by up to 8 levels: enough to see where."""
    off = np.random.default_rng(9).integers(-8, 9, picture.shape)
    off[:, :60] = 0
    return np.clip(picture.astype(int) + off, 0, 255).astype(np.uint8)


# Ids 1 to 6. The second repeats the first; the fourth has another shape.
PICTURES = (
    noise(1),
    noise(1),
    nearly(noise(1)),
    noise(4, (120, 90, 3)),
    np.full((80, 120, 3), RED, np.uint8),
    np.full((80, 120, 3), BLUE, np.uint8),
)


@pytest.fixture
def painted(settings: Settings) -> Iterator[Server]:
    """A server with our own finished pictures; its engine only paints."""
    with serve(create_app(settings, Painter())) as server:
        with making(server) as make:
            image_set = make.finished_set(prompts="a fox\nthe fox again\na paler fox\n背の高いふくろう\nred\nblue")
            for image, pixels in zip(image_set.images, PICTURES, strict=True):
                image.sha256 = make.files.put(Kind.IMAGES, encoded(Picture.fromarray(pixels)))
            image_set.images[0].decision = Verdict.APPROVED
            assert [image.id for image in make.session.query(Image).order_by(Image.id)] == [1, 2, 3, 4, 5, 6]
        yield server


@pytest.fixture
def page(painted: Server, chromium: Browser, watch: Callable[[Page], Page]) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, base_url=painted.url, has_touch=True)
    token = signed_in_browser(painted, make_person(painted, Role.REVIEWER)).cookies[painted.resources.cookie]
    context.add_cookies([{"name": painted.resources.cookie, "value": token, "url": painted.url}])
    yield watch(context.new_page())
    context.close()


def open_room(page: Page, query: str) -> None:
    page.goto(f"/compare?{query}")
    page.wait_for_function("[...document.querySelectorAll('.pane img')].every(img => img.complete && img.naturalWidth)")
    page.wait_for_function("document.querySelector('.pane__media[style]') !== null")


# A picture's position: its element fills the pane, and `object-fit: contain` centres it.
LAID_OUT = """letter => {
  const pane = document.querySelector(`[data-pane="${letter}"]`);
  const media = pane.querySelector(".pane__media");
  const box = media.getBoundingClientRect(), frame = pane.getBoundingClientRect();
  const wide = media.naturalWidth || media.width, high = media.naturalHeight || media.height;
  const scale = Math.min(box.width / wide, box.height / high);
  return {
    left: box.left + (box.width - wide * scale) / 2, top: box.top + (box.height - high * scale) / 2,
    width: wide * scale, height: high * scale, scale,
    frame: [frame.left, frame.top, frame.width, frame.height],
  };
}"""


def laid_out(page: Page, letter: str) -> Any:
    return page.evaluate(LAID_OUT, letter)


def point(page: Page, letter: str, x: float, y: float) -> tuple[float, float]:
    """The screen position of a point in the picture, given as fractions of its sides."""
    at = laid_out(page, letter)
    return at["left"] + x * at["width"], at["top"] + y * at["height"]


def place(page: Page, letter: str, x: float, y: float) -> tuple[float, float]:
    """The inverse of `point`."""
    at = laid_out(page, letter)
    return (x - at["left"]) / at["width"], (y - at["top"]) / at["height"]


def in_the_middle(page: Page, letter: str) -> tuple[float, float]:
    """The point of the picture in the middle of its pane."""
    left, top, width, height = laid_out(page, letter)["frame"]
    return place(page, letter, left + width / 2, top + height / 2)


def same(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return bool(np.allclose(one, other, atol=0.002))


def test_pictures_of_different_shapes_zoom_and_move_together(page: Page, problems: list[str]) -> None:
    open_room(page, "ids=1,4")
    fitted = {letter: laid_out(page, letter)["scale"] for letter in "AB"}
    x, y = map(round, point(page, "A", 0.7, 0.4))  # browsers report whole pixels to scripts
    under = place(page, "A", x, y)
    page.mouse.move(x, y)
    for _ in range(4):
        page.mouse.wheel(0, -250)
    page.wait_for_function("document.querySelector('[data-pane=A]').hasAttribute('data-zoomed')")
    assert point(page, "A", *under) == pytest.approx((x, y), abs=0.1), "what is under the pointer stays there"
    larger = {letter: laid_out(page, letter)["scale"] / fitted[letter] for letter in "AB"}
    assert larger["A"] == pytest.approx(larger["B"], rel=0.001)
    assert larger["A"] > 4
    assert same(in_the_middle(page, "A"), in_the_middle(page, "B"))
    assert not same(in_the_middle(page, "A"), (0.5, 0.5))

    # The crosshair is at the same point of both.
    page.mouse.move(x + 40, y + 30)
    expect(page.locator("[data-pane=B] .cross")).to_be_visible()
    for letter in "AB":
        box = page.locator(f"[data-pane={letter}] .cross").bounding_box()
        assert box
        middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        assert same(place(page, letter, *middle), place(page, "A", x + 40, y + 30))

    # Dragged by hand, and with keys.
    before = in_the_middle(page, "B")
    page.mouse.down()
    page.mouse.move(x - 60, y - 20, steps=3)
    page.mouse.up()
    assert point(page, "A", *under) == pytest.approx((x - 100, y - 50), abs=0.1)
    assert same(in_the_middle(page, "A"), in_the_middle(page, "B"))
    after = in_the_middle(page, "B")
    assert after[0] > before[0]
    page.keyboard.press("ArrowDown")
    small = in_the_middle(page, "B")[1] - after[1]
    page.keyboard.press("Shift+ArrowDown")
    assert in_the_middle(page, "B")[1] - after[1] > small > 0
    assert same(in_the_middle(page, "A"), in_the_middle(page, "B"))
    for _ in range(30):
        page.keyboard.press("Shift+ArrowRight")
    at = laid_out(page, "A")
    assert at["left"] + at["width"] >= at["frame"][0] + at["frame"][2] - 1, "no picture is lost over the edge"

    page.keyboard.press("0")
    assert laid_out(page, "A")["scale"] == pytest.approx(fitted["A"])
    page.keyboard.press("1")
    assert laid_out(page, "A")["scale"] == pytest.approx(1)
    expect(page.locator("[data-percent]")).to_have_text("100 %")
    page.keyboard.press("0")
    page.mouse.dblclick(*point(page, "A", 0.25, 0.75))
    assert in_the_middle(page, "A")[0] < 0.5 < in_the_middle(page, "A")[1]
    assert same(in_the_middle(page, "A"), in_the_middle(page, "B"))
    assert not problems


def test_pixels_are_squares_where_they_are_large(page: Page) -> None:
    open_room(page, "ids=1,4")
    media = page.locator("[data-pane=A] .pane__media")
    expect(media).to_have_css("image-rendering", "auto")
    page.keyboard.press("+")
    expect(media).to_have_css("image-rendering", "pixelated")
    expect(page.locator("[data-pane=B] .map")).to_be_visible()
    expect(page.locator("[data-pane=A] .map")).to_be_hidden()
    seen = page.locator("[data-pane=B] .map rect")
    at = laid_out(page, "B")
    assert float((seen.get_attribute("width") or "").rstrip("%")) == pytest.approx(at["frame"][2] / at["width"] * 100)
    page.keyboard.press("1")
    expect(media).to_have_css("image-rendering", "auto")


def test_each_picture_alone(page: Page, problems: list[str]) -> None:
    open_room(page, "ids=1,4")
    page.keyboard.press("l")
    expect(page.locator("[data-said]")).to_have_text("Each picture zooms alone")
    fitted = laid_out(page, "A")
    page.mouse.move(*point(page, "B", 0.3, 0.3))
    page.mouse.wheel(0, -400)
    page.wait_for_function("document.querySelector('[data-pane=B]').hasAttribute('data-zoomed')")
    assert laid_out(page, "A") == fitted
    moved = laid_out(page, "B")
    page.keyboard.press("a")
    page.keyboard.press("+")
    assert laid_out(page, "A")["scale"] > fitted["scale"], "keys move the picture that is chosen"
    assert laid_out(page, "B") == moved
    expect(page.locator(".map:visible")).to_have_count(2)

    # It is in the address, for reloads and links.
    assert "together=off" in page.url
    page.reload()
    expect(page.get_by_label("Zoom together")).not_to_be_checked()
    page.keyboard.press("+")
    assert same(in_the_middle(page, "A"), in_the_middle(page, "B"))
    assert laid_out(page, "B")["scale"] < moved["scale"]
    page.keyboard.press("l")
    assert "together" not in page.url
    assert page.locator("[data-pane=B][data-zoomed]").count() == 1, "the others come to the chosen one"
    assert not problems


def test_a_pinch(page: Page, problems: list[str]) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    open_room(page, "ids=1,4")
    fitted = laid_out(page, "A")["scale"]
    touch(page, *spread(point(page, "A", 0.5, 0.5), 20, 30, 60))
    expect(page.locator("[data-pane=B]")).to_have_attribute("data-zoomed", "")
    assert laid_out(page, "A")["scale"] / fitted == pytest.approx(3, rel=0.02)
    assert same(in_the_middle(page, "A"), in_the_middle(page, "B"))
    assert not problems


def test_a_double_tap(page: Page, problems: list[str]) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    open_room(page, "ids=1,4")
    fitted = laid_out(page, "A")["scale"]
    double_tap(page, point(page, "A", 0.25, 0.5))
    expect(page.locator("[data-pane=B]")).to_have_attribute("data-zoomed", "")
    assert laid_out(page, "A")["scale"] == pytest.approx(2 * fitted), "100 % would be smaller than that"
    assert in_the_middle(page, "A")[0] < 0.5
    double_tap(page, point(page, "A", 0.25, 0.5))
    expect(page.locator("[data-pane=B]")).not_to_have_attribute("data-zoomed", "")
    assert not problems


def pixel(page: Page, x: float, y: float) -> tuple[int, int, int]:
    shot = Picture.open(io.BytesIO(page.screenshot(clip={"x": x, "y": y, "width": 1, "height": 1})))
    return tuple(int(level) for level in np.asarray(shot.convert("RGB"))[0, 0])  # type: ignore[return-value]


def test_the_split_moves_by_keys_and_by_hand_and_clips(page: Page, problems: list[str]) -> None:
    open_room(page, "ids=5,6")
    page.keyboard.press("s")
    slider = page.get_by_role("slider", name="Split")
    expect(slider).to_be_focused()
    expect(slider).to_have_attribute("aria-valuenow", "50")

    def expect_split_at(percent: int) -> None:
        expect(slider).to_have_attribute("aria-valuenow", str(percent))
        at = laid_out(page, "A")
        edge, y = at["left"] + at["width"] * percent / 100, at["top"] + 12 + at["height"] / 4
        if percent > 2:
            assert pixel(page, edge - 12, y) == RED
        if percent < 98:
            assert pixel(page, edge + 12, y) == BLUE

    expect_split_at(50)
    for key, percent in (
        ("ArrowRight", 51),
        ("Shift+ArrowRight", 61),
        ("ArrowLeft", 60),
        ("Shift+ArrowLeft", 50),
        ("Home", 0),
        ("ArrowLeft", 0),
        ("ArrowUp", 1),
        ("End", 100),
        ("ArrowDown", 99),
        ("Shift+ArrowLeft", 89),
    ):
        page.keyboard.press(key)
        expect_split_at(percent)
    expect(slider).to_have_attribute("aria-valuetext", "A on the left 89 per cent, B on the right")

    # By hand; then zoomed in, where it covers the visible part.
    grip = slider.bounding_box()
    assert grip
    page.mouse.move(grip["x"] + grip["width"] / 2, grip["y"] + grip["height"] / 2)
    page.mouse.down()
    page.mouse.move(*point(page, "A", 0.25, 0.5), steps=3)
    page.mouse.up()
    expect_split_at(25)

    # It is in the address, for reloads and links.
    expect(page).to_have_url(re.compile(r"mode=split&split=25$"))
    page.reload()
    expect_split_at(25)
    page.keyboard.press("x")
    page.keyboard.press("s")
    expect_split_at(25)
    expect(page.get_by_role("link", name="Remove B")).to_have_attribute("href", re.compile("split=25"))
    page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("Shift+ArrowLeft")
    expect(page).to_have_url(re.compile(r"split=0$"))
    page.keyboard.press("+")
    page.keyboard.press("+")
    page.keyboard.press("Home")
    frame = laid_out(page, "A")["frame"]
    assert pixel(page, frame[0] + 60, frame[1] + frame[3] / 3) == BLUE
    page.keyboard.press("End")
    assert pixel(page, frame[0] + frame[2] - 60, frame[1] + frame[3] / 3) == RED
    assert same(in_the_middle(page, "A"), in_the_middle(page, "B"))
    assert laid_out(page, "A")["scale"] == laid_out(page, "B")["scale"]
    assert not problems


def test_deciding_leaves_the_pictures_as_they_are_seen(page: Page, painted: Server, problems: list[str]) -> None:
    open_room(page, "ids=1,3,4&reference=1")
    slots = page.locator(".slot")
    expect(slots.nth(1)).to_contain_text("To review")
    page.keyboard.press("+")
    page.keyboard.press("+")
    page.keyboard.press("b")
    seen = laid_out(page, "B")
    page.keyboard.press("Shift+A")
    expect(slots.nth(1)).to_contain_text("Approved")
    expect(page.get_by_role("button", name="Choose B")).to_have_attribute("aria-pressed", "true")
    assert laid_out(page, "B") == seen
    assert page.url.endswith("/compare?ids=1,3,4&reference=1"), "here is where one stays"
    page.keyboard.press("z")
    expect(slots.nth(1)).to_contain_text("To review")

    page.keyboard.press("c")  # a letter without Shift selects
    page.keyboard.press("s")
    page.keyboard.press("Shift+R")
    expect(page.get_by_role("form", name="Reason for rejecting C")).to_be_visible()
    page.keyboard.press("2")
    expect(slots.nth(2)).to_contain_text("Rejected")
    expect(page.locator(".toast")).to_contain_text("背の高いふくろう: rejected")
    expect(page.locator("[data-compare]")).to_have_attribute("data-mode", "split")
    rejects = page.get_by_role("form", name="Decision on C").get_by_role("button", name="Reject")
    expect(rejects).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("d")
    expect(page.get_by_text("References need no decision.")).to_be_visible()
    page.keyboard.press("Shift+A")  # nothing to press: the letter chooses
    expect(page.get_by_role("button", name="Choose A")).to_have_attribute("aria-pressed", "true")

    # A late decision shows what was decided before it.
    with making(painted) as make:
        service.decide(make.session, make.user(Role.REVIEWER, "Ito Kenji"), 1, "rejected", None, "Off the look")
    page.keyboard.press("Shift+C")
    expect(page.get_by_text("Ito Kenji just rejected this picture. Check it before you decide.")).to_be_visible()
    expect(slots.nth(0)).to_contain_text("Rejected")
    assert not problems


def levels(page: Page) -> Pixels:
    """The pixels of the difference's canvas."""
    width, height, encoded_bytes = page.evaluate(
        """() => {
          const { width, height } = document.querySelector("canvas");
          const { data } = document.querySelector("canvas").getContext("2d").getImageData(0, 0, width, height);
          return [width, height, btoa(String.fromCharCode(...data))];
        }"""
    )
    values = np.frombuffer(base64.b64decode(encoded_bytes), np.uint8).reshape(height, width, 4)
    assert (values[..., 3] == 255).all()
    return values[..., :3]


def test_the_difference_is_the_one_that_numpy_finds(page: Page, problems: list[str]) -> None:
    open_room(page, "ids=1,2,3,4")
    apart = np.abs(PICTURES[0].astype(int) - PICTURES[2].astype(int))
    page.keyboard.press("x")
    said = page.locator("[data-measured]")
    expect(said).to_have_text("These two pictures are identical.")
    assert not levels(page).any()

    page.keyboard.press("c")  # A and C, the two selected last
    mean, share = f"{apart.mean():.2f}", f"{(apart.max(axis=2) > 2).mean() * 100:.1f}"
    assert float(mean) > 1
    assert 30 < float(share) < 50
    expect(said).to_have_text(
        f"The mean difference is {mean} of 255 levels per channel; "
        f"{share} % of the pixels differ by more than 2 levels."
    )
    slider = page.get_by_label("Amplify")
    assert np.array_equal(levels(page), np.minimum(apart * 4, 255))
    for key, times in (("Home", 1), ("ArrowRight", 2), ("End", 20)):
        slider.press(key)
        expect(page.locator("[data-amplified]")).to_have_text(f"{times}×")
        assert np.array_equal(levels(page), np.minimum(apart * times, 255))

    # Of another size: the second is drawn at the first's size, with a note.
    page.locator("body").press("d")
    page.keyboard.press("a")
    expect(said).to_contain_text("D was scaled to the size of A, 120 × 80.")
    assert levels(page).shape == (80, 120, 3)
    assert page.url.endswith("mode=difference&pair=AD")
    page.reload()
    expect(said).to_contain_text("D was scaled to the size of A, 120 × 80.")
    assert not problems


def test_the_keys(page: Page, problems: list[str]) -> None:
    open_room(page, "ids=1,4&ids=5&from=/sets/1")
    room = page.locator("[data-compare]")
    for key, mode in (("s", "split"), ("x", "difference"), ("x", "side"), ("s", "split"), ("s", "side")):
        page.keyboard.press(key)
        expect(room).to_have_attribute("data-mode", mode)
        assert ("mode=" in page.url) == (mode != "side")
        expect(page.locator("[data-mode-link][aria-current=true]")).to_have_attribute("data-mode-link", mode)
    page.keyboard.press("c")
    expect(page.get_by_role("button", name="Choose C")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("u")
    expect(page.get_by_label("White")).to_be_checked()
    percent = page.locator("[data-percent]")
    fit = percent.inner_text()
    page.keyboard.press("+")
    expect(percent).not_to_have_text(fit)
    page.keyboard.press("-")
    expect(percent).to_have_text(fit)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_contain_text("Zoom together")
    page.keyboard.press("s")
    expect(room).to_have_attribute("data-mode", "side")
    page.keyboard.press("Escape")
    page.keyboard.press("d")  # there is no fourth
    expect(page.get_by_role("button", name="Choose C")).to_have_attribute("aria-pressed", "true")

    page.keyboard.press("s")
    page.get_by_role("link", name="Remove A").click()
    page.wait_for_url("**/compare?ids=4,5&from=/sets/1&mode=split")
    expect(page.locator("[data-pane]:not(.pane--difference)")).to_have_count(2)
    page.keyboard.press("b")
    page.keyboard.press("Enter")
    page.wait_for_url("**/review?set=1&image=5")
    page.go_back()
    page.get_by_role("link", name="Back").click()
    page.wait_for_url("**/sets/1")
    assert not problems


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1920])
def test_it_fits_and_axe_finds_nothing(page: Page, scheme: str, width: int, problems: list[str]) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    for query in ("ids=1,4", "ids=1,2,3&reference=1", "ids=1,4,5&mode=split", "ids=1,2,3&mode=difference", "ids=1"):
        page.goto(f"/compare?{query}")
        if "mode=difference" in query:
            expect(page.locator("[data-measured]")).to_have_text(re.compile("identical"))
        fits = (
            "document.documentElement.scrollWidth <= innerWidth && document.documentElement.scrollHeight <= innerHeight"
        )
        assert page.evaluate(fits), query
        assert not faults(page, query)
    assert not problems


def test_colours_as_others_see_them_are_those_of_the_model_and_said_on_every_page(page: Page) -> None:
    for vision in Vision:
        page.goto("/pictures")
        page.get_by_role("button", name="Account:").click()
        page.get_by_label("See pictures as").select_option(vision)
        open_room(page, "ids=5,6")
        for letter, colour in (("A", RED), ("B", BLUE)):
            expected = seen_picture(Picture.new("RGB", (1, 1), colour), vision).getpixel((0, 0))
            shown = pixel(page, *point(page, letter, 0.5, 0.7))
            assert np.abs(np.subtract(shown, expected)).max() <= 3, (vision, colour)  # type: ignore[arg-type]
    page.goto("/pictures")
    expect(page.get_by_text("Pictures are shown in greyscale.")).to_be_visible()
    page.get_by_role("button", name="Show usual colours").click()
    expect(page.get_by_text("Pictures are shown in greyscale.")).to_be_hidden()
    open_room(page, "ids=5,6")
    assert pixel(page, *point(page, "A", 0.5, 0.7)) == RED
