"""The Python interface as its users see it."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from app.style_aligned import SCHEDULERS, ImageReady, Inversion, Preview, Region, Sharing, Step, Structure, Studio
from app.style_aligned.reference import ddim_inversion
from app.style_aligned.sampler import Brush
from tests.demo import FACTOR, HALF, SMALL, SQUARE
from tests.style_aligned.conftest import ready


@pytest.fixture(scope="module")
def studio(small_studio: Studio) -> Studio:
    return small_studio


def psnr(a: Image.Image, b: Image.Image) -> float:
    """Peak signal-to-noise ratio, in dB."""
    difference = np.asarray(a, np.float64) - np.asarray(b, np.float64)
    return float(10 * np.log10(255**2 / (difference**2).mean()))


@pytest.mark.parametrize("look", ["poster-pear", "neon-guitar", "pencil-handbag", "blueprint-camera"])
def test_ddim_inversion_then_sampling_gives_the_reference_back(
    whole_studio: Studio, looks: dict[str, Image.Image], look: str
) -> None:
    """At guidance 1, 50 steps, at least 30 dB relative to what the VAE alone reproduces; measured 35 to 44."""
    picture = looks[look].resize(SQUARE)
    with torch.inference_mode():
        clean = whole_studio.encode(picture)
        scheduler = whole_studio.scheduler("ddim", 50)
        conditioning = whole_studio.condition([""], "", 1.0, SQUARE)
        timesteps = [float(t) for t in scheduler.timesteps]
        *_, track = ddim_inversion(
            clean, timesteps, whole_studio.levels, lambda x, t: whole_studio.sampler.predict(x, t, conditioning, 1.0)
        )
        noise = track[max(track)]
        *_, last = whole_studio.sampler.denoise(scheduler, noise, [Brush(conditioning)], guidance=1.0, generators=[])
        value = psnr(whole_studio.decode(last.latents), whole_studio.decode(clean))
    print(f"{look}: {value:.1f} dB")
    assert value > 30


def test_events_come_in_order_and_are_whole(studio: Studio, looks: dict[str, Image.Image]) -> None:
    reference = studio.reference(looks["poster-pear"], method="ddim")
    events = list(
        studio.generate(["a fox", "a car", "a tulip"], reference=reference, steps=4, batch_size=2, preview_every=2)
    )
    assert [e.step for e in events if isinstance(e, Inversion)] == [1, 2, 3, 4]
    assert [(e.images, e.step) for e in events if isinstance(e, Step)] == [
        *(((0, 1), n) for n in (1, 2, 3, 4)),
        *(((2,), n) for n in (1, 2, 3, 4)),
    ]
    previews = [e for e in events if isinstance(e, Preview)]
    assert [e.index for e in previews] == [0, 1, 2]
    assert all(e.picture.size == SMALL for e in previews)
    images = [e for e in events if isinstance(e, ImageReady)]
    assert [(e.index, e.prompt, e.seed) for e in images] == [(0, "a fox", 0), (1, "a car", 1), (2, "a tulip", 2)]


def test_previews_look_like_the_images_that_follow(studio: Studio, looks: dict[str, Image.Image]) -> None:
    """The last preview is closer to its own image than to the others'."""
    previews, images = {}, {}
    for event in studio.generate(
        ["a fox", "a house"], reference=studio.reference(looks["neon-guitar"]), preview_every=1
    ):
        match event:
            case Preview():
                previews[event.index] = event.picture
            case ImageReady():
                images[event.index] = event.picture
    for index in (0, 1):
        assert psnr(previews[index], images[index]) > psnr(previews[index], images[1 - index]) + 1


def test_closing_stops_immediately_and_leaves_the_model_clean(studio: Studio, looks: dict[str, Image.Image]) -> None:
    before = dict(studio.unet.attn_processors)
    calls = 0

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1

    hook = studio.unet.register_forward_pre_hook(count)
    events = studio.generate(["a fox"], reference=studio.reference(looks["poster-pear"]), steps=10)
    next(events)
    events.close()
    hook.remove()
    assert calls == 2  # one recording, one step
    assert studio.unet.attn_processors == before


def test_the_consumer_is_not_left_in_inference_mode(studio: Studio) -> None:
    for _ in studio.generate(["a fox"], steps=1):
        assert not torch.is_inference_mode_enabled()


@pytest.mark.parametrize("size", [SMALL, (3 * HALF // 2, 3 * HALF // 4), (3 * HALF // 4, 5 * HALF // 4)])
def test_any_shape_with_a_reference_of_any_other(
    studio: Studio, looks: dict[str, Image.Image], size: tuple[int, int]
) -> None:
    picture = looks["poster-pear"].resize((300, 77))
    (image,) = ready(studio.generate(["a fox"], reference=studio.reference(picture), size=size, steps=2))
    assert image.picture.size == size


def test_inversions_are_kept_on_disk(studio: Studio, looks: dict[str, Image.Image], tmp_path: Path) -> None:
    cached = Studio(studio.pipeline, studio.place, "demo", cache=tmp_path)

    def make(prompt: str = "") -> tuple[int, torch.Tensor]:
        reference = cached.reference(looks["poster-pear"], prompt, method="ddim")
        events = list(cached.generate(["a fox"], reference=reference, steps=4))
        return sum(isinstance(e, Inversion) for e in events), ready(iter(events))[0].latents

    (first, latents), (second, again), (other, _) = make(), make(), make("a pear")
    assert (first, second, other) == (4, 0, 4)
    torch.testing.assert_close(latents, again)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ({"prompts": []}, "at least one prompt is needed"),
        ({"seeds": [1, 2]}, "1 seeds were expected, one per prompt; 2 were given"),
        ({"seeds": [-1]}, "a seed must be between 0"),
        ({"size": (100, HALF)}, f"multiples of {FACTOR} px; 100 x {HALF} was given"),
        ({"steps": 0}, "steps must be between 1 and 1000; 0 was given"),
        ({"scheduler": "magic"}, "the scheduler must be one of ddim, euler"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
    ],
)
def test_bad_requests_are_refused_before_anything_runs(studio: Studio, how: dict[str, object], sentence: str) -> None:
    arguments = {"prompts": ["a fox"]} | how
    with pytest.raises(ValueError, match=re.escape(sentence)):
        next(studio.generate(arguments.pop("prompts"), **arguments))


@pytest.mark.parametrize(
    ("how", "sentence"), [({"weight": 0}, "weight must be above 0"), ({"method": "x"}, "noise or ddim")]
)
def test_bad_references_are_refused(
    studio: Studio, looks: dict[str, Image.Image], how: dict[str, object], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        studio.reference(looks["poster-pear"], **how)


def test_transparency_becomes_white(studio: Studio) -> None:
    reference = studio.reference(Image.new("RGBA", (8, 8), (255, 0, 0, 0)))
    assert reference.picture.getpixel((0, 0)) == (255, 255, 255)


def test_strength_2_is_a_shift_of_log_2(studio: Studio, looks: dict[str, Image.Image]) -> None:
    reference = studio.reference(looks["poster-pear"])
    a, b = (
        ready(studio.generate(["a fox"], reference=reference, sharing=s, steps=3))[0].latents
        for s in (Sharing(2.0), Sharing(1.0, shift=float(np.log(2))))
    )
    torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


def test_half_precision_makes_nearly_the_same_picture(studio: Studio, looks: dict[str, Image.Image]) -> None:
    """bfloat16, as on a GPU: within 2 of 255 levels on average; measured below 1."""
    half = Studio.load("demo", device="cpu", precision="bfloat16")
    half.defaults = studio.defaults
    one, other = (
        ready(
            s.generate(["a car"], reference=s.reference(looks["poster-pear"]), sharing=Sharing.for_picture(), steps=6)
        )
        for s in (studio, half)
    )
    difference = np.asarray(one[0].picture, np.float64) - np.asarray(other[0].picture, np.float64)
    assert np.abs(difference).mean() < 2


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize("steps", range(1, 6))
def test_every_scheduler_takes_few_steps_or_says_how_many(studio: Studio, scheduler: str, steps: int) -> None:
    taken = studio.steps[scheduler]
    asked = {"scheduler": scheduler, "steps": steps, "preview_every": 0}
    if steps in taken:
        assert len(ready(studio.generate(["a fox"], **asked))) == 1
        return
    with pytest.raises(ValueError, match=f"{scheduler} takes at least {taken[0]} steps; {steps} was given"):
        next(studio.generate(["a fox"], **asked))


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_the_fewest_steps_with_everything(studio: Studio, looks: dict[str, Image.Image], scheduler: str) -> None:
    drawn = Image.new("L", (64, 64))
    drawn.paste(255, (10, 10, 50, 50))
    made = studio.generate(
        ["a fox"],
        reference=studio.reference(looks["poster-pear"], method="ddim"),
        structures=[Structure(studio.control("edges"), [drawn], 1.0, (0, 0.5))],
        regions=[Region.box("an owl", (0, 0, 0.5, 1))],
        size=(5 * HALF // 4, HALF // 2),
        scheduler=scheduler,
        steps=studio.steps[scheduler][0],
        preview_every=0,
    )
    assert len(ready(made)) == 1


def test_the_limits_of_schedulers(studio: Studio) -> None:
    assert {name: taken for name, taken in studio.steps.items() if taken != range(1, 1001)} == {
        "pndm": range(4, 1001),
        "lcm": range(1, 51),  # it was distilled to 50
    }
    with pytest.raises(ValueError, match="lcm takes at most 50 steps; 51 was given"):
        next(studio.generate(["a fox"], scheduler="lcm", steps=51))
