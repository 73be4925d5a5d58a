"""Units on a real Studio, with the demo model."""

import io
from dataclasses import replace
from pathlib import Path
from threading import Event as Flag
from typing import Any

import pytest
from PIL import Image

from app.engine.events import (
    Done,
    Failed,
    ImageReady,
    Preview,
    ReferenceMeasured,
    Step,
    StyleMap,
    Unit,
    UnitReference,
    UnitSharing,
)
from app.engine.runner import Runner, drawn_size, options
from app.engine.trial import TRIAL_ID, trial
from app.quality.features import Features
from app.quality.tuning import scored
from app.sets import tunings
from app.style_aligned import Sharing
from app.work import queue
from tests.demo import FACTOR, SIDE, SQUARE
from tests.engine.conftest import Made
from tests.factory import Factory
from tests.style_aligned.conftest import LOOKS


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
        assert (picture.format, picture.size) == ("PNG", SQUARE)
        red, blue = (
            red + sum(picture.getchannel("R").histogram()[180:]),
            blue + sum(picture.getchannel("B").histogram()[90:]),
        )
    assert blue > red, "only the navy half of the reference was to be used"


def test_the_same_unit_again_is_the_same_pictures(made: Made, unit: Unit) -> None:
    first, second = ([e.png for e in made(unit) if isinstance(e, ImageReady)] for _ in range(2))
    assert first == second


def test_what_attention_shows_comes_with_the_pictures(made: Made, unit: Unit) -> None:
    plain = [e for e in made(unit) if isinstance(e, ImageReady)]
    assert [each.subject for each in plain] == [None, None], "no words name what they show"
    images = tuple(replace(image, object=words) for image, words in zip(unit.images, ("fox", "teapot"), strict=True))
    events = made(replace(unit, images=images, maps=True))
    shown = [e for e in events if isinstance(e, ImageReady)]
    assert [each.png for each in shown] == [each.png for each in plain], "the pictures are the same"
    for each in shown:
        assert each.subject
        assert each.layout
        sizes = [Image.open(io.BytesIO(png)).size for png in (each.subject, each.layout)]
        assert sizes == [(16, 16), (64, 64)]
    first, second = (e for e in events if isinstance(e, StyleMap))
    assert (first.image_id, second.image_id) == (7, 8)
    assert first.groups == ("down 1", "down 2", "middle 2", "up 2", "up 1")
    assert Image.open(io.BytesIO(first.png)).size == (16 * first.steps, 16 * 5)
    assert first.steps == unit.steps


def test_a_units_options_reach_the_method(made: Made, unit: Unit, tmp_path: Path) -> None:
    """Each of them changes the picture, and the defaults are the method's own."""
    assert Sharing(**options(UnitSharing())) == Sharing()
    assert Sharing(**options(UnitSharing(colour=0.5, colour_end=0.8))).colour_steps == (0.0, 0.8)
    Image.open(LOOKS / "poster-pear.webp").save(tmp_path / "pear.png")
    with_a_subject = (UnitReference(tmp_path / "pear.png"),)
    small = replace(unit, images=unit.images[:1], references=with_a_subject, steps=2)

    def pictures(**changed: Any) -> bytes:
        ready = [e.png for e in made(replace(small, options=UnitSharing(**changed))) if isinstance(e, ImageReady)]
        return ready[0]

    usual = pictures()
    for changed in (
        {"layers": ("up_blocks",)},
        {"colour": 1.0},
        {"reference_queries": 1.0},
        {"subject_attention": 0.0},
    ):
        assert pictures(**changed) != usual, changed


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
        ({"width": 100}, f"Width and height must be multiples of {FACTOR} px; 100 x {SIDE} was given."),
        ({"scheduler": "magic"}, "The scheduler must be one of ddim"),
        ({"strength": 9.0}, "Strength must be between 0 and 2; 9 was given."),
        ({"options": UnitSharing(colour=2.0)}, "Colour must be between 0 and 1; 2 was given."),
        ({"options": UnitSharing(layers=("up_blocks.9",))}, "This model has no self-attention layer 'up_blocks.9'"),
        (
            {"references": (UnitReference(Path("/nowhere/gone.png")),)},
            "A picture’s file is missing: gone.png. Restore the data folder or upload it again.",
        ),
    ],
)
def test_what_cannot_be_made_is_a_sentence(made: Made, unit: Unit, change: dict[str, Any], sentence: str) -> None:
    *_, last = made(replace(unit, **change))
    assert isinstance(last, Failed)
    assert last.message.startswith(sentence)
    assert not last.transient


def test_a_set_of_the_smaller_model_that_this_one_was_keeps_what_it_looks_like(made: Made, unit: Unit) -> None:
    """In as many latents as before, reduced to the size of its pictures."""

    def pictures(width: int, height: int) -> list[Image.Image]:
        events = made(replace(unit, width=width, height=height, steps=2))
        return [Image.open(io.BytesIO(event.png)) for event in events if isinstance(event, ImageReady)]

    for small, large in zip(pictures(SIDE // 2, SIDE // 2), pictures(SIDE, SIDE), strict=True):
        assert small.tobytes() == large.resize(small.size, Image.Resampling.LANCZOS).tobytes()
    halves = 13 * FACTOR // 2, 19 * FACTOR // 2  # a portrait of it
    assert [picture.size for picture in pictures(*halves)] == [halves] * 2


@pytest.mark.parametrize(
    ("size", "drawn"),
    [
        ((256, 256), (256, 256)),
        ((192, 1024), (192, 1024)),
        ((176, 1024), (352, 2048)),
        ((64, 64), (256, 256)),
        ((200, 216), (400, 432)),  # of a model with half as many px per latent
        ((100, 256), (100, 256)),  # is refused as given
        ((0, 0), (0, 0)),
    ],
)
def test_a_picture_is_drawn_in_enough_whole_latents(size: tuple[int, int], drawn: tuple[int, int]) -> None:
    assert drawn_size(size, 16) == drawn


def test_facts_of_the_demo_model(runner: Runner) -> None:
    facts = runner.facts
    assert (facts.name, facts.default_size, facts.size_multiple, facts.device) == (
        "demo",
        SQUARE,
        FACTOR,
        "cpu, float32",
    )
    assert facts.schedulers[0] == "ddim"
    assert "teapot" in facts.words
    assert len(facts.words) == 100
    assert sorted(facts.ranked_layers) == sorted(facts.layers)
    assert len(facts.layers) == 11


def test_a_trial_is_a_small_picture_without_a_reference(made: Made, runner: Runner) -> None:
    events = made(trial(runner.facts))
    (ready,) = [event for event in events if isinstance(event, ImageReady)]
    assert Image.open(io.BytesIO(ready.png)).size == (SIDE // 2, SIDE // 2)
    assert events[-1] == Done(TRIAL_ID)


def test_a_measured_unit_brings_what_comparisons_need(made: Made, unit: Unit) -> None:
    images = tuple(replace(image, object=words) for image, words in zip(unit.images, ("fox", "teapot"), strict=True))
    events = made(replace(unit, images=images, measured=True, batch=1))
    (reference,) = (e for e in events if isinstance(e, ReferenceMeasured))
    assert events[0] is reference
    look = Features.from_json(reference.features)
    shown = [Features.from_json(e.features) for e in events if isinstance(e, ImageReady) and e.features]
    scores = scored(shown, [look])
    assert scores is not None
    assert -1 <= scores.alignment <= 1
    assert 0 < scores.consistency <= 1
    assert [e.step for e in events if isinstance(e, Step)] == [*range(1, 9)] * 2, "one after another"


def test_a_whole_trial_tells_strengths_and_layers_apart(made: Made, runner: Runner, make: Factory) -> None:
    """From the prompts to the scores and the suggestion, with what the queue keeps of the events."""
    session, user = make.session, make.user()
    reference = make.reference(user, (LOOKS / "poster-pear.webp").read_bytes())
    spec = make.spec(make.style(reference=reference), prompts="a fox", steps="2", seed="3")
    tuning = tunings.create(session, user, spec, runner.facts, make.files, ["upper", "ranked"])
    claimed = queue.claim_next(session)
    assert claimed
    for event in made(tunings.engine_unit(session, claimed, make.files, runner.facts)):
        if isinstance(event, ImageReady | ReferenceMeasured):
            tunings.Tunings().keep(event, make.files)(session)
    session.expire_all()
    found = tunings.found(tunings.get(session, user, tuning.id))
    assert len(found.settings) == 16
    scores = [each.scores for each in found.settings if each.scores]
    assert len({each.consistency for each in scores}) == 16, "every setting makes another picture"
    weakest, *_, strongest = (each.consistency for each in scores[: len(tunings.STRENGTHS)])
    assert weakest < strongest
    assert found.judge == "bundled CLIP"
    assert found.best is not None
    assert found.settings[found.best].strength > 0
