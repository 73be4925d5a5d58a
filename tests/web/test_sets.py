import re
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from app.models import Image, ImageSet, Role, State, User
from app.reviews import service as reviews
from app.web.formats import FORMATS, formats
from app.web.icons import icon
from tests.engine.painter import Painter
from tests.factory import MODEL
from tests.web.server import Browser, Server, making

PATIENCE = 60.0


@pytest.fixture
def code(server: Server) -> str:
    with making(server) as make:
        return make.style(text="vintage poster").code


def form(code: str, prompts: str = "a fox\na teapot", **values: str) -> dict[str, str]:
    return {"style": code, "prompts": prompts, "count": "1", "size": "64x64", "steps": "3"} | values


def post_set(browser: Browser, code: str, prompts: str = "a fox\na teapot", **values: str) -> str:
    answer = browser.post("/sets", data=form(code, prompts, **values))
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def wait_for(server: Server, path: str, *states: State) -> list[Image]:
    """The images of a set, once all of them are in one of the states."""
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends:
        with server.resources.database.read() as session:
            images = list(session.get_one(ImageSet, int(path.rsplit("/", 1)[1])).images)
        if all(image.state in states for image in images):
            return images
        time.sleep(0.02)
    raise AssertionError([image.state for image in images])


def test_a_set_is_requested_and_made(server: Server, engine: Painter, designer: Browser, code: str) -> None:
    path = post_set(designer, code, "a fox\n\n  a teapot  ", count="2", seed="7", name="Autumn", campaign="Autumn 2026")
    images = wait_for(server, path, State.FINISHED)
    assert [(image.prompt, image.seed) for image in images] == [
        ("a fox", 7),
        ("a fox", 8),
        ("a teapot", 9),
        ("a teapot", 10),
    ]
    assert engine.units[0].images[0].prompt == "a fox, vintage poster"
    page = designer.get(path).text
    assert "<h1>Autumn</h1>" in page
    assert page.count('data-state="finished"') == 4
    assert "Autumn 2026" in page
    assert "data-follow" in page, "somebody may decide on a picture or make one again"
    picture = designer.get(f"/images/{images[0].id}.png")
    assert picture.headers["content-type"] == "image/png"
    assert len(picture.content) == images[0].bytes


def test_a_wrong_form_keeps_what_was_typed(designer: Browser, code: str) -> None:
    wrong = form(code, "a fox\n" + "x" * 1100, count="99", size="big", steps="0", guidance="lots", scheduler="none")
    answer = designer.post("/sets", data=wrong)
    assert answer.status_code == 422
    for field in ("prompts", "count", "size", "steps", "guidance"):
        assert f'id="{field}-error"' in answer.text, field
    assert "Line 2 is too long: 1100 characters; at most 1000 fit." in answer.text
    assert "x" * 1100 in answer.text
    assert designer.post("/sets", data={}).status_code == 422


def test_the_form_of_a_small_model_offers_what_it_can(designer: Browser, code: str) -> None:
    page = designer.get(f"/sets/new?style={code}").text
    for size in ("256x256", "208x304", "336x192"):
        assert f'value="{size}"' in page
    for words in ("a teapot", "an owl", "an umbrella", "an hourglass", "scissors"):
        assert re.search(f'role="option" aria-selected="false"[^>]*>{words}</li>', page), words
    assert "Poster" in page
    assert "208 × 304" in page


def test_each_format_is_named_by_its_use_and_the_pixels_that_are_made() -> None:
    sdxl = replace(MODEL, default_size=(1024, 1024), size_multiple=8, max_side=8192, max_pixels=16 * 1024**2)
    made = {f"{each.name} {each.ratio}": (each.width, each.height) for each in formats(sdxl)}
    assert made["Square 1:1"] == (1024, 1024)
    assert made["Story 9:16"] == (768, 1344)
    assert made["Banner 32:9"] == (2560, 720)
    assert len(set(made.values())) == len(made) == len(FORMATS)
    small = formats(replace(MODEL, default_size=(128, 128), size_multiple=8, max_side=300))
    assert "Banner" not in [each.name for each in small], "what the model cannot make is not offered"
    assert all(each.width % 8 == each.height % 8 == 0 for each in small)


def test_duplicating_fills_the_form(server: Server, designer: Browser, code: str) -> None:
    path = post_set(designer, code, "a fox\n<b>an owl</b>", name="Autumn", steps="5")
    page = designer.get(f"/sets/new?from={path.rsplit('/', 1)[1]}").text
    assert "a fox\n&lt;b&gt;an owl&lt;/b&gt;</textarea>" in page
    assert re.search(r'name="steps"[^>]*value="5"', page)
    wait_for(server, path, State.FINISHED)


class TestWhileItIsMade:
    def test_cancel_stops_within_one_step_and_keeps_what_is_finished(
        self, server: Server, engine: Painter, designer: Browser, code: str
    ) -> None:
        prompts = "\n".join(f"thing {n}" for n in range(8))
        engine.pause_at = 6
        path = post_set(designer, code, prompts, steps="4")
        wait_until(lambda: len(engine.steps) == 6)  # the second unit of two
        answer = designer.post(f"{path}/cancel")
        assert answer.headers["location"] == path
        wait_until(lambda: not engine.running)
        assert len(engine.steps) == 6
        images = wait_for(server, path, State.FINISHED, State.CANCELLED)
        assert [image.state for image in images] == [State.FINISHED] * 4 + [State.CANCELLED] * 4
        assert designer.post(f"{path}/cancel").headers["location"] == path, "from a page that shows an earlier state"
        assert "There is nothing to cancel" in designer.get(path).text
        assert "Retry 4" in designer.get(path).text

    def test_previews_are_there_while_it_is_made_and_the_picture_afterwards(
        self, server: Server, engine: Painter, designer: Browser, code: str
    ) -> None:
        engine.pause_at = 2
        path = post_set(designer, code, "a fox", steps="8")
        wait_until(lambda: bool(server.resources.bus.previews))
        page = designer.get(path).text
        preview = re.search(r"/images/\d+/preview\?step=\d+", page)
        assert preview is not None
        answer = designer.get(preview[0])
        assert answer.headers["content-type"] == "image/webp"
        assert answer.headers["cache-control"] == "private, no-store"
        engine.go_on()
        assert wait_for(server, path, State.FINISHED)
        wait_until(lambda: not server.resources.bus.previews)
        late = designer.get(preview[0])
        assert late.status_code == 200, "a page that asks too late gets the picture itself"
        assert late.content != answer.content


def test_failed_work_can_be_retried(server: Server, engine: Painter, designer: Browser, code: str) -> None:
    path = post_set(designer, code, "a fox\nfail")
    fox, bad = wait_for(server, path, State.FINISHED, State.FAILED)
    page = designer.get(path).text
    assert "cannot be made" in page
    assert "Retry 1" in page
    assert designer.post(f"/images/{fox.id}/retry").status_code == 409
    assert designer.post(f"/images/{bad.id}/retry").headers["location"] == path
    wait_until(lambda: len(engine.units) == 2)
    wait_for(server, path, State.FINISHED, State.FAILED)
    assert designer.post(f"{path}/retry").headers["location"] == path
    wait_until(lambda: len(engine.units) == 3)
    assert [image.image_id for unit in engine.units[1:] for image in unit.images] == [bad.id, bad.id]


def test_the_list_is_filtered_and_paged(server: Server, sign_in: Callable[..., Browser]) -> None:
    with making(server) as make:
        owner, style = make.user(name="Ito Kenji"), make.style()
        for number in range(30):
            make.finished_set(owner, style, prompts="a fox", name=f"Set number {number}.", campaign="Spring")
    browser = sign_in()
    first = browser.get("/sets").text
    assert "Set number 29." in first
    assert "Set number 6." in first
    assert "Set number 5." not in first
    more = re.search(r'href="(/sets\?[^"]*after=\d+[^"]*)"', first)
    assert more is not None
    assert "Set number 5." in browser.get(more[1].replace("&amp;", "&")).text
    assert "No matching sets" in browser.get("/sets?owner=me").text
    assert "Set number 29." in browser.get(f"/sets?style={style.code}").text
    assert "No matching sets" in browser.get("/sets?campaign=99").text
    assert browser.get(f"/sets?campaign={'9' * 5000}").status_code == 200, "a number that no column holds is no filter"


def wait_until(true: Callable[[], bool]) -> None:
    ends = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < ends, "it did not come to pass"
        time.sleep(0.005)


def test_a_set_that_is_all_in_the_bin_says_so(server: Server, designer: Browser, code: str) -> None:
    path = post_set(designer, code)
    wait_for(server, path, State.FINISHED)
    assert "Open bin" not in designer.get(path).text
    answer = designer.post("/pictures/delete", data={"ids": [1, 2]})
    assert answer.status_code == 303
    page = designer.get(path).text
    assert "All 2 are in the bin" in page
    assert 'href="/pictures/bin">Open bin</a>' in page
    assert "0 of 0" not in page
    assert re.search(r'id="set-show"\s+hidden', page)
    card = re.search(rf'<a class="setcard" href="{path}">.*?</a>', designer.get("/sets").text, re.DOTALL)
    assert card is not None
    assert "All 2 are in the bin" in card[0]
    assert icon("trash-2") in card[0]
    assert icon("circle-check") not in card[0]


def test_a_seed_is_written_as_it_is_typed(server: Server, admin: Browser) -> None:
    """It is a name, not an amount: who copies it pastes it into a form or a search."""
    with making(server) as make:
        image_set = make.finished_set(prompts="a fox\nan owl", seed=20260731)
        one, two = (image.id for image in image_set.images)
    pages = (f"/sets/{image_set.id}", f"/review?image={one}", f"/images/{one}/again", f"/compare?ids={one}&ids={two}")
    for path in pages:
        text = admin.get(path).text
        assert "20260731" in text, path
        assert re.search(r"20\W260\W731", text) is None, path


def test_who_may_not_approve_their_own_pictures_reads_that_another_reviewer_is_needed(
    server: Server, admin: Browser, sign_in: Callable[..., Browser]
) -> None:
    other = sign_in(Role.REVIEWER)
    with making(server) as make:
        image_set = make.finished_set(make.session.get_one(User, admin.user.id), prompts="a fox\nan owl")
        campaign_id = image_set.campaign_id
    page = f"/sets/{image_set.id}"

    def told(browser: Browser) -> tuple[bool, bool]:
        text = browser.get(page).text
        return "Review 2 new" in text, "2 need another reviewer" in text

    assert told(admin) == (False, True)
    assert told(other) == (True, False)
    with making(server) as make:
        reviews.set_four_eyes(make.session, make.session.get_one(User, admin.user.id), campaign_id, False)
    assert told(admin) == (True, False)
