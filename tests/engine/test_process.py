"""What the server does about the engine's process, however that behaves; here it has no model."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import psutil
import pytest
from PIL import Image

from app.engine import process
from app.engine.base import Cancelled, CannotLoad, EngineState, ModelUnknown, NotReady, WorkerLost
from app.engine.events import Done, Step, Unit
from app.engine.local import LocalEngine
from app.errors import Busy
from app.settings import Settings

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "WORKER", "tests.engine.stand_in")
    monkeypatch.setattr(process, "FIRST_DELAY", 0.05)


@asynccontextmanager
async def started(tmp_path: Path, model: str = "works") -> AsyncIterator[LocalEngine]:
    engine = LocalEngine(Settings(data=tmp_path, model=model))
    await engine.start()
    try:
        yield engine
    finally:
        await engine.close()
        assert engine.state == EngineState.STOPPED
        assert children() == []


def children() -> list[psutil.Process]:
    return [each for each in psutil.Process().children() if "tests.engine.stand_in" in each.cmdline()]


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  (another thread changes it)
            await asyncio.sleep(0.01)


def test_what_is_killed_in_the_middle_is_lost_and_the_next_process_works(tmp_path: Path, unit: Unit) -> None:
    async def story() -> None:
        async with started(tmp_path) as engine:
            seen: list[EngineState] = []
            engine.listen(lambda: seen.append(engine.state))
            events = engine.run(unit)
            assert await anext(events) == Step(unit.id, 1, 8)
            assert [slot.busy for slot in await engine.slots()] == [True]
            children()[0].kill()
            with pytest.raises(WorkerLost):
                await anext(events)
            assert (engine.state, await engine.slots()) == (EngineState.RESTARTING, [])
            assert engine.model.name == "demo", "pages know the model all the time"
            with pytest.raises(NotReady):
                await anext(engine.run(unit))
            for ask in (lambda: engine.lora_phrase(b"lora", "a"), lambda: engine.depth_map(Image.new("RGB", (8, 8)))):
                with pytest.raises(Busy, match="The engine is restarting"):
                    await asyncio.to_thread(ask)
            await until(lambda: engine.state == EngineState.READY)
            assert [event async for event in engine.run(replace(unit, steps=1))][-1] == Done(unit.id)
            assert (engine.restarts, seen) == (1, [EngineState.RESTARTING, EngineState.READY])

    asyncio.run(story())


def test_a_cancelled_unit_ends_and_one_that_is_left_frees_its_slot(tmp_path: Path, unit: Unit) -> None:
    async def story() -> None:
        async with started(tmp_path) as engine:
            events = engine.run(unit)
            await anext(events)
            await engine.cancel(unit.id)
            with pytest.raises(Cancelled):
                await anext(events)
            await engine.cancel(99)
            left = engine.run(unit)
            await anext(left)
            await left.aclose()  # type: ignore[attr-defined]
            assert [slot.busy for slot in await engine.slots()] == [False]
            events = [event async for event in engine.run(replace(unit, steps=1))]
            assert events == [Step(unit.id, 1, 1), Done(unit.id)], "nothing of the unit that was left"

    asyncio.run(story())


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        ("is refused", "This model is no model."),
        ("dies", "The engine’s process ended as it started: it was ended by SIGABRT."),
    ],
)
def test_one_that_fails_at_its_start_is_a_sentence(tmp_path: Path, model: str, sentence: str) -> None:
    async def story() -> None:
        engine = LocalEngine(Settings(data=tmp_path, model=model))
        with pytest.raises(CannotLoad) as refused:
            await engine.start()
        assert str(refused.value) == sentence
        assert engine.state == EngineState.STOPPED
        with pytest.raises(ModelUnknown):
            _ = engine.model
        await engine.close()

    asyncio.run(story())


def test_one_that_is_lost_as_it_starts_is_started_again(tmp_path: Path) -> None:
    """Something else took the memory for a moment: no reason to end the site."""

    async def story() -> None:
        async with started(tmp_path, "dies once") as engine:
            assert (engine.state, engine.restarts) == (EngineState.READY, 1)

    asyncio.run(story())


def test_one_that_keeps_dying_is_restarted_less_and_less_often(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    times: list[float] = []

    async def story() -> None:
        async with started(tmp_path) as engine:
            spawn = process.processes.start

            def counted(*args: object, **named: object) -> object:
                times.append(time.monotonic())
                return spawn("tests.engine.nothing", *args[1:], **named)  # type: ignore[arg-type]

            monkeypatch.setattr(process.processes, "start", counted)
            monkeypatch.setattr(process, "FIRST_DELAY", 0.5)
            children()[0].kill()
            await until(lambda: len(times) >= 4)
            assert engine.state == EngineState.RESTARTING

    asyncio.run(story())
    pauses = [after - before for before, after in pairwise(times)]
    assert pauses[2] > pauses[1] > pauses[0]


def test_one_that_hangs_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unit: Unit) -> None:
    monkeypatch.setattr(process, "SILENT_SECONDS", 5)  # it must start in this time, on a busy machine

    async def story() -> None:
        async with started(tmp_path, "hangs") as engine:
            with pytest.raises(WorkerLost):
                await anext(engine.run(unit))

    asyncio.run(story())


def test_closing_does_not_wait_for_one_that_does_not_listen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "EXIT_SECONDS", 0.2)

    async def story() -> None:
        async with started(tmp_path, "deaf"):
            pass

    asyncio.run(story())


def test_it_ends_with_a_server_that_is_killed(tmp_path: Path) -> None:
    """Even if it does not read its socket."""
    code = f"""
import asyncio, sys
from pathlib import Path
from app.engine import process
from app.engine.local import LocalEngine
from app.settings import Settings
process.WORKER = "tests.engine.stand_in"
engine = LocalEngine(Settings(data=Path({str(tmp_path)!r}), model="deaf"))
asyncio.run(engine.start())
print(engine._process._process.pid, flush=True)
sys.stdin.read()
"""
    server = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, text=True
    )
    with server:
        assert server.stdout
        worker = psutil.Process(int(server.stdout.readline()))
        for end in (signal.SIGINT, signal.SIGTERM):
            os.kill(worker.pid, end)  # of the whole group; only the server obeys
        assert worker.is_running()
        server.kill()
    assert psutil.wait_procs([worker], timeout=10)[1] == []
