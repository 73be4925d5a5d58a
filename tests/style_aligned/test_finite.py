"""Pictures whose numbers overflow never become black: each fails on its own, with a message."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor

from app.style_aligned import Event, ImageFailed, ImageReady, NotFinite, Preview, Sharing, Step, Studio
from app.style_aligned.dreambooth import Recipe, train
from app.style_aligned.finite import finite_rows
from tests.demo import SIDE

PROMPTS = ["a fox", "a teapot", "a car"]
NAN, INFINITE = float("nan"), float("inf")
Break = Callable[[float, int], None]


@pytest.fixture
def poison(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> Callable[[float, int], None]:
    """Put a number into the initial noise of the image with a seed."""

    def put(number: float, seed: int) -> None:
        noise = studio.noise

        def poisoned(seeds: list[int], size: tuple[int, int]) -> Tensor:
            made = noise(seeds, size)
            for row, each in enumerate(seeds):
                if each == seed:
                    made[row, 0, 0, 0] = number
            return made

        monkeypatch.setattr(studio, "noise", poisoned)

    return put


def made(studio: Studio, **how: object) -> list[Event]:
    """Small and quick: overflow happens at any size."""
    quick = {"sharing": Sharing(0.0), "steps": 3, "size": (SIDE // 2, SIDE // 2), "guidance": 1.0, "preview_every": 1}
    options = quick | how
    return list(studio.generate(PROMPTS, **options))  # type: ignore[arg-type]


def pictures(events: list[Event]) -> dict[int, bytes]:
    return {event.index: event.picture.tobytes() for event in events if isinstance(event, ImageReady)}


def failures(events: list[Event]) -> dict[int, ImageFailed]:
    return {event.index: event for event in events if isinstance(event, ImageFailed)}


@pytest.mark.parametrize(
    ("number", "scheduler"), [(NAN, "ddim"), (INFINITE, "euler-a"), (1e30, "dpm++"), (NAN, "unipc")]
)
def test_one_picture_fails_and_its_neighbours_are_unchanged(
    studio: Studio, poison: Break, number: float, scheduler: str
) -> None:
    whole = pictures(made(studio, scheduler=scheduler))
    poison(number, 1)
    events = made(studio, scheduler=scheduler)
    assert pictures(events) == {index: whole[index] for index in (0, 2)}
    (failed,) = failures(events).values()
    assert (failed.index, failed.prompt, failed.seed) == (1, "a teapot", 1)
    assert "overflowed" in str(failed.error)
    assert not failed.error.decoding
    assert {event.index for event in events if isinstance(event, Preview)} == {0, 2}, "no black preview is shown"


def test_when_nothing_is_left_of_a_batch_the_other_steps_are_saved(studio: Studio, poison: Break) -> None:
    poison(NAN, 0)
    events = made(studio, batch_size=1, steps=6, preview_every=0)
    steps = [event.images for event in events if isinstance(event, Step)]
    assert steps.count((0,)) == 1
    assert steps.count((1,)) == 6
    assert set(failures(events)) == {0}


def test_a_vae_that_overflows_is_named(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    decode = studio.vae.decode
    calls: list[int] = []

    def overflowing(latents: Tensor, return_dict: bool) -> tuple[Tensor]:
        (drawn,) = decode(latents, return_dict=return_dict)
        calls.append(1)
        return (drawn * INFINITE if len(calls) == 2 else drawn,)

    monkeypatch.setattr(studio.vae, "decode", overflowing)
    events = made(studio)
    assert set(pictures(events)) == {0, 2}
    assert failures(events)[1].error.decoding
    assert str(failures(events)[1].error) == "the numbers of the VAE overflowed in float32"


def test_a_reference_whose_latents_overflow_is_refused(
    studio: Studio, looks: dict[str, Image.Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    encode = studio.encode
    monkeypatch.setattr(studio, "encode", lambda picture: encode(picture) * NAN)
    with pytest.raises(NotFinite, match="while it read a reference"):
        made(studio, reference=studio.reference(looks["neon-guitar"]), sharing=Sharing(1.0))


def test_the_reference_of_the_others_must_be_finite(studio: Studio, poison: Break) -> None:
    poison(NAN, 0)
    with pytest.raises(NotFinite, match="the first picture"):
        made(studio, sharing=Sharing(1.0))


def test_a_damaged_inversion_in_the_cache_is_recomputed(looks: dict[str, Image.Image], tmp_path: Path) -> None:
    studio = Studio.load("demo", device="cpu", cache=tmp_path)
    reference = studio.reference(looks["neon-guitar"], method="ddim")
    how = {"reference": reference, "sharing": Sharing(1.0)}
    whole = pictures(made(studio, **how))
    (file,) = tmp_path.glob("*.safetensors")
    save_file({name: latents * NAN for name, latents in load_file(file).items()}, file)
    assert pictures(made(studio, **how)) == whole
    assert all(torch.isfinite(latents).all() for latents in load_file(file).values())


def test_rows_are_distinguished() -> None:
    rows = torch.zeros(5, 4, 2, 2)
    rows[1, 0, 0, 0], rows[2, 3, 1, 1], rows[3, 0, 1, 0], rows[4, 1, 0, 0] = NAN, -INFINITE, 1e6, 100
    assert finite_rows(rows).tolist() == [True, False, False, False, True]
    assert finite_rows(rows.half()).tolist() == [True, False, False, False, True]


# Trainings


@pytest.fixture(scope="module")
def own() -> Studio:
    """A separate studio, because trainings add layers to it."""
    return Studio.load("demo", device="cpu")


@pytest.mark.parametrize("step", [1, 3])
def test_a_training_that_overflows_ends_and_leaves_nothing(
    own: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    recipe = Recipe("sks toy", "toy", steps=4, rank=2, rate=1e-3, batch=1, priors=0, sample_every=0, keep_every=1)
    drawings = [Image.new("RGB", (128, 128), colour) for colour in ("teal", "navy", "olive")]
    target = "app.style_aligned.dreambooth._Batches._target"
    calls: list[int] = []

    def overflowing(_: object, clean: Tensor, noise: Tensor, alpha: Tensor) -> Tensor:
        calls.append(1)
        return noise * INFINITE if len(calls) == step else noise

    with monkeypatch.context() as patched:
        patched.setattr(target, overflowing)
        with pytest.raises(NotFinite, match=f"overflowed in step {step}"):
            list(train(own, drawings, recipe, tmp_path))
    assert not (tmp_path / "state.safetensors").exists(), "or the next try would end in the same way"
    assert list(train(own, drawings, recipe, tmp_path))
