"""The events of a set, read from a real socket as a browser reads them."""

import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from app.accounts import service as accounts
from app.engine.events import Step, Unit, UnitImage
from app.models import Campaign, Image, ImageSet, State
from app.sets.queries import get, topic
from app.web import live
from app.work.bus import Bus
from tests.engine.painter import Painter
from tests.web.server import Browser, Server, making
from tests.web.test_sets import PATIENCE, post_set, wait_for, wait_until


@dataclass
class Message:
    data: str = ""
    event: str = ""
    id: str = ""


def messages(browser: Browser, path: str, **headers: str) -> Iterator[Message]:
    """The messages of an event stream, until it ends."""
    with browser.stream("GET", path, headers={"accept": "text/event-stream"} | headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        message = Message()
        for line in answer.iter_lines():
            name, _, value = line.partition(": ")
            if not line:
                if message.id or message.event:
                    yield message
                message = Message()
            elif name == "data":
                message.data += value + "\n"
            elif name in ("event", "id"):
                setattr(message, name, value)


@pytest.fixture
def code(server: Server) -> str:
    with making(server) as make:
        return make.style().code


def test_a_set_fills_in_while_people_watch(designer: Browser, server: Server, engine: Painter, code: str) -> None:
    engine.step_seconds, engine.pause_at = 0.1, 2
    path = post_set(designer, code, "a fox\na teapot", steps="6")
    wait_until(lambda: len(server.resources.bus.previews) == 2)
    stream = messages(designer, f"{path}/events")
    seen = [next(stream)]
    engine.go_on()
    seen += stream
    assert seen[-1].event == "done"
    html = [message.data for message in seen[:-1]]
    assert all(re.search(r'id="progress"[^>]* hx-swap-oob=', message) for message in html)
    assert 'data-state="generating"' in "".join(html)
    assert "/preview?step=" in "".join(html)
    assert html[-1].count('data-state="finished"') >= 1
    assert "2 of 2" in html[-1]
    assert all('hx-swap-oob="outerMorph"' in message for message in html)
    assert all(message.id for message in seen)
    assert len(seen) < 20, "steps come together, not one message each"


def test_the_first_message_is_the_present_state(designer: Browser, server: Server, code: str) -> None:
    path = post_set(designer, code, "a fox\na teapot", steps="1")
    wait_for(server, path, State.FINISHED)
    seen = list(messages(designer, f"{path}/events"))
    assert [message.event for message in seen] == ["", "done"]
    assert seen[0].data.count('data-state="finished"') == 2


def test_a_page_that_connects_gets_only_what_changed_since_it_was_rendered(
    designer: Browser, server: Server, engine: Painter, code: str
) -> None:
    engine.pause_at = 7
    path = post_set(designer, code, "\n".join(f"thing {n}" for n in range(8)), steps="5")
    wait_until(lambda: len(engine.steps) == 7)  # the second unit of two
    cursor = server.resources.bus.cursor()
    engine.pause_at = 8
    first = next(iter(messages(designer, f"{path}/events?after={cursor}")))
    for number in (1, 2, 3, 4):
        assert f'id="place-{number}"' not in first.data
    assert any(f'id="place-{number}"' in first.data for number in (5, 6, 7, 8))


def test_a_reconnect_replays_what_was_missed_and_nothing_else(
    designer: Browser, server: Server, engine: Painter, code: str
) -> None:
    engine.pause_at = 7
    path = post_set(designer, code, "\n".join(f"thing {n}" for n in range(8)), steps="5")
    wait_until(lambda: len(engine.steps) == 7)
    stream = messages(designer, f"{path}/events")
    last = next(stream)
    stream.close()
    engine.go_on()
    wait_for(server, path, State.FINISHED)
    replayed = list(messages(designer, f"{path}/events", **{"last-event-id": last.id}))
    assert [message.event for message in replayed] == ["", "done"]
    for number in (5, 6, 7, 8):
        assert f'id="place-{number}"' in replayed[0].data
    assert 'id="place-1"' not in replayed[0].data
    assert "8 of 8" in replayed[0].data


def test_an_id_of_an_earlier_process_brings_everything(designer: Browser, server: Server, code: str) -> None:
    path = post_set(designer, code, "a fox\na teapot", steps="1")
    wait_for(server, path, State.FINISHED)
    replayed = list(messages(designer, f"{path}/events", **{"last-event-id": "0badcafe-17"}))
    assert replayed[0].data.count('id="place-') == 2


def test_a_quiet_stream_is_kept_open_by_comments(
    designer: Browser, engine: Painter, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastapi.routing._PING_INTERVAL", 0.05)
    engine.pause_at = 1
    path = post_set(designer, code, "a fox", steps="2")
    with designer.stream("GET", f"{path}/events") as answer:
        assert any(line == ": ping" for line in answer.iter_lines())


def test_a_cancel_reaches_watchers(designer: Browser, engine: Painter, code: str) -> None:
    engine.pause_at = 2
    path = post_set(designer, code, "\n".join(f"thing {n}" for n in range(8)), steps="20")
    seen: list[Message] = []
    watching = threading.Thread(target=lambda: seen.extend(messages(designer, f"{path}/events")))
    watching.start()
    wait_until(lambda: len(engine.steps) == 2 and bool(seen))
    designer.post(f"{path}/cancel")
    watching.join(PATIENCE)
    assert seen[-1].event == "done"
    assert seen[-2].data.count('data-state="cancelled"') == 8


def test_signing_out_ends_the_stream(designer: Browser, server: Server, engine: Painter, code: str) -> None:
    engine.step_seconds, engine.pause_at = 0.1, 2
    path = post_set(designer, code, "a fox", steps="50")
    stream = messages(designer, f"{path}/events")
    next(stream)
    with server.resources.database.write() as session:
        accounts.sign_out(session, designer.cookies["soroe"])
    engine.go_on()
    assert all(message.event != "done" for message in stream), "it ended, and not because the set was done"


def test_nothing_to_watch(designer: Browser, anonymous: Browser, server: Server, code: str) -> None:
    assert designer.get("/sets/99/events").status_code == 404
    assert anonymous.get("/sets/1/events", headers={"hx-request": "true"}).headers["hx-redirect"] == "/login?next=/"


def test_a_slow_watcher_delays_nobody(designer: Browser, server: Server, code: str) -> None:
    server.resources.engine.step_seconds = 0.01
    path = post_set(designer, code, "a fox", steps="100")
    with designer.stream("GET", f"{path}/events") as answer:
        wait_for(server, path, State.FINISHED)  # without reading a line of it
        assert "event: done" in list(answer.iter_lines())


class TestTimeLeft:
    def left(self, server: Server, set_id: int) -> float | None:
        with server.resources.database.read() as session:
            owner = session.get_one(ImageSet, set_id).owner
            return live.view(session, server.resources, owner, get(session, owner, set_id)).now.seconds_left

    def test_it_is_measured(self, designer: Browser, server: Server, engine: Painter, code: str) -> None:
        engine.step_seconds, engine.pause_at = 0.1, 0
        path = post_set(designer, code, "\n".join(f"thing {n}" for n in range(8)), steps="10")
        set_id = int(path.rsplit("/", 1)[1])
        assert self.left(server, set_id) is None, "nothing was measured yet"
        engine.pause_at = 4
        wait_until(lambda: self.left(server, set_id) is not None)
        left = self.left(server, set_id)
        assert left is not None
        assert left > 0.5, "16 steps of at least a tenth of a second"
        engine.go_on()
        wait_for(server, path, State.FINISHED)
        assert self.left(server, set_id) is None

    def test_other_peoples_turns_count(
        self, sign_in: Callable[..., Browser], server: Server, engine: Painter, code: str
    ) -> None:
        engine.step_seconds, engine.pause_at = 0.1, 6
        one, two = sign_in(name="One"), sign_in(name="Two")
        path = post_set(one, code, "\n".join(f"thing {n}" for n in range(12)), steps="5")
        wait_until(lambda: self.left(server, 1) is not None)
        alone = self.left(server, 1)
        post_set(two, code, "\n".join(f"other {n}" for n in range(8)), steps="5")
        together = self.left(server, 1)
        assert path
        assert alone is not None
        assert together is not None
        assert together > alone


def test_a_tile_counts_the_steps_that_the_scheduler_takes() -> None:
    bus = Bus()
    unit = Unit(7, (UnitImage(10, "a fox", 1),), (), "noise", 1.0, 1.0, False, False, "", 64, 64, 20, 5.0, "heun")
    image_set = ImageSet(id=1, width=64, height=64, steps=20)
    image = Image(id=10, unit_id=7, position=1, prompt="a fox", seed=1, state=State.GENERATING)
    image.campaign = Campaign(approvals_needed=1)
    bus.begin(unit, topic=topic(1))
    assert live.tile(image, image_set, bus, can_retry=False).steps == 20
    bus.step(Step(7, 30, 39))
    tile = live.tile(image, image_set, bus, can_retry=False)
    assert (tile.step, tile.steps) == (30, 39)


def test_watching_costs_no_connection(designer: Browser, server: Server, code: str) -> None:
    path = post_set(designer, code, "a fox", steps="30")
    pool = server.resources.database.engine.pool
    streams = [messages(designer, f"{path}/events") for _ in range(5)]
    for stream in streams:
        next(stream)
    wait_until(lambda: pool.checkedout() <= 2)
    for stream in streams:
        stream.close()
