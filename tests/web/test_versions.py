"""Redoing a picture through its pages, while people watch the set."""

import re
import threading
from collections.abc import Callable

import pytest

from app.models import Image, Role, State, Style, now
from tests.engine.painter import Painter
from tests.web.server import Browser, Server, making
from tests.web.test_live import Message, messages
from tests.web.test_sets import PATIENCE, post_set, wait_for, wait_until


@pytest.fixture
def path(server: Server, designer: Browser) -> str:
    """A finished set of two pictures."""
    with making(server) as make:
        code = make.style().code
    path = post_set(designer, code, "a fox\na teapot", seed="7", strength="1")
    wait_for(server, path, State.FINISHED)
    return path


def rows(server: Server) -> list[tuple[int, int, str, int, float | None, bool]]:
    with server.resources.database.read() as session:
        images = session.query(Image).order_by(Image.position, Image.version).all()
        return [(each.position, each.version, each.prompt, each.seed, each.strength, each.shown) for each in images]


def form(**values: str) -> dict[str, str]:
    return {"prompt": "a red fox", "seed": "7", "strength": "0.5", "count": "1"} | values


def test_redone_and_back_to_the_form(server: Server, designer: Browser, engine: Painter, path: str) -> None:
    page = designer.get("/images/1/again?from=/review?image=1").text
    assert re.search(r'name="from" value="/review\?image=1"', page)
    assert re.search(r">a fox</textarea>", page)
    assert re.search(r'name="strength"[^>]*value="1"', page)
    assert re.search(r'href="/references/1".*Reference.*aria-label="Rights to .*: No rights recorded"', page, re.DOTALL)
    answer = designer.post("/images/1/again", data=form(**{"from": "/review?image=1"}))
    assert answer.headers["location"] == "/review?image=1"
    wait_for(server, path, State.FINISHED)
    assert rows(server) == [
        (1, 1, "a fox", 7, None, False),
        (1, 2, "a red fox", 7, 0.5, True),
        (2, 1, "a teapot", 8, None, True),
    ]
    assert (engine.units[-1].strength, engine.units[-1].images[0].seed) == (0.5, 7)
    page = designer.get(path).text
    assert "Version 2 is queued" in page
    assert "2 of 2</strong> finished" in page
    assert page.count('data-state="finished"') == 2
    assert '<span class="sr">Version </span><span aria-hidden="true">v</span>2' in page


def test_a_custom_seed_and_a_new_one(server: Server, designer: Browser, path: str) -> None:
    designer.post("/images/1/again", data=form(seed="own", own_seed="123"))
    designer.post("/images/1/again", data=form(seed="", own_seed="123", prompt="a fox\nat night"))
    (_, second, third, _) = rows(server)
    assert second[3] == 123
    assert third[3] not in (7, 123)
    assert third[2] == "a fox at night"


def test_a_wrong_form_keeps_what_was_typed(server: Server, designer: Browser, path: str) -> None:
    answer = designer.post("/images/1/again", data=form(seed="own", own_seed="many", strength="9"))
    assert answer.status_code == 422
    for name in ("seed", "strength"):
        assert f'id="{name}-error"' in answer.text
    assert ">a red fox</textarea>" in answer.text
    assert 'value="many"' in answer.text
    assert len(rows(server)) == 2


@pytest.mark.parametrize("back", ["https://elsewhere.example", "//elsewhere.example", "/\\elsewhere"])
def test_it_only_redirects_to_this_server(designer: Browser, path: str, back: str) -> None:
    assert designer.post("/images/1/again", data=form(**{"from": back})).headers["location"] == "/"


def test_others_may_not(sign_in: Callable[..., Browser], path: str) -> None:
    other = sign_in(Role.REVIEWER)
    for answer in (
        other.get("/images/1/again"),
        other.post("/images/1/again", data=form()),
        other.post("/images/1/discard"),
    ):
        assert answer.status_code == 403
    assert "data-redo" not in other.get(path).text
    assert sign_in(Role.MANAGER).post("/images/1/again", data=form()).headers["location"] == path


def test_a_locked_set_says_so(server: Server, designer: Browser, path: str) -> None:
    with server.resources.database.write() as session:
        session.get_one(Image, 1).image_set.locked_at = now()
    page = designer.get("/images/1/again").text
    assert "locked" in page
    assert "<textarea" not in page
    assert designer.post("/images/1/again", data=form()).headers["location"] == path
    assert "Ask a manager to unlock it" in designer.get(path).text
    assert "data-redo" not in designer.get(path).text


class TestSlowly:
    @pytest.fixture
    def engine(self) -> Painter:
        return Painter()

    def test_watchers_of_a_finished_set_see_it_arrive(
        self, sign_in: Callable[..., Browser], server: Server, designer: Browser, engine: Painter, path: str
    ) -> None:
        viewer = sign_in(Role.REVIEWER)
        after = re.search(r"events\?after=([\w-]+)", viewer.get(path).text)
        assert after
        engine.pause_at = (before := len(engine.steps)) + 1
        with server.resources.database.read() as session:
            code = session.query(Style).one().code
        post_set(designer, code, "a whale", steps="6")  # made first, so that the new versions wait
        seen: list[Message] = []
        watching = threading.Thread(target=lambda: seen.extend(messages(viewer, f"{path}/events?after={after[1]}")))
        watching.start()
        designer.post("/images/1/again", data=form(count="2"))
        wait_until(lambda: any('data-newer="queued"' in message.data for message in seen))
        engine.pause_at = before + 6 + 2
        wait_until(lambda: any("/preview?step=" in message.data for message in seen))
        engine.go_on()
        watching.join(PATIENCE)
        html = [message.data for message in seen]
        assert seen[-1].event == "done"
        assert all('id="place-1"' in each and 'id="place-2"' not in each for each in html[:-1])
        assert any('data-newer="queued"' in each for each in html)
        assert any('data-newer="generating"' in each and "/images/1/thumb" in each for each in html)
        assert any(re.search(r"/images/\d/preview\?step=", each) for each in html)
        assert all("2 of 2</strong> finished" in each for each in html[:-1])
        assert "/images/5/thumb" in html[-2]
        assert "data-newer" not in html[-2]

    def test_a_failed_version_is_retried_or_cancelled(
        self, server: Server, designer: Browser, engine: Painter, path: str
    ) -> None:
        designer.post("/images/1/again", data=form(prompt="fail", seed=""))
        wait_for(server, path, State.FINISHED, State.FAILED)
        page = designer.get(path).text
        assert 'data-newer="failed"' in page
        assert "The picture &#39;fail&#39; cannot be made." in page
        assert "1 new version failed" in page
        assert "Retry 1" in page
        assert designer.post("/images/3/retry").headers["location"] == path
        wait_until(lambda: len(engine.units) == 3)
        wait_for(server, path, State.FINISHED, State.FAILED)
        assert designer.post("/images/3/discard").headers["location"] == path
        page = designer.get(path).text
        assert "data-newer" not in page
        assert "Retry 1" not in page
        assert designer.post("/images/3/discard").headers["location"] == path
        assert "Only a version that is not finished can be cancelled" in designer.get(path).text

    def test_cancelled_versions_stop(self, server: Server, designer: Browser, engine: Painter, path: str) -> None:
        engine.pause_at = len(engine.steps) + 1
        designer.post("/images/1/again", data=form())
        wait_until(lambda: bool(engine.running))
        designer.post("/images/3/discard")
        wait_until(lambda: not engine.running)
        wait_for(server, path, State.FINISHED, State.CANCELLED)
        assert "2 of 2</strong> finished" in designer.get(path).text

    def test_the_tile_of_a_place_whose_pictures_were_deleted_goes(
        self, server: Server, designer: Browser, path: str
    ) -> None:
        with server.resources.database.write() as session:
            image = session.get_one(Image, 1)
            image.deleted_at, image.shown = now(), False
        first = next(iter(messages(designer, f"{path}/events")))
        assert '<li id="place-1" hidden hx-swap-oob="outerMorph"></li>' in first.data
        assert 'id="place-2"' in first.data
        assert "1 of 1</strong> finished" in first.data
