"""The engine of a single machine, with the demo model in a real process."""

import asyncio
import io
import os
import signal
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from PIL import Image

from app.engine.base import Cancelled, NoDepth
from app.engine.events import Done, ImageReady, Preview, Step, Unit
from app.engine.local import LocalEngine
from app.engine.remembered import recall
from app.errors import Invalid
from app.settings import Settings
from tests.demo import DEMO, SQUARE

Run = Callable[[Coroutine[Any, Any, Any]], Any]
NOWHERE = "/nowhere/depth"


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    """Runs coroutines on the one event loop of these tests."""
    with asyncio.Runner() as runner:
        yield runner.run


@pytest.fixture(scope="module")
def engine(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEngine]:
    seen: list[float] = []
    settings = Settings(data=tmp_path_factory.mktemp("engine"), device="cpu", depth_model=NOWHERE)
    engine = LocalEngine(settings, lambda what, fraction: seen.append(fraction))
    run(engine.start())
    assert seen == sorted(seen), "progress is shown as it loads"
    assert seen[-1] == 1.0
    yield engine
    run(engine.close())


def test_a_unit_comes_from_another_process(run: Run, engine: LocalEngine, unit: Unit) -> None:
    async def story() -> list[Any]:
        return [event async for event in engine.run(unit)]

    events = run(story())
    assert [e.step for e in events if isinstance(e, Step)] == list(range(1, 9))
    assert {e.image_id for e in events if isinstance(e, Preview)} == {7, 8}
    for event in (e for e in events if isinstance(e, ImageReady)):
        assert Image.open(io.BytesIO(event.png)).size == SQUARE
    assert events[-1] == Done(1)


def test_cancel_stops_within_one_step(run: Run, engine: LocalEngine, unit: Unit) -> None:
    seen: list[int] = []

    async def cancel_at_two() -> None:
        async for event in engine.run(replace(unit, steps=200)):
            if isinstance(event, Step):
                seen.append(event.step)
                if event.step == 2:
                    await engine.cancel(unit.id)

    with pytest.raises(Cancelled):
        run(cancel_at_two())
    assert len(seen) <= 5, "the step that ran, and those that were on their way"


def test_questions_are_answered_while_a_unit_runs(run: Run, engine: LocalEngine, unit: Unit) -> None:
    async def story() -> None:
        events = engine.run(replace(unit, steps=500))
        await anext(events)
        with pytest.raises(Invalid, match=r"mug\.safetensors is damaged or not a safetensors file") as refused:
            await asyncio.to_thread(engine.lora_phrase, b"junk", "mug.safetensors")
        assert refused.value.field == "file"
        with pytest.raises(NoDepth, match="The depth model /nowhere/depth cannot be loaded"):
            await asyncio.to_thread(engine.depth_map, Image.new("RGB", (8, 8)))
        assert (await engine.slots())[0].busy
        await events.aclose()  # type: ignore[attr-defined]

    run(story())
    assert list((engine._settings.data / "cache").glob("*.unfinished")) == [], "no upload stays behind"


def test_it_lets_pages_come_first_and_obeys_the_server_alone(engine: LocalEngine) -> None:
    assert engine._process._process
    worker = psutil.Process(engine._process._process.pid)
    threads = [int(task.name) for task in Path(f"/proc/{worker.pid}/task").iterdir()] or [worker.pid]
    wanted = psutil.Process().nice() + 10
    assert {os.getpriority(os.PRIO_PROCESS, thread) for thread in threads} == {wanted}, "each thread has its own"
    if Path("/proc/self/oom_score_adj").exists():
        mine, its = (int(Path(f"/proc/{each}/oom_score_adj").read_text()) for each in ("self", worker.pid))
        assert its > mine, "when memory runs out, the server stays"
    for end in (signal.SIGINT, signal.SIGTERM):
        os.kill(worker.pid, end)
    assert worker.is_running()
    assert engine.model.device == "cpu, float32"


def test_what_forms_need_of_a_model_is_remembered_for_the_next_start(
    engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = LocalEngine(engine._settings).model
    assert known == engine.model
    assert known.training == engine.model.training
    prompt = "a fox, watercolour, and something that it does not know"
    assert known.reader.read(prompt) == engine.model.reader.read(prompt)
    assert recall(engine._settings.model_copy(update={"model": "another"})) is None
    with monkeypatch.context() as newer:  # a version of Soroe whose bundled model makes larger pictures
        newer.setattr("app.engine.remembered.BUNDLED", DEMO / "vae")
        assert recall(engine._settings) is None
    file = engine._settings.data / "cache" / "model-facts.json"
    file.write_text(file.read_text()[:-9])
    assert recall(engine._settings) is None
