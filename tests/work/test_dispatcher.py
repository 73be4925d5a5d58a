"""The queue end to end: a real database, real files, and an engine that paints."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app import slow, wiring
from app.database import Database
from app.engine.events import Work
from app.engine.trial import TRIAL_ID
from app.files import Files, Kind
from app.models import Act, AuditEvent, Image, ImageSet, State, Unit, User
from app.sets import queries as sets_queries
from app.sets import service as sets
from app.work import breaker, queue
from app.work.bus import Bus
from app.work.dispatcher import Claimed, Dispatcher
from app.work.notifier import Notifier
from tests.engine.painter import Painter
from tests.factory import Factory

PATIENCE = 60.0


class Room:
    """A running dispatcher, with helpers for tests."""

    def __init__(self, engine: Painter, database: Database, files: Files) -> None:
        self.engine, self.database, self.files = engine, database, files
        self.numbers = count(1)  # so that no two people of one test have the same address
        self.bus = Bus()
        self.dispatcher = Dispatcher(engine, database, files, self.bus)
        Notifier(database, self.dispatcher, wiring.NOTICES)

    @contextmanager
    def making(self) -> Iterator[Factory]:
        with slow.permitted(), self.database.write() as session:
            make = Factory(session, self.files)
            make._numbers = self.numbers
            yield make

    def image_set(self, prompts: str, user: User | None = None, **values: Any) -> int:
        with self.making() as make:
            user = user or make.user()
            return make.image_set(user, prompts=prompts, steps=3, **values).id

    def images(self, set_id: int) -> list[Image]:
        with self.database.read() as session:
            return list(session.get_one(ImageSet, set_id).images)

    def units(self, set_id: int) -> list[Unit]:
        with self.database.read() as session:
            return session.query(Unit).filter_by(set_id=set_id).order_by(Unit.id).all()

    def states(self, set_id: int) -> list[State]:
        return [State(image.state) for image in self.images(set_id)]

    async def until(self, what: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not what():  # noqa: ASYNC110  (it is the database that is asked)
                await asyncio.sleep(0.005)

    async def until_done(self, *set_ids: int) -> None:
        waiting = {State.QUEUED, State.GENERATING}
        await self.until(lambda: not any(waiting & {State(unit.state) for unit in self.units(id)} for id in set_ids))


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "BACK_OFF", (timedelta(seconds=0.05), timedelta(seconds=0.1)))
    monkeypatch.setattr(breaker, "FIRST_DELAY", 0.02)


@pytest.fixture
def run(database: Database, files: Files) -> Callable[..., None]:
    """Run a story alongside a dispatcher."""

    def run(story: Callable[[Room], Awaitable[None]], engine: Painter | None = None) -> None:
        room = Room(engine or Painter(), database, files)
        asyncio.run(tell(room, story))

    return run


async def tell(room: Room, story: Callable[[Room], Awaitable[None]]) -> None:
    async with at_work(room):
        await story(room)


@asynccontextmanager
async def at_work(room: Room) -> Any:
    await room.engine.start()
    task = asyncio.create_task(room.dispatcher.run())
    try:
        await room.until(lambda: room.dispatcher.recovered)
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_a_set_is_made(run: Callable[..., None]) -> None:
    async def story(room: Room) -> None:
        set_id = room.image_set("a fox\na teapot\nan owl", unit_size=2)
        await room.until_done(set_id)
        images = room.images(set_id)
        assert [image.state for image in images] == [State.FINISHED] * 3
        for image in images:
            assert image.sha256
            assert room.files.path(Kind.IMAGES, image.sha256).stat().st_size == image.bytes
            assert room.files.thumbnail(image.sha256, 320).exists()
        assert [[image.prompt for image in unit.images] for unit in room.engine.units] == [
            ["a fox", "a teapot"],
            ["an owl"],
        ]
        await room.until(lambda: not room.bus.running)
        assert not room.bus.previews

    run(story)


def test_one_bad_unit_does_not_block_the_queue(run: Callable[..., None]) -> None:
    async def story(room: Room) -> None:
        bad = room.image_set("fail")
        good = room.image_set("a fox")
        await room.until_done(bad, good)
        assert room.states(bad) == [State.FAILED]
        assert room.images(bad)[0].error == "The picture 'fail' cannot be made."
        assert room.units(bad)[0].tries == 1
        assert room.states(good) == [State.FINISHED]

    run(story)


@pytest.mark.parametrize(
    ("prompt", "sentence"),
    [
        ("stumble", "The picture 'stumble' cannot be made."),
        ("explode", "The engine failed. The details are in the server’s log."),
    ],
)
def test_transient_failures_are_tried_three_times(run: Callable[..., None], prompt: str, sentence: str) -> None:
    async def story(room: Room) -> None:
        set_id = room.image_set(f"a fox\n{prompt}")
        await room.until_done(set_id)
        assert room.units(set_id)[0].tries == 3
        fox, bad = room.images(set_id)
        assert fox.state == State.FINISHED
        assert (bad.state, bad.error) == (State.FAILED, sentence)
        made = [len(unit.images) for unit in room.engine.units if unit.id != TRIAL_ID]
        assert made == [2, 1, 1], "what is finished is not made again"

    run(story)


def test_a_unit_at_which_the_engine_dies_three_times_is_held_and_others_continue(run: Callable[..., None]) -> None:
    async def story(room: Room) -> None:
        bad, good = room.image_set("a fox\nvanish"), room.image_set("an owl")
        await room.until_done(bad, good)
        (unit,) = room.units(bad)
        assert (unit.state, unit.crashes, unit.tries) == (State.HELD, 3, 0)
        assert room.states(bad) == [State.FINISHED, State.HELD]
        assert [len(unit.images) for unit in room.engine.units if unit.id == 1] == [2, 1, 1]
        assert room.states(good) == [State.FINISHED]
        with room.database.read() as session:
            (event,) = session.scalars(select(AuditEvent).where(AuditEvent.act == Act.UNIT_HOLD))
            assert event.subject_id == bad

    run(story)


def test_others_are_served_while_a_failed_unit_waits_for_its_next_try(run: Callable[..., None]) -> None:
    async def story(room: Room) -> None:
        bad = room.image_set("stumble")
        await room.until(lambda: room.units(bad)[0].tries == 1)
        good = room.image_set("a fox")
        await room.until_done(bad, good)
        order = [unit.id for unit in room.engine.units]
        assert order == [1, 2, 1, 1, TRIAL_ID], "the engine is tried before a unit fails for good"
        assert room.states(bad) == [State.FAILED]

    run(story)


def test_when_the_engine_fails_at_everything_the_queue_pauses_and_nobody_is_charged(run: Callable[..., None]) -> None:
    async def story(room: Room) -> None:
        room.engine.broken = True
        sets = [room.image_set(f"thing {number}") for number in range(14)]
        seen = []
        room.dispatcher.breaker.listen(lambda: seen.append(room.dispatcher.breaker.pause))
        await room.until(lambda: room.dispatcher.breaker.pause is not None)
        pause = room.dispatcher.breaker.pause
        assert (pause.reason, pause.remedy) == (
            "the engine fails again and again (out of memory)",
            "when a trial picture succeeds",
        )
        tries = len(room.engine.units)
        await room.until(lambda: len(room.engine.units) > tries + 2)
        assert {unit.id for unit in room.engine.units[tries:]} == {TRIAL_ID}, "only it is tried during a pause"
        assert [room.units(each)[0].tries for each in sets] == [0] * 14
        room.engine.broken = False
        await room.until_done(*sets)
        assert [room.states(each) for each in sets] == [[State.FINISHED]] * 14
        assert [room.units(each)[0].tries for each in sets] == [0] * 14
        assert seen[1:] == [None]

    run(story)


def test_a_single_unit_does_not_fail_for_good_while_the_engine_is_at_fault(run: Callable[..., None]) -> None:
    async def story(room: Room) -> None:
        room.engine.broken = True
        only = room.image_set("a fox")
        await room.until(lambda: room.dispatcher.breaker.pause is not None)
        await room.until(lambda: room.states(only) == [State.QUEUED])
        room.engine.broken = False
        await room.until_done(only)
        assert room.states(only) == [State.FINISHED]

    run(story)


def test_a_set_that_always_fails_ends_although_the_engine_is_suspected(run: Callable[..., None]) -> None:
    async def story(room: Room) -> None:
        bad = room.image_set("stumble 1\nstumble 2\nstumble 3\nstumble 4", unit_size=1)
        await room.until_done(bad)
        assert room.states(bad) == [State.FAILED] * 4
        assert room.dispatcher.breaker.pause is None

    run(story)


def test_a_pause_while_the_engine_dies_at_everything_charges_nobody(run: Callable[..., None]) -> None:
    async def story(room: Room) -> None:
        room.engine.dying = True
        sets = [room.image_set(f"thing {number}") for number in range(5)]
        await room.until(lambda: room.dispatcher.breaker.pause is not None)
        await room.until(lambda: room.dispatcher.breaker.failed == {})
        room.engine.dying = False
        await room.until_done(*sets)
        assert [room.states(each) for each in sets] == [[State.FINISHED]] * 5
        assert [room.units(each)[0].crashes for each in sets] == [0] * 5

    run(story)


def test_an_engine_that_is_not_ready_charges_nobody(run: Callable[..., None]) -> None:
    async def story(room: Room) -> None:
        room.engine.refusals = 9
        set_id = room.image_set("a fox")
        await room.until_done(set_id)
        (unit,) = room.units(set_id)
        assert (unit.state, unit.crashes, unit.tries) == (State.FINISHED, 0, 0)

    run(story)


def test_a_database_that_refuses_for_a_while_loses_nothing(
    run: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    end_unit, refused = queue.end_unit, []

    def refuse_once(session: Session, unit_id: int) -> Unit:
        if not refused:
            refused.append(unit_id)
            raise OperationalError("UPDATE units", {}, Exception("database or disk is full"))
        return end_unit(session, unit_id)

    monkeypatch.setattr("app.work.dispatcher.AFTER_TROUBLE_SECONDS", 0.05)
    monkeypatch.setattr("app.work.queue.end_unit", refuse_once)

    async def story(room: Room) -> None:
        set_id = room.image_set("a fox")
        await room.until_done(set_id)
        assert refused
        assert room.units(set_id)[0].tries == 0
        assert len(room.engine.units) == 1

    run(story)


def test_cancel_stops_within_one_step(run: Callable[..., None]) -> None:
    async def story(room: Room) -> None:
        set_id = room.image_set("a fox\na teapot", unit_size=1)
        await room.until(lambda: len(room.engine.steps) == 1)
        with room.database.write() as session:
            owner = session.get_one(ImageSet, set_id).owner
            sets.cancel(session, owner, set_id)
        steps = len(room.engine.steps)
        await room.until(lambda: not room.engine.running)
        assert len(room.engine.steps) <= steps + 1
        assert room.states(set_id) == [State.CANCELLED] * 2
        await asyncio.sleep(0.1)
        assert len(room.engine.units) == 1, "the second unit is not begun"

    run(story, Painter(step_seconds=0.05))


def test_a_cancel_during_a_claim_is_not_lost(run: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(room: Room) -> None:
        engine_unit = room.dispatcher._work

        def cancelled_while_claimed(claimed: Claimed) -> Work:
            unit = engine_unit(claimed)
            with room.database.write() as session:
                owner = session.get_one(ImageSet, set_id).owner
                sets.cancel(session, owner, set_id)
            return unit

        monkeypatch.setattr(room.dispatcher, "_work", cancelled_while_claimed)
        set_id = room.image_set("a fox")
        await room.until(lambda: room.states(set_id) == [State.CANCELLED])
        await asyncio.sleep(0.1)
        assert len(room.engine.steps) <= 1
        assert room.states(set_id) == [State.CANCELLED]

    run(story, Painter(step_seconds=0.02))


def test_a_set_for_another_model_is_not_made_with_this_one(run: Callable[..., None]) -> None:
    async def story(room: Room) -> None:
        with room.making() as make:
            image_set = make.image_set(prompts="a fox")
            image_set.model = "stabilityai/stable-diffusion-xl-base-1.0"
        await room.until_done(image_set.id)
        assert room.states(image_set.id) == [State.FAILED]
        assert "the server now runs demo" in (room.images(image_set.id)[0].error or "")
        assert not room.engine.units

    run(story)


def test_watchers_hear_of_pictures_that_failed_before_starting(run: Callable[..., None]) -> None:
    async def story(room: Room) -> None:
        with room.making() as make:
            user = make.user()
            style = make.style(user)
            image_set = make.image_set(user, style, prompts="a fox\na teapot")
            make.right(style.versions[0].references[0].reference, valid_until="2020-01-01")
            set_id, ids = image_set.id, {image.id for image in image_set.images}
        cursor = room.bus.cursor()
        await room.until_done(set_id)
        seen: set[int] = set()
        async with asyncio.timeout(PATIENCE):
            while seen != ids:  # the unit's failure and its end may be two changes
                changes = await room.bus.changes(sets_queries.topic(set_id), cursor)
                seen, cursor = seen | (changes.images or set()), changes.cursor
        assert all("expired on" in (image.error or "") for image in room.images(set_id))

    run(story)


def test_one_impossible_picture_fails_alone_and_is_not_retried(run: Callable[..., None]) -> None:
    async def story(room: Room) -> None:
        set_id = room.image_set("a fox\nan overflow\na teapot")
        await room.until_done(set_id)
        assert room.states(set_id) == [State.FINISHED, State.FAILED, State.FINISHED]
        lost = room.images(set_id)[1]
        assert (lost.error, lost.sha256) == ("This picture could not be generated: the numbers overflowed.", None)
        assert len(room.engine.units) == 1
        with room.database.read() as session:
            (event,) = session.scalars(select(AuditEvent).where(AuditEvent.act == Act.UNIT_FAIL))
            assert (event.details["picture"], event.details["error"]) == (2, lost.error)
            assert session.get_one(Unit, lost.unit_id).state == State.FINISHED

    run(story)


def test_two_people_take_turns(run: Callable[..., None]) -> None:
    async def story(room: Room) -> None:
        with room.making() as make:
            one, two = make.user(name="One"), make.user(name="Two")
        first = room.image_set("\n".join(f"one {n}" for n in range(6)), one, unit_size=1)
        second = room.image_set("\n".join(f"two {n}" for n in range(6)), two, unit_size=1)
        await room.until_done(first, second)
        served = [unit.images[0].prompt.split()[0] for unit in room.engine.units]
        # The first set may have had its first two units before the second set arrived.
        turns = served[served.index("two") :]
        assert served.index("two") <= 2
        assert turns[:10] == ["two", "one"] * 5

    run(story, Painter(step_seconds=0.01))


def test_every_slot_is_used_and_no_unit_twice(run: Callable[..., None]) -> None:
    async def story(room: Room) -> None:
        set_id = room.image_set("\n".join(f"thing {n}" for n in range(12)), unit_size=1)
        await room.until(lambda: len(room.engine.running) == 3)
        room.engine.go_on()
        await room.until_done(set_id)
        ids = [unit.id for unit in room.engine.units]
        assert len(ids) == len(set(ids)) == 12

    run(story, Painter(slots=3, pause_at=0))


def test_an_orderly_end_requeues_what_was_running(database: Database, files: Files) -> None:
    room = Room(Painter(step_seconds=0.05), database, files)

    async def story(room: Room) -> None:
        set_id = room.image_set("a fox\na teapot", unit_size=1)
        await room.until(lambda: len(room.engine.steps) == 1)
        assert set_id == 1

    asyncio.run(tell(room, story))
    assert room.states(1) == [State.QUEUED] * 2
    assert [unit.tries for unit in room.units(1)] == [0, 0]
    assert not room.engine.running


def test_it_runs_only_when_woken(run: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.work.dispatcher.LOOK_AGAIN_SECONDS", 3600.0)

    async def story(room: Room) -> None:
        claims = 0
        claim = room.dispatcher._claim

        def counted() -> Claimed | None:
            nonlocal claims
            claims += 1
            return claim()

        room.dispatcher._claim = counted  # type: ignore[method-assign]
        await asyncio.sleep(0.5)
        assert claims == 0, "nothing was queued, so nothing was asked again"
        await room.until_done(room.image_set("a fox"))

    run(story)
