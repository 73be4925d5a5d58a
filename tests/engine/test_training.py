"""Trainings end to end: through the queue with an engine that paints, and through the engine with the demo model."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from threading import Event as Flag
from typing import Any

import pytest

from app.database import Database
from app.engine.events import (
    ClassPicture,
    Done,
    Event,
    Failed,
    Step,
    Trained,
    Training,
    Unit,
    UnitImage,
    UnitReference,
    UnitSubject,
)
from app.engine.runner import Runner
from app.files import Files
from app.models import State, Subject
from app.models import Unit as UnitRow
from app.scheduling import service as scheduling
from app.settings import Settings
from app.style_aligned import ModelError
from app.subjects import service
from app.subjects.training import topic
from app.work.dispatcher import LOST
from app.work.queue import MOST_CRASHES
from tests.demo import SIDE
from tests.engine.conftest import Made
from tests.engine.painter import Painter
from tests.style_aligned.drawings import drawing
from tests.work.test_dispatcher import Room, at_work, impatient

__all__ = ["impatient"]  # a fixture: failed work is tried again at once

WAITING = {State.QUEUED, State.GENERATING}


@pytest.fixture
def run(database: Database, files: Files) -> Callable[..., None]:
    """Run a story alongside a dispatcher."""

    def run(story: Callable[[Room], Awaitable[None]], engine: Painter | None = None) -> None:
        async def tell() -> None:
            room = Room(engine or Painter(), database, files)
            async with at_work(room):
                await story(room)

        asyncio.run(tell())

    return run


def ask(room: Room, **values: Any) -> int:
    with room.making() as make:
        return make.subject(**values).id


def subject(room: Room, subject_id: int) -> Subject:
    with room.database.read() as session:
        found = session.get_one(Subject, subject_id)
        _ = found.samples  # read while the session is open
        return found


def state(room: Room, subject_id: int) -> State:
    return State(subject(room, subject_id).state)


# In the queue


def test_a_subject_is_trained(run: Callable[..., None]) -> None:
    async def story(room: Room) -> None:
        subject_id = ask(room, steps=6)
        await room.until(lambda: state(room, subject_id) == State.FINISHED)
        done = subject(room, subject_id)
        assert (done.step, done.phrase) == (6, "sks mug")
        assert room.files.lora(str(done.sha256)).read_bytes() == b"lora sks mug"
        assert [sample.step for sample in done.samples] == [3]
        await room.until(lambda: not room.bus.running)

    run(story)


def test_watchers_hear_of_class_pictures_steps_and_the_end(run: Callable[..., None]) -> None:
    async def story(room: Room) -> None:
        seen: list[tuple[tuple[int, int], int, float | None]] = []
        cursor = room.bus.cursor()
        subject_id = ask(room, steps=4)
        while state(room, subject_id) in WAITING:
            cursor = (await room.bus.changes(topic(subject_id), cursor)).cursor
            for running in room.bus.running.values():
                seen.append((running.class_pictures, running.step, running.loss))
        assert ((2, 2), 1, 1.0) in seen

    run(story, Painter(step_seconds=0.05))


def test_a_training_between_sets_breaks_neither(run: Callable[..., None]) -> None:
    async def story(room: Room) -> None:
        first = room.image_set("a fox")
        subject_id = ask(room)
        last = room.image_set("an owl")
        await room.until_done(first, last)
        await room.until(lambda: state(room, subject_id) == State.FINISHED)
        assert room.states(first) == room.states(last) == [State.FINISHED]

    run(story)


@pytest.mark.parametrize(
    ("class_words", "ends", "sentence", "tries"),
    [("fail", State.FAILED, "The picture 'fail' cannot be made.", 1), ("vanish", State.HELD, LOST, MOST_CRASHES)],
)
def test_failures_give_a_sentence(
    run: Callable[..., None], class_words: str, ends: State, sentence: str, tries: int
) -> None:
    async def story(room: Room) -> None:
        subject_id = ask(room, class_words=class_words)
        await room.until(lambda: state(room, subject_id) == ends)
        assert subject(room, subject_id).error == sentence
        assert len(room.engine.trainings) == tries

    run(story)


def test_cancel_stops_within_a_step_and_frees_the_slot(run: Callable[..., None]) -> None:
    async def story(room: Room) -> None:
        subject_id = ask(room, steps=500)
        await room.until(lambda: len(room.engine.steps) >= 2)
        with room.database.write() as session:
            row = session.get_one(Subject, subject_id)
            service.cancel(session, row.owner, subject_id)
        before = len(room.engine.steps)
        await room.until_done(room.image_set("a fox"))
        trained = [step for step in room.engine.steps if step.steps == 500]
        assert len(trained) <= before + 2
        assert state(room, subject_id) == State.CANCELLED

    run(story, Painter(step_seconds=0.01))


def test_a_paused_training_stops_waits_and_resumes_uncharged(run: Callable[..., None]) -> None:
    async def story(room: Room) -> None:
        subject_id = ask(room, steps=8)
        await room.until(lambda: len(room.engine.steps) == 2)

        def act(do: Callable[..., None]) -> None:
            with room.database.write() as session:
                do(session, session.get_one(Subject, subject_id).owner, topic(subject_id))

        act(scheduling.pause)
        assert state(room, subject_id) == State.QUEUED
        await room.until(lambda: not room.engine.running)
        assert len(room.engine.steps) == 2
        room.engine.pause_at = 100
        await room.until_done(room.image_set("a fox"))
        assert state(room, subject_id) == State.QUEUED, "others are served, and it is not"
        act(scheduling.resume)
        act(scheduling.pause)
        act(scheduling.resume)
        await room.until(lambda: state(room, subject_id) == State.FINISHED)
        with room.database.read() as session:
            (unit,) = session.query(UnitRow).filter_by(subject_id=subject_id)
            assert (unit.tries, unit.crashes, unit.paused_at) == (0, 0, None)

    run(story, Painter(pause_at=2))


def test_a_shutdown_gives_the_training_back(database: Database, files: Files) -> None:
    async def story() -> None:
        room = Room(Painter(step_seconds=0.01), database, files)
        async with at_work(room):
            subject_id = ask(room, steps=500)
            await room.until(lambda: len(room.engine.steps) >= 2)
        assert state(room, subject_id) == State.QUEUED
        with database.read() as session:
            assert [unit.tries for unit in session.query(UnitRow)] == [0]

    asyncio.run(story())


# In the engine, with the demo model


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Runner:
    runner = Runner.load(Settings(data=tmp_path_factory.mktemp("runner"), device="cpu"))
    runner.studio.defaults = replace(runner.studio.defaults, steps=4)  # of the pictures of a class
    return runner


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Training:
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(3):
        drawing(number).save(folder / f"{number}.png")
    return Training(5, 1, tuple(sorted(folder.glob("*.png"))), "sks toy", "toy", 4, 2, 1e-3, False)


def test_a_cancelled_training_resumes_and_its_subject_draws(
    runner: Runner, made: Made, training: Training, tmp_path: Path
) -> None:
    seen: list[Event] = []

    stop = Flag()
    for event in runner.run(training, stop):
        seen.append(event)
        if isinstance(event, Step) and event.step == 2:
            stop.set()
    assert any(isinstance(event, ClassPicture) for event in seen)
    done = [event.step for event in seen if isinstance(event, Step)]
    assert done == [1, 2]

    rest = made(training)
    assert not any(isinstance(event, ClassPicture) for event in rest)
    steps = [event for event in rest if isinstance(event, Step)]
    assert [step.step for step in steps] == [3, 4]
    assert all(step.loss and step.loss > 0 for step in steps)
    assert rest[-1] == Done(5)
    (trained,) = (event for event in rest if isinstance(event, Trained))

    file = tmp_path / "toy.safetensors"
    file.write_bytes(trained.safetensors)
    assert runner.lora_phrase(file, "toy.safetensors") == "sks toy"
    how = {"negative_prompt": "", "width": SIDE, "height": SIDE, "steps": 2, "guidance": 4.0, "scheduler": "ddim"}
    reference = (UnitReference(training.pictures[0]),)
    unit = Unit(6, (UnitImage(1, "a sks toy", 1),), reference, "noise", 1.0, 1.0, True, True, **how)
    plain = made(unit)
    adapted = Unit(**{**unit.__dict__, "subjects": (UnitSubject(file, 1.5),)})
    shown = made(adapted)
    assert plain[-1] == shown[-1] == Done(6)
    assert plain[-2] != shown[-2]


def test_a_file_that_does_not_fit_is_one_sentence(runner: Runner, made: Made, tmp_path: Path) -> None:
    junk = tmp_path / "junk"
    junk.write_bytes(b"junk")
    with pytest.raises(ModelError, match=r"a\.safetensors is damaged or not a safetensors file"):
        runner.lora_phrase(junk, "a.safetensors")
    how = {"negative_prompt": "", "width": SIDE, "height": SIDE, "steps": 2, "guidance": 4.0, "scheduler": "ddim"}
    unit = Unit(7, (UnitImage(1, "a fox", 1),), (), "noise", 1.0, 1.0, True, True, **how)
    missing = Unit(**{**unit.__dict__, "subjects": (UnitSubject(tmp_path / "gone.safetensors"),)})
    (failed,) = made(missing)
    assert isinstance(failed, Failed)
    assert failed.message.startswith("There is no LoRA file at")


def test_the_model_says_what_trainings_suit_it(runner: Runner) -> None:
    facts = runner.facts.training
    assert (facts.words[0], facts.fewest_pictures, facts.most_pictures) == ("sks", 3, 20)
    assert facts.text_encoders
