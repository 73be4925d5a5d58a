"""The engine of one machine, with the real demo model on its one thread."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from app.engine.base import Cancelled
from app.engine.events import Crop, Done, Event, Failed, ImageReady, Preview, Step, Unit, UnitImage, UnitReference
from app.engine.local import LocalEngine
from app.settings import Settings

Run = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    """Runs coroutines on the one event loop of these tests."""
    with asyncio.Runner() as runner:
        yield runner.run


@pytest.fixture(scope="module")
def engine(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEngine]:
    engine = LocalEngine(Settings(_env_file=None, data=tmp_path_factory.mktemp("engine"), device="cpu"))
    run(engine.start())
    yield engine
    run(engine.close())


@pytest.fixture
def unit(tmp_path: Path) -> Unit:
    path = tmp_path / "reference.png"
    picture = Image.new("RGB", (200, 100), "crimson")
    picture.paste("navy", (100, 0, 200, 100))
    picture.save(path)
    images = (UnitImage(7, "a fox", 1), UnitImage(8, "a teapot", 2))
    reference = UnitReference(path, Crop(0.5, 0.0, 0.5, 1.0))
    how = {"negative_prompt": "", "width": 128, "height": 128, "steps": 8, "guidance": 4.0, "scheduler": "ddim"}
    return Unit(1, images, (reference,), "noise", 1.0, 1.0, True, True, **how)


async def collect(events: AsyncIterator[Event]) -> list[Event]:
    return [event async for event in events]


def test_a_unit_from_first_step_to_done(run: Run, engine: LocalEngine, unit: Unit) -> None:
    events = run(collect(engine.run(unit)))
    assert [e.step for e in events if isinstance(e, Step)] == list(range(1, 9))
    assert {e.image_id for e in events if isinstance(e, Preview)} == {7, 8}
    ready = [e for e in events if isinstance(e, ImageReady)]
    assert [e.image_id for e in ready] == [7, 8]
    assert all(e.seconds > 0 for e in ready)
    assert events[-1] == Done(1)
    blue, red = 0.0, 0.0
    for event in ready:
        picture = Image.open(io.BytesIO(event.png))
        assert (picture.format, picture.size) == ("PNG", (128, 128))
        red, blue = (
            red + sum(picture.getchannel("R").histogram()[180:]),
            blue + sum(picture.getchannel("B").histogram()[90:]),
        )
    assert blue > red, "only the navy half of the reference was to be used"


def test_the_same_unit_again_is_the_same_pictures(run: Run, engine: LocalEngine, unit: Unit) -> None:
    first, second = ([e.png for e in run(collect(engine.run(unit))) if isinstance(e, ImageReady)] for _ in range(2))
    assert first == second


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
    assert len(seen) <= 4, "the step that ran, and one that was on its way"
    assert run(engine.slots())[0].busy is False


def test_leaving_early_frees_the_slot(run: Run, engine: LocalEngine, unit: Unit) -> None:
    async def leave() -> list[Event]:
        events = engine.run(replace(unit, steps=500))
        async for _ in events:
            break
        await events.aclose()  # type: ignore[attr-defined]
        assert not (await engine.slots())[0].busy
        return await asyncio.wait_for(collect(engine.run(replace(unit, id=2, steps=1))), 60)

    assert run(leave())[-1] == Done(2)


def test_cancelling_what_is_not_there_is_nothing(run: Run, engine: LocalEngine) -> None:
    run(engine.cancel(99))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"width": 100}, "Width and height must be multiples of 8 px; 100 x 128 was given."),
        ({"scheduler": "magic"}, "The scheduler must be one of ddim"),
        ({"strength": 9.0}, "Strength must be between 0 and 2; 9 was given."),
        (
            {"references": (UnitReference(Path("/nowhere/gone.png")),)},
            "A picture's file is missing: gone.png. Restore the data folder or upload it again.",
        ),
    ],
)
def test_what_cannot_be_made_is_a_sentence(
    run: Run, engine: LocalEngine, unit: Unit, change: dict[str, Any], sentence: str
) -> None:
    *_, last = run(collect(engine.run(replace(unit, **change))))
    assert isinstance(last, Failed)
    assert last.message.startswith(sentence)
    assert not last.transient


def test_facts_of_the_demo_model(engine: LocalEngine) -> None:
    facts = engine.model
    assert (facts.name, facts.default_size, facts.size_multiple, facts.device) == (
        "demo",
        (128, 128),
        8,
        "cpu, float32",
    )
    assert facts.schedulers[0] == "ddim"
    assert "teapot" in facts.words
    assert len(facts.words) == 100


def test_no_facts_before_the_start(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="not loaded"):
        _ = LocalEngine(Settings(_env_file=None, data=tmp_path)).model
