"""Options of sharing other than the paper's, each against a slow plain definition and for what it is there for."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from torch import Tensor

from app.quality.look import Look
from app.style_aligned import Sharing, Studio
from app.style_aligned.attention import attend_dimmed
from app.style_aligned.calibration import Calibration, channel_stats
from app.style_aligned.dimming import Dimmed, Dimming, shape_of
from app.style_aligned.layers import UP, self_attentions
from app.style_aligned.reference import NoisedTrack, latent_noise, slerp, spherical_mean
from tests.demo import SMALL
from tests.style_aligned.conftest import ready
from tests.style_aligned.textbook import style_aligned

PROMPTS = ["a fox", "a teapot"]
SEEDS = [11, 12]
STEPS = 4
SIZE = SMALL


@pytest.fixture(scope="module")
def studio(small_studio: Studio) -> Studio:
    return small_studio


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def left_half() -> Image.Image:
    """A mask of a subject that fills the left half."""
    mask = Image.new("L", (64, 64))
    ImageDraw.Draw(mask).rectangle((0, 0, 31, 63), fill=255)
    return mask


@pytest.mark.parametrize(
    ("sharing", "plainly"),
    [
        (Sharing(layers=UP), {"layers": "up_blocks"}),
        (Sharing(0.6, reference_queries=0.7), {"reference_queries": 0.7}),
        (Sharing(subject_attention=0.2), {"subject": 0.2}),
        (Sharing(0.5, colour=0.8), {"colour": 0.8 * 0.5}),
        (
            Sharing(layers=UP, reference_queries=1.0, subject_attention=0.5, colour=0.3, adain_values=True),
            {"layers": "up_blocks", "reference_queries": 1.0, "subject": 0.5, "colour": 0.3, "adain_values": True},
        ),
    ],
    ids=["layers", "queries", "subject", "colour", "all"],
)
def test_an_option_is_its_plain_definition(
    studio: Studio, looks: dict[str, Image.Image], left_half: Image.Image, sharing: Sharing, plainly: dict[str, float]
) -> None:
    reference = studio.reference(looks["poster-pear"], "a pear, vintage poster", subject=left_half)
    clean = studio.encode(reference.fitted(SIZE))
    noise = latent_noise(reference.seed, *clean.shape[1:], clean.device, clean.dtype)
    track = NoisedTrack(clean, noise, studio.levels)
    how = dict(plainly)
    mask = torch.cat([torch.ones(16, 8), torch.zeros(16, 8)], 1)
    subject = (mask, how.pop("subject")) if "subject" in how else None
    expected = style_aligned(
        studio.pipeline,
        PROMPTS,
        studio.noise(SEEDS, SIZE),
        lambda step, t: track.at(step, float(t)),
        studio.scheduler("ddim", STEPS),
        4.0,
        reference.prompt,
        strength=sharing.strength,
        clean=clean[0] if "colour" in how else None,
        subject=subject,
        **how,
    )
    images = ready(
        studio.generate(
            PROMPTS, reference=reference, sharing=sharing, seeds=SEEDS, steps=STEPS, guidance=4.0, scheduler="ddim"
        )
    )
    torch.testing.assert_close(torch.cat([i.latents for i in images]), expected, atol=2e-3, rtol=1e-3)


def test_options_leave_pictures_of_strength_0_alone(studio: Studio, looks: dict[str, Image.Image]) -> None:
    """In a batch too: the first of these does not share."""
    reference = studio.reference(looks["neon-guitar"])
    options = Sharing([0.0, 1.0], reference_queries=1.0, subject_attention=0.0, colour=1.0)
    plain = Sharing([0.0, 1.0])
    with_options, without = (
        [i.latents for i in ready(studio.generate(PROMPTS, reference=reference, sharing=s, seeds=SEEDS, steps=STEPS))]
        for s in (options, plain)
    )
    torch.testing.assert_close(with_options[0], without[0], atol=1e-5, rtol=1e-5)
    assert (with_options[1] - without[1]).abs().mean() > 0.05


@given(factor=st.floats(0.0, 1.0), part=st.integers(1, 19), seed=st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_dimmed_attention_multiplies_the_weights_of_some_keys(factor: float, part: int, seed: int) -> None:
    query, key, value = (random(1, 2, n, 16, seed=seed + i) for i, n in enumerate((5, 20, 20)))
    order = torch.randperm(20, generator=torch.Generator().manual_seed(seed))
    dimmed = Dimmed(order[part:], order[:part], factor)
    weights = (query @ key.mT * 0.25).exp()
    weights[..., order[:part]] *= factor
    expected = weights / weights.sum(-1, keepdim=True) @ value
    found = attend_dimmed(query, key, value, 0.25, dimmed)
    torch.testing.assert_close(found.out, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found.lse, weights.sum(-1).log(), atol=1e-5, rtol=1e-5)


def test_a_mask_of_everything_or_nothing_dims_nothing() -> None:
    for mask in (torch.zeros(1, 16, 16), torch.ones(1, 16, 16)):
        assert Dimming(mask, 0.5).at(0, 64) is None


@given(high=st.integers(1, 96), wide=st.integers(1, 96), halvings=st.integers(0, 3))
@settings(deadline=None)
def test_the_shape_of_a_layer_follows_from_its_tokens(high: int, wide: int, halvings: int) -> None:
    shape = (high, wide)
    for _ in range(halvings):
        shape = ((shape[0] + 1) // 2, (shape[1] + 1) // 2)
    assert shape_of(shape[0] * shape[1], high, wide) == shape


def test_calibration_gives_the_statistics_of_the_references_inside_a_mask() -> None:
    references, targets = random(2, 4, 8, 8) * 2 + 1, random(3, 4, 8, 8, seed=1)
    weight = (random(8, 8, seed=2) > 0).float()
    calibration = Calibration.to(references, torch.tensor([0.25, 0.75]), torch.tensor([0.0, 0.5, 1.0]))
    moved = calibration(targets, weight)
    assert torch.equal(moved[0], targets[0])
    torch.testing.assert_close(moved[1], targets[1].lerp(calibration(targets.roll(1, 0), weight)[2], 0.5))
    mean, std = channel_stats(moved[2:], weight)
    torch.testing.assert_close(mean, calibration.mean, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(std, calibration.std, atol=1e-3, rtol=1e-3)


def test_calibration_brings_the_colours_closer(studio: Studio, looks: dict[str, Image.Image]) -> None:
    def distance(picture: Image.Image, colour: float) -> float:
        how = {"sharing": Sharing(colour=colour), "seeds": SEEDS, "steps": 8}
        made = ready(studio.generate(PROMPTS, reference=studio.reference(picture), **how))
        wanted = Look.of(picture)
        return float(np.mean([Look.of(image.picture).colour_distance(wanted) for image in made]))

    without, calibrated = (np.mean([distance(p, colour) for p in looks.values()]) for colour in (0.0, 1.0))
    print(f"colour distance {without:.3f} without calibration, {calibrated:.3f} with")
    assert calibrated < 0.8 * without


def test_colours_are_calibrated_within_their_steps_only(studio: Studio, looks: dict[str, Image.Image]) -> None:
    def make(**how: object) -> Tensor:
        reference = studio.reference(looks["neon-guitar"])
        return ready(studio.generate(["a fox"], reference=reference, sharing=Sharing(**how), seeds=[3], steps=6))[
            0
        ].latents

    without, early, always = make(), make(colour=1.0, colour_steps=(0.0, 0.3)), make(colour=1.0)
    assert (early - without).abs().mean() > 0.01
    assert (early - always).abs().mean() > 0.01


def test_a_spherical_blend_keeps_the_spread_of_noise() -> None:
    """Two independent noises: a plain mean has 0.71 of their deviation, an arc all of it."""
    first, second = random(1, 4, 32, 32), random(1, 4, 32, 32, seed=1)
    assert slerp(first, second, 0.5).std() == pytest.approx(1, abs=0.05)
    angle = math.acos(float((first.flatten() @ second.flatten()) / first.norm() / second.norm()))
    for part in (0.0, 0.3, 1.0):
        plain = (math.sin((1 - part) * angle) * first + math.sin(part * angle) * second) / math.sin(angle)
        torch.testing.assert_close(slerp(first, second, part), plain, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(slerp(first, first * 2, 0.5), first * 1.5)
    mixed = spherical_mean([first, second, random(1, 4, 32, 32, seed=2)], [1.0, 1.0, 2.0])
    assert mixed.std() == pytest.approx(1, abs=0.05)


def test_a_blend_of_one_picture_with_itself_is_that_picture(studio: Studio, looks: dict[str, Image.Image]) -> None:
    once = studio.reference(looks["poster-pear"])
    twice = [studio.reference(looks["poster-pear"], weight=w) for w in (1.0, 3.0)]
    sharing = Sharing(share_group_norm=True, adain_values=True, blend="sphere", subject_attention=0.3)
    one, two = (
        ready(studio.generate(["a fox"], reference=r, sharing=sharing, seeds=[3], steps=4))[0].latents
        for r in (once, twice)
    )
    torch.testing.assert_close(one, two, atol=1e-4, rtol=1e-4)


def test_a_blend_follows_the_weights(studio: Studio, looks: dict[str, Image.Image]) -> None:
    poster, neon = looks["poster-pear"], looks["neon-guitar"]

    def make(weights: tuple[float, float]) -> Look:
        given = [studio.reference(p, weight=w) for p, w in zip((poster, neon), weights, strict=True)]
        how = {"sharing": Sharing(share_group_norm=True, blend="sphere"), "seeds": [3], "steps": 6}
        return Look.of(ready(studio.generate(["a fox"], reference=given, **how))[0].picture)

    distances = [make(weights).distance(Look.of(poster)) for weights in ((9.0, 1.0), (1.0, 1.0), (1.0, 9.0))]
    assert distances == sorted(distances)


def test_layers_are_chosen_by_name(studio: Studio) -> None:
    every, upper = self_attentions(studio.unet), self_attentions(studio.unet, UP)
    assert set(upper) == {name for name in every if name.startswith("up_blocks")}
    assert 0 < len(upper) < len(every)
    last = list(every)[-1]
    assert list(self_attentions(studio.unet, (last,))) == [last]
    with pytest.raises(ValueError, match="no self-attention layer 'up_block'"):
        self_attentions(studio.unet, ("up_block",))  # not a whole name of a block


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"colour": 1.5}, "colour must be between 0 and 1; 1.5 was given"),
        ({"reference_queries": -1}, "reference_queries must be between 0 and 1"),
        ({"subject_attention": math.nan}, "subject_attention must be between 0 and 1"),
        ({"colour_steps": (0.5, 0.2)}, "colour_steps must be two rising numbers"),
        ({"blend": "plane"}, "blend must be weight or sphere; 'plane' was given"),
    ],
)
def test_options_out_of_range_are_refused(wrong: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Sharing(**wrong)
