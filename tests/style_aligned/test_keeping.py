"""Denoising resumes after a crash where it was kept, and gives the same pictures, bit for bit."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image, ImageDraw

from app.style_aligned import Region, Sharing, Structure, Studio, keeping
from app.style_aligned.events import ImageReady, Step
from app.style_aligned.sampler import SCHEDULERS
from tests.demo import HALF, SMALL
from tests.style_aligned.conftest import ready

QUICK: dict[str, Any] = {"steps": 5, "preview_every": 0, "keep": True}
PROMPTS = ["a fox", "an owl"]


@pytest.fixture(scope="module")
def studio(small_studio: Studio) -> Studio:
    return small_studio


@pytest.fixture
def kept(studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Studio]:
    """The studio with a cache, keeping after every step."""
    monkeypatch.setattr(studio, "cache", tmp_path)
    monkeypatch.setattr(keeping, "KEEP_SECONDS", 0.0)
    yield studio
    assert not list(tmp_path.glob("denoising/*")), "nothing is left of finished work"


def crash(studio: Studio, after: int, prompts: list[str] = PROMPTS, **asked: Any) -> int:
    """Generate, and die after `after` steps; returns the number of steps."""
    events = studio.generate(prompts, **QUICK | asked)
    for event in events:
        if isinstance(event, Step) and event.step == after:
            events.close()
            return event.steps
    raise AssertionError("it was done before")


def resumed(studio: Studio, prompts: list[str] = PROMPTS, **asked: Any) -> tuple[list[ImageReady], list[int]]:
    """The images, and the steps that it took to make them."""
    events = list(studio.generate(prompts, **QUICK | asked))
    return ready(iter(events)), [event.step for event in events if isinstance(event, Step)]


def same(some: list[ImageReady], others: list[ImageReady]) -> bool:
    return all(
        torch.equal(a.latents, b.latents) and a.picture.tobytes() == b.picture.tobytes()
        for a, b in zip(some, others, strict=True)
    )


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_every_scheduler_resumes_bit_for_bit(kept: Studio, looks: dict[str, Image.Image], scheduler: str) -> None:
    asked = {"reference": kept.reference(looks["neon-guitar"]), "scheduler": scheduler}
    plain, every = resumed(kept, **asked, keep=False)
    after = len(every) - 2  # in the middle of what multistep solvers remember
    crash(kept, after, **asked)
    again, steps = resumed(kept, **asked)
    assert steps == every[after:]
    assert same(again, plain)


def everything(studio: Studio, looks: dict[str, Image.Image]) -> dict[str, Any]:
    """Panorama, seamless, regions with a look and a mask, a ControlNet, and inversion."""
    lines = Image.new("L", SMALL)
    ImageDraw.Draw(lines).ellipse((HALF // 4, HALF // 4, 3 * HALF // 4, 3 * HALF // 4), outline=255, width=3)
    first, second = (studio.reference(picture) for picture in list(looks.values())[:2])
    return {
        "reference": [first, replace(second, method="ddim")],
        "sharing": Sharing(0.5, share_group_norm=True),
        "size": (2 * HALF, HALF),
        "steps": 2,
        "seamless": True,
        "scheduler": "euler-a",
        "regions": [Region.box("a teapot", (0, 0, 0.5, 1), second), Region("a bell", lines)],
        "structures": [Structure(studio.control("edges"), [lines])],
    }


def test_everything_at_once_resumes_bit_for_bit(kept: Studio, looks: dict[str, Image.Image]) -> None:
    asked = everything(kept, looks)
    plain, _ = resumed(kept, ["a fox"], **asked, keep=False)
    crash(kept, 1, ["a fox"], **asked)
    again, steps = resumed(kept, ["a fox"], **asked)
    assert steps == [2]
    assert same(again, plain)


def first_step(studio: Studio, prompts: list[str] = PROMPTS, **asked: Any) -> int:
    """Where the work begins."""
    events = studio.generate(prompts, **QUICK | asked)
    step = next(event.step for event in events if isinstance(event, Step))
    events.close()
    return step


def test_other_work_starts_over(
    kept: Studio, looks: dict[str, Image.Image], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = kept.reference(looks["neon-guitar"])
    crash(kept, 3, reference=reference)
    monkeypatch.setattr(keeping, "KEEP_SECONDS", 60.0)
    others: list[dict[str, Any]] = [
        {"guidance": 3.0},
        {"seeds": [0, 2]},
        {"negative_prompt": "a bell"},
        {"sharing": Sharing(0.5)},
        {"reference": replace(reference, weight=2.0)},
        {"prompts": ["a fox", "a bell"]},
    ]
    for other in others:
        assert first_step(kept, **{"reference": reference} | other) == 1, other
    assert first_step(kept, reference=reference) == 4, "the kept state is still there"
    for file in tmp_path.glob("denoising/*"):
        file.unlink()


def test_pictures_that_were_not_finished_need_no_steps_again(kept: Studio, looks: dict[str, Image.Image]) -> None:
    asked = {"reference": kept.reference(looks["neon-guitar"])}
    plain, _ = resumed(kept, **asked, keep=False)
    events = kept.generate(PROMPTS, **QUICK | asked)
    assert any(isinstance(event, ImageReady) for event in events), "the first is finished, then it dies"
    events.close()
    (again,), steps = resumed(kept, PROMPTS[1:], seeds=[1], **asked)
    assert steps == []
    assert again.picture.tobytes() == plain[1].picture.tobytes()


def test_short_work_writes_and_reads_nothing(
    studio: Studio, tmp_path: Path, looks: dict[str, Image.Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(studio, "cache", tmp_path)
    monkeypatch.setattr("app.style_aligned.studio.work_of", None)
    assert resumed(studio, reference=studio.reference(looks["neon-guitar"]))[1] == [1, 2, 3, 4, 5]
    assert not list(tmp_path.iterdir())


def test_a_damaged_state_and_a_full_disk_cost_only_time(
    kept: Studio, tmp_path: Path, looks: dict[str, Image.Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"reference": kept.reference(looks["neon-guitar"])}
    crash(kept, 3, **asked)
    (file,) = tmp_path.glob("denoising/*")
    file.write_bytes(file.read_bytes()[:-9])
    assert resumed(kept, **asked)[1][0] == 1
    monkeypatch.setattr(keeping.atomic, "_sync", refuse)
    crash(kept, 3, **asked)
    assert first_step(kept, **asked) == 1


def refuse(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_what_is_kept_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "MOST_BYTES", 250)
    for number in range(4):
        keeping.write(tmp_path / f"{number}.safetensors", {"a": torch.zeros(4)}, "key")
    keeping.sweep(tmp_path)
    assert [file.name for file in sorted(tmp_path.iterdir())] == ["2.safetensors", "3.safetensors"]
    monkeypatch.setattr(keeping, "STALE_DAYS", 0.0)
    keeping.sweep(tmp_path)
    assert not list(tmp_path.iterdir())
