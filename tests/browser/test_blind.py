"""A blind test in a browser: by keyboard from the home page to the result, and by touch on a phone."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from app.blind import service as blind
from app.blind.spec import BlindSpec
from app.files import Kind
from app.main import create_app
from app.models import BlindJudgement, BlindTest, Role, User
from app.settings import Settings
from tests.browser.fit import misfits
from tests.browser.late import Late
from tests.engine.painter import Painter
from tests.web.server import Server, making, serve, signed_in_browser

PICTURES = Path(__file__).parents[2] / "app" / "samples" / "pictures"
NAMES = ("fox", "owl", "teapot", "bell", "house", "snail")


@pytest.fixture
def server(settings: Settings) -> Iterator[Server]:
    """A blind test of three pairs that needs three judgements, by Mori."""
    with serve(create_app(settings, Painter())) as server:
        with making(server) as make:
            style = make.style()
            one, other = (
                make.finished_set(style.owner, style, prompts="a fox\nan owl\na teapot", name=name)
                for name in ("Soft", "Strong")
            )
            for image, name in zip((*one.images, *other.images), NAMES, strict=True):
                image.sha256 = make.files.put(Kind.IMAGES, (PICTURES / f"{name}.png").read_bytes())
            maker, mori = make.user(Role.REVIEWER, "Sato Yui"), make.user(name="Mori Haruka")
            spec = {"name": "Which look", "a": f"set-{one.id}", "b": f"set-{other.id}", "question": "closer"}
            blind.create(make.session, maker, BlindSpec.parse(spec | {"people": (mori.id,), "planned": 3}))
        yield server


@pytest.fixture
def enter(
    server: Server, chromium: Browser, watch: Callable[[Page], Page], problems: list[str]
) -> Iterator[Callable[..., Page]]:
    contexts = []

    def enter(name: str, path: str, **options: object) -> Page:
        with server.resources.database.read() as session:
            person = session.query(User).filter_by(name=name).one()
        context = chromium.new_context(
            **{"base_url": server.url, "viewport": {"width": 1440, "height": 900}} | options  # type: ignore[arg-type]
        )
        with signed_in_browser(server, person) as browser:
            token = browser.cookies[server.resources.cookie]
        context.add_cookies([{"name": server.resources.cookie, "value": token, "url": server.url}])
        contexts.append(context)
        page = watch(context.new_page())
        page.goto(path)
        return page

    yield enter
    for context in contexts:
        context.close()
    assert problems == []


def given(server: Server) -> int:
    with server.resources.database.read() as session:
        return session.query(BlindJudgement).count()


def ready(page: Page, place: int) -> None:
    """Wait until the pair at this place is there, with both pictures."""
    expect(page.get_by_role("status").filter(has_text="Pair")).to_have_text(f"Pair {place} of 3")
    expect(page.locator("[data-judge]")).to_have_attribute("aria-busy", "false")


def test_pairs_are_judged_by_keyboard_from_the_home_page(server: Server, enter: Callable[..., Page]) -> None:
    page = enter("Mori Haruka", "/")
    page.get_by_role("link", name="Judge pairs").click()
    ready(page, 1)
    expect(page.get_by_role("heading", name="Which is closer to the reference?")).to_be_visible()
    assert misfits(page, "blind-judge") == []
    page.keyboard.press("ArrowLeft")
    ready(page, 2)
    page.keyboard.press("ArrowDown")
    ready(page, 3)
    page.keyboard.press("z")
    ready(page, 2)
    assert given(server) == 1
    page.keyboard.press("ArrowRight")
    ready(page, 3)
    page.keyboard.press("ArrowRight")
    page.wait_for_url("**/blind/1")
    expect(page.get_by_role("heading", name="By person")).to_be_visible()
    expect(page.locator(".blind-verdict")).to_contain_text("chance alone could explain")
    assert misfits(page, "blind-result", full_page=True) == []


def test_a_key_that_is_held_down_answers_one_pair(server: Server, enter: Callable[..., Page]) -> None:
    page = enter("Mori Haruka", "/blind/1/judge")
    ready(page, 1)
    page.keyboard.down("ArrowLeft")
    for _ in range(3):
        page.keyboard.down("ArrowLeft")  # as a key that repeats
    page.keyboard.up("ArrowLeft")
    ready(page, 2)
    assert given(server) == 1


def test_an_answer_waits_for_both_pictures(server: Server, enter: Callable[..., Page]) -> None:
    page = enter("Mori Haruka", "/")
    right = Late(page, r"/blind/1/.*/right\.webp$")
    page.goto("/blind/1/judge", wait_until="domcontentloaded")
    expect(page.locator("[data-judge]")).to_have_attribute("aria-busy", "true")
    page.keyboard.press("ArrowLeft")
    page.get_by_role("button", name="No difference").click()
    expect(page.locator("[data-side]").first).to_have_js_property("complete", True)
    assert given(server) == 0
    right.arrive()
    ready(page, 1)
    expect(page.locator("[data-judge]")).to_have_attribute("aria-busy", "false")
    page.keyboard.press("ArrowLeft")
    ready(page, 2)


def test_a_phone_judges_by_touch(server: Server, enter: Callable[..., Page]) -> None:
    page = enter(
        "Mori Haruka", "/blind/1/judge", viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    ready(page, 1)
    assert misfits(page, "blind-phone") == []
    tie = page.get_by_role("button", name="No difference").bounding_box()
    assert tie
    assert tie["y"] + tie["height"] <= 844, "all answers are in the window"
    page.locator("[data-side]").first.tap()
    ready(page, 2)
    page.get_by_role("button", name="No difference").tap()
    ready(page, 3)
    page.get_by_role("button", name="Undo last answer").tap()
    ready(page, 2)
    assert given(server) == 1


def test_both_frames_are_equal_and_in_place_before_pictures_load(enter: Callable[..., Page]) -> None:
    page = enter("Mori Haruka", "/blind/1/judge")
    ready(page, 1)
    boxes = [page.locator(".blind__frame").nth(number).bounding_box() for number in (0, 1)]
    shapes = {tuple(round(box[side]) for side in ("width", "height", "y")) for box in boxes if box}  # type: ignore[literal-required]
    pictures = [page.locator("[data-side]").nth(number).bounding_box() for number in (0, 1)]
    assert pictures == boxes, "a picture fills its frame, and no more"
    assert len(shapes) == 1


def test_a_test_is_made_in_the_form(server: Server, enter: Callable[..., Page], problems: list[str]) -> None:
    page = enter("Sato Yui", "/blind/new")
    page.get_by_label("Name").fill("Again")
    page.get_by_label("Side A").select_option(label="Soft")
    page.get_by_label("Side B").select_option(label="Strong")
    page.get_by_label("Mori Haruka").check()
    page.get_by_label("Judgements").fill("9")
    assert misfits(page, "blind-new", full_page=True) == []
    page.get_by_role("button", name="Create blind test").click()
    expect(page.get_by_role("link", name="3 pairs and 1 person give at most 3 judgements.")).to_be_visible()
    assert "422" in problems.pop()
    page.get_by_label("Judgements").fill("3")
    page.get_by_role("button", name="Create blind test").click()
    expect(page.get_by_role("heading", name="Again")).to_be_visible()
    assert misfits(page, "blind-open", full_page=True) == []
    page.get_by_role("button", name="Stop without a result").click()
    page.get_by_role("dialog").get_by_role("button", name="Stop test").click()
    expect(page.get_by_text("Stopped, without a result.").first).to_be_visible()
    with server.resources.database.read() as session:
        assert [test.ended_as for test in session.query(BlindTest)] == [None, "stopped"]
