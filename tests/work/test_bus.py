import asyncio
from dataclasses import replace

import pytest

from app.engine.events import ImageReady, Preview, Step, Unit, UnitImage
from app.sets.queries import topic as sets
from app.work.bus import REMEMBERED_CHANGES, REMEMBERED_TOPICS, Bus, RunningUnit


def unit(*image_ids: int, steps: int = 4) -> Unit:
    images = tuple(UnitImage(image_id, "a fox", image_id) for image_id in image_ids)
    return Unit(7, images, (), "noise", 1.0, 1.0, False, False, "", 64, 64, steps, 5.0, "euler")


def test_a_watcher_gets_the_union_of_what_it_missed() -> None:
    async def story() -> None:
        bus = Bus()
        seen = bus.cursor()
        bus.publish(sets(1), 10)
        bus.publish(sets(2), 20)
        bus.publish(sets(1), 11)
        first = await bus.changes(sets(1), seen)
        assert first.images == {10, 11}
        bus.publish(sets(1), 12)
        assert (await bus.changes(sets(1), first.cursor)).images == {12}

    asyncio.run(story())


def test_a_watcher_waits_for_its_own_set_only() -> None:
    async def story() -> None:
        bus = Bus()
        waiting = asyncio.create_task(bus.changes(sets(1), bus.cursor()))
        await asyncio.sleep(0)
        bus.publish(sets(2), 20)
        await asyncio.sleep(0.01)
        assert not waiting.done()
        bus.publish(sets(1), 10)
        assert (await waiting).images == {10}

    asyncio.run(story())


def test_a_watcher_who_missed_too_much_reloads_everything() -> None:
    async def story() -> None:
        bus = Bus()
        bus.publish(sets(1), 10)
        seen = bus.cursor()
        for _ in range(REMEMBERED_CHANGES + 1):
            bus.publish(sets(1), 11)
        assert (await bus.changes(sets(1), seen)).images is None
        assert (await bus.changes(sets(1), "")).images is None
        assert (await bus.changes(sets(1), "1a2b3c4d-5")).images is None, "a cursor of an earlier process"
        assert (await bus.changes(sets(1), "nonsense")).images is None

    asyncio.run(story())


def test_quiet_sets_are_forgotten_but_watched_ones_are_not() -> None:
    async def story() -> None:
        bus = Bus()
        bus.publish(sets(1), 10)
        bus.publish(sets(2), 20)
        seen = bus.cursor()
        waiting = asyncio.create_task(bus.changes(sets(1), seen))
        await asyncio.sleep(0)
        for other in range(3, REMEMBERED_TOPICS + 9):
            bus.publish(sets(other))
        assert (await bus.changes(sets(2), seen)).images is None
        bus.publish(sets(1), 11)
        assert (await asyncio.wait_for(waiting, 1)).images == {11}

    asyncio.run(story())


def test_closing_releases_every_watcher() -> None:
    async def story() -> None:
        bus = Bus()
        waiting = asyncio.create_task(bus.changes(sets(1), bus.cursor()))
        await asyncio.sleep(0)
        bus.close()
        assert (await asyncio.wait_for(waiting, 1)).images == frozenset()

    asyncio.run(story())


def test_only_the_latest_preview_is_kept_and_none_afterwards() -> None:
    async def story() -> None:
        bus = Bus()
        bus.begin(unit(10, 11), topic=sets(1))
        bus.step(Step(7, 1, 4))
        bus.preview(Preview(7, 10, b"one"))
        bus.step(Step(7, 2, 4))
        bus.preview(Preview(7, 10, b"two"))
        bus.preview(Preview(7, 11, b"three"))
        assert bus.previews == {10: (2, b"two"), 11: (2, b"three")}
        bus.kept(ImageReady(7, 10, b"png", 1.0))
        assert set(bus.previews) == {11}
        bus.end(7)
        assert not bus.previews
        assert not bus.running

    asyncio.run(story())


def test_the_fraction_is_full_only_at_the_end() -> None:
    running = RunningUnit(unit(10, steps=4), topic=sets(1))
    assert running.fraction == 0.0
    running.done(4, 4)
    assert running.fraction == 4 / 5, "the picture is still to be decoded"
    training = RunningUnit(unit(11), topic=sets(1), steps=300, class_pictures=(5, 10))
    assert training.fraction == 5 / 311, "before its first step"


def test_time_left_is_measured_after_the_first_step(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("app.work.bus.monotonic", lambda: now)
    running = RunningUnit(unit(10, steps=10), topic=sets(1), started=now)
    now += 20.0  # the reference is recorded first; that must not count for the other steps
    running.done(1, 10)
    assert running.seconds_left is None
    now += 0.5
    running.done(2, 10)
    assert running.seconds_left == 4.0
    now += 0.3
    assert running.seconds_left == pytest.approx(3.7), "time passes between two steps"
    now += 60.0
    assert running.seconds_left == 0.0
    assert running.elapsed == pytest.approx(80.8)


def test_time_left_of_resumed_work_is_measured_from_where_it_resumed(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("app.work.bus.monotonic", lambda: now)
    running = RunningUnit(unit(10, steps=10), topic=sets(1))
    running.done(7, 10)
    assert running.seconds_left is None
    now += 2.0
    running.done(8, 10)
    assert running.seconds_left == 4.0


def test_time_left_counts_the_batches_that_follow(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("app.work.bus.monotonic", lambda: now)
    drafts = replace(unit(10, 11, 12, 13, 14, steps=4), batch=2)
    running = RunningUnit(drafts, topic=sets(1))
    left = []
    for batch in range(3):
        for step in range(1, 5):
            now += 1.0
            running.done(step, 4)
            left.append(running.seconds_left)
            assert running.step == step, batch
    assert left == [None, 10.0, 9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0, 0.0]


def test_time_left_counts_the_steps_that_the_scheduler_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("app.work.bus.monotonic", lambda: now)
    running = RunningUnit(unit(10, steps=10), topic=sets(1))
    for step in range(1, 12):
        now += 1.0
        running.done(step, 19)  # like Heun, which evaluates twice at each step but the last
    assert running.seconds_left == 8.0
