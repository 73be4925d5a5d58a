"""The queue on a disk that fills up: nothing is lost, nothing is tried in vain, and it resumes by itself."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from app.database import Database
from app.files import Files
from app.models import State, Subject
from app.settings import Settings
from app.storage import Trouble
from tests.disks import Disk, on_small_disk
from tests.engine.painter import Painter
from tests.work.test_dispatcher import Room, at_work

Story = Callable[[Room, Disk], Awaitable[None]]


@pytest.fixture
def run_on_disk(tmp_path: Path, migrated: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Story, Painter], None]:
    """Run a story with a room whose data are on a small disk."""
    monkeypatch.setattr("app.work.dispatcher.SAVE_AGAIN_SECONDS", 0.05)

    def on_disk(story: Story, engine: Painter) -> None:
        def alone(disk: Disk) -> None:
            shutil.copy(migrated, disk.root)
            database = Database(Settings(data=disk.root))
            room = Room(engine, database, Files(disk.root / "files", database.storage))
            asyncio.run(story(room, disk))
            database.close()

        on_small_disk(tmp_path / "disk", alone)

    return on_disk


def test_finished_pictures_wait_for_space_and_nothing_else_begins(
    run_on_disk: Callable[[Story, Painter], None],
) -> None:
    async def story(room: Room, disk: Disk) -> None:
        async with at_work(room):
            storage = room.database.storage
            reasons = []
            storage.listen(lambda before, now: reasons.append(now and now.trouble))
            first = room.image_set("a fox\na teapot", unit_size=2)
            second = room.image_set("an owl")
            await room.until(lambda: len(room.engine.steps) == 2)
            disk.fill()
            room.engine.pause_at = 100
            await room.until(lambda: storage.pause is not None)
            await asyncio.sleep(0.3)
            assert room.states(first) == [State.GENERATING] * 2
            assert room.states(second) == [State.QUEUED]
            disk.free()
            await room.until(lambda: State.GENERATING not in room.states(first))
            storage.check()
            await room.until_done(first, second)
            assert room.states(first) + room.states(second) == [State.FINISHED] * 3
            assert [len(unit.images) for unit in room.engine.units] == [2, 1], "nothing is made twice"
            assert reasons == [Trouble.FULL, None]

    run_on_disk(story, Painter(pause_at=2))


def test_a_training_keeps_its_result_until_there_is_space(run_on_disk: Callable[[Story, Painter], None]) -> None:
    async def story(room: Room, disk: Disk) -> None:
        async with at_work(room):
            with room.making() as make:
                subject_id = make.subject().id
            await room.until(lambda: len(room.engine.steps) == 2)
            disk.fill()
            room.engine.pause_at = 100
            await room.until(lambda: room.database.storage.pause is not None)
            disk.free()
            await room.until(lambda: subject_of(room, subject_id).state == State.FINISHED)
            assert len(room.engine.trainings) == 1

    run_on_disk(story, Painter(pause_at=2))


def subject_of(room: Room, subject_id: int) -> Subject:
    with room.database.read() as session:
        return session.get_one(Subject, subject_id)


def test_a_server_that_stops_during_a_pause_makes_the_unit_again(
    run_on_disk: Callable[[Story, Painter], None],
) -> None:
    async def story(room: Room, disk: Disk) -> None:
        storage = room.database.storage
        set_id = room.image_set("a fox")
        async with at_work(room):
            await room.until(lambda: len(room.engine.steps) == 2)
            disk.fill()
            room.engine.pause_at = 100
            await room.until(lambda: storage.pause is not None)
        assert room.states(set_id) == [State.GENERATING]
        again = Room(Painter(), room.database, room.files)
        await again.engine.start()
        server = asyncio.create_task(again.dispatcher.run())
        await asyncio.sleep(0.2)
        assert storage.check(), "it still waits, and claims nothing"
        disk.free()
        storage.check()
        await again.until_done(set_id)
        assert again.states(set_id) == [State.FINISHED]
        server.cancel()

    run_on_disk(story, Painter(pause_at=2))
