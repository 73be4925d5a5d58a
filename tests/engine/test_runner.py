"""Units on a real Studio, with the demo model."""

import io
from dataclasses import replace
from pathlib import Path
from threading import Event as Flag
from typing import Any

import pytest
from PIL import Image

from app.engine.events import Done, Failed, ImageReady, Preview, Step, Unit, UnitReference
from app.engine.runner import Runner
from tests.engine.conftest import Made


def test_a_unit_from_first_step_to_done(made: Made, unit: Unit) -> None:
    events = made(unit)
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


def test_the_same_unit_again_is_the_same_pictures(made: Made, unit: Unit) -> None:
    first, second = ([e.png for e in made(unit) if isinstance(e, ImageReady)] for _ in range(2))
    assert first == second


def test_a_stop_is_seen_after_each_step(runner: Runner, unit: Unit) -> None:
    stop = Flag()
    seen = []
    for event in runner.run(replace(unit, steps=200), stop):
        seen.append(event)
        if isinstance(event, Step) and event.step == 2:
            stop.set()
    assert seen[-1] == Step(1, 2, 200)


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
def test_what_cannot_be_made_is_a_sentence(made: Made, unit: Unit, change: dict[str, Any], sentence: str) -> None:
    *_, last = made(replace(unit, **change))
    assert isinstance(last, Failed)
    assert last.message.startswith(sentence)
    assert not last.transient


def test_facts_of_the_demo_model(runner: Runner) -> None:
    facts = runner.facts
    assert (facts.name, facts.default_size, facts.size_multiple, facts.device) == (
        "demo",
        (128, 128),
        8,
        "cpu, float32",
    )
    assert facts.schedulers[0] == "ddim"
    assert "teapot" in facts.words
    assert len(facts.words) == 100
