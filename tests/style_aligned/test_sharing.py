"""The whole method on the demo model, against diffusers' own pipeline and against the textbook."""

import math

import pytest
import torch
from PIL import Image

from app.style_aligned import Sharing, Studio
from app.style_aligned.layers import UP
from app.style_aligned.reference import NoisedTrack, Reference, latent_noise
from app.style_aligned.sharing import SharedLayers
from tests.demo import HALF, SMALL
from tests.style_aligned.conftest import ready
from tests.style_aligned.textbook import style_aligned

PROMPTS = ["a fox", "a teapot"]
SEEDS = [11, 12]
STEPS = 4


@pytest.fixture(scope="module")
def studio(small_studio: Studio) -> Studio:
    return small_studio


def noisy(studio: Studio, reference: Reference) -> NoisedTrack:
    """The reference's track, computed by hand: x_t = sqrt(abar) x_0 + sqrt(1 - abar) eps."""
    clean = studio.encode(reference.fitted(SMALL))
    noise = latent_noise(reference.seed, *clean.shape[1:], clean.device, clean.dtype)
    return NoisedTrack(clean, noise, studio.levels)


@pytest.mark.parametrize("scheduler", ["ddim", "euler"])
@pytest.mark.parametrize("guidance", [1.0, 4.0])
def test_strength_0_is_diffusers_own_pipeline(
    studio: Studio, looks: dict[str, Image.Image], scheduler: str, guidance: float
) -> None:
    pipeline = type(studio.pipeline)(
        **studio.pipeline.components | {"scheduler": studio.scheduler(scheduler, STEPS)},
        force_zeros_for_empty_prompt=studio.pipeline.config.force_zeros_for_empty_prompt,
    )
    pipeline.set_progress_bar_config(disable=True)
    expected = pipeline(
        PROMPTS,
        latents=studio.noise(SEEDS, SMALL),
        num_inference_steps=STEPS,
        guidance_scale=guidance,
        height=HALF,
        width=HALF,
        output_type="latent",
    ).images
    images = ready(
        studio.generate(
            PROMPTS,
            reference=studio.reference(looks["neon-guitar"]),
            sharing=Sharing(0.0),
            seeds=SEEDS,
            steps=STEPS,
            guidance=guidance,
            scheduler=scheduler,
        )
    )
    torch.testing.assert_close(torch.cat([i.latents for i in images]), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("guidance", [1.0, 4.0])
@pytest.mark.parametrize(
    "sharing",
    [
        Sharing(1.0),
        Sharing(2.0),
        Sharing(0.4),
        Sharing(1.0, scale=0.5),
        Sharing(1.0, share_group_norm=True),
        Sharing(1.0, adain_values=True),
        Sharing(2.0, scale=0.5, share_group_norm=True, adain_values=True),
    ],
    ids=["1", "2", "0.4", "scale", "group norm", "values", "all"],
)
def test_sharing_is_the_textbook(
    studio: Studio, looks: dict[str, Image.Image], sharing: Sharing, guidance: float
) -> None:
    reference = studio.reference(looks["poster-pear"], "a pear, vintage poster")
    track = noisy(studio, reference)
    expected = style_aligned(
        studio.pipeline,
        PROMPTS,
        studio.noise(SEEDS, SMALL),
        lambda step, t: track.at(step, float(t)),
        studio.scheduler("ddim", STEPS),
        guidance,
        reference.prompt,
        strength=sharing.strength,
        scale=sharing.scale,
        adain_values=sharing.adain_values,
        group_norm=sharing.share_group_norm,
    )
    images = ready(
        studio.generate(
            PROMPTS, reference=reference, sharing=sharing, seeds=SEEDS, steps=STEPS, guidance=guidance, scheduler="ddim"
        )
    )
    torch.testing.assert_close(torch.cat([i.latents for i in images]), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("scheduler", ["euler", "euler-a", "dpm++", "unipc", "heun", "pndm", "lcm"])
def test_any_scheduler_any_batch_gives_the_same_image(
    studio: Studio, looks: dict[str, Image.Image], scheduler: str
) -> None:
    """Alone, or third of three in a batch: an image depends on its seed and the reference only."""
    how = {"reference": studio.reference(looks["poster-pear"]), "steps": 4, "scheduler": scheduler}
    alone = ready(studio.generate(["a fox"], seeds=[5], **how))
    among = ready(studio.generate(["a car", "a tulip", "a fox"], seeds=[1, 2, 5], batch_size=3, **how))
    assert torch.isfinite(alone[0].latents).all()
    torch.testing.assert_close(among[2].latents, alone[0].latents, atol=1e-3, rtol=1e-3)


def test_images_of_one_batch_can_have_separate_strengths(studio: Studio, looks: dict[str, Image.Image]) -> None:
    reference = studio.reference(looks["neon-guitar"])

    def make(strength: float | list[float], count: int) -> list[torch.Tensor]:
        how = {"sharing": Sharing(strength, share_group_norm=True), "seeds": [3] * count, "steps": 4}
        return [i.latents for i in ready(studio.generate(["a fox"] * count, reference=reference, **how))]

    mixed = make([0.0, 1.0, 2.0], 3)
    for latents, strength in zip(mixed, [0.0, 1.0, 2.0], strict=True):
        torch.testing.assert_close(latents, make(strength, 1)[0], atol=1e-3, rtol=1e-3)
    assert (mixed[0] - mixed[1]).abs().mean() > 0.05


def test_the_same_reference_twice_is_the_reference_once(studio: Studio, looks: dict[str, Image.Image]) -> None:
    """Weights divide attention between references; together they count as one."""
    once = studio.reference(looks["poster-pear"])
    twice = [studio.reference(looks["poster-pear"], weight=w) for w in (1.0, 3.0)]
    sharing = Sharing(1.0, share_group_norm=True, adain_values=True)
    one, two = (
        ready(studio.generate(["a fox"], reference=r, sharing=sharing, seeds=[3], steps=4))[0] for r in (once, twice)
    )
    torch.testing.assert_close(one.latents, two.latents, atol=1e-4, rtol=1e-4)


def test_a_weight_pulls_towards_its_reference(studio: Studio, looks: dict[str, Image.Image]) -> None:
    poster, neon = looks["poster-pear"], looks["neon-guitar"]

    def make(weights: tuple[float, float]) -> torch.Tensor:
        given = [studio.reference(p, weight=w) for p, w in zip((poster, neon), weights, strict=True)]
        return ready(studio.generate(["a fox"], reference=given, seeds=[3], steps=6))[0].latents

    only = ready(studio.generate(["a fox"], reference=studio.reference(poster), seeds=[3], steps=6))[0].latents
    distances = [(make(w) - only).abs().mean().item() for w in ((9.0, 1.0), (1.0, 1.0), (1.0, 9.0))]
    assert distances == sorted(distances)
    assert distances[2] > 2 * distances[0]


def test_text_only_sets_take_the_first_image_as_reference(studio: Studio) -> None:
    plain = ready(studio.generate(["a fox, watercolor"], seeds=[1], steps=6))
    images = ready(studio.generate(["a fox, watercolor", "a teapot"], seeds=[1, 2], steps=6))
    unshared = ready(studio.generate(["a teapot"], seeds=[2], steps=6))
    torch.testing.assert_close(images[0].latents, plain[0].latents)
    assert (images[1].latents - unshared[0].latents).abs().mean() > 0.05


def test_sharing_only_in_some_layers_and_steps(studio: Studio, looks: dict[str, Image.Image]) -> None:
    reference = studio.reference(looks["neon-guitar"])

    def make(**how: object) -> torch.Tensor:
        return ready(studio.generate(["a fox"], reference=reference, sharing=Sharing(**how), seeds=[3], steps=6))[
            0
        ].latents

    off, on = make(strength=0.0), make()
    apart = (on - off).abs().mean()
    for part in (make(layers=UP), make(steps=(0.0, 0.3)), make(steps=(0.5, 1.0))):
        assert 0.01 * apart < (part - off).abs().mean()
        assert 0.01 * apart < (part - on).abs().mean()
    assert len(SharedLayers(studio.unet, UP).attention) < len(SharedLayers(studio.unet).attention)


def test_the_unet_is_as_before_also_after_an_error(studio: Studio) -> None:
    before = dict(studio.unet.attn_processors)
    layers = SharedLayers(studio.unet, group_norms=True)

    def fail_within() -> None:
        with layers.record(1):
            assert studio.unet.attn_processors != before
            raise RuntimeError("in between")

    with pytest.raises(RuntimeError, match="in between"):
        fail_within()
    assert studio.unet.attn_processors == before
    assert not any("forward" in vars(norm) for norm in layers.norms.values())


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"strength": 2.5}, "strength must be between 0 and 2; 2.5 was given"),
        ({"strength": [1.0, -1.0]}, "strength must be between 0 and 2; -1 was given"),
        ({"strength": math.nan}, "strength must be between 0 and 2; nan was given"),
        ({"scale": -1}, "scale must be between 0 and 2"),
        ({"shift": 99}, "shift must be between -10 and 10"),
        ({"steps": (0.9, 0.1)}, "two rising numbers"),
    ],
)
def test_numbers_out_of_range_are_refused(wrong: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Sharing(**wrong)
