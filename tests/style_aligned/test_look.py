"""The purpose of it all: sets that share a look and still show what the prompts ask for.

Four looks from references that the prompts do not name, five prompts each, the same seeds with and without sharing.
Agreement in look is measured on pixels (`app.quality.look`). The model itself judges what a picture shows: it is the
prompt under which it predicts the picture's noise best (Li et al., "Your Diffusion Model is Secretly a Zero-Shot
Classifier", ICCV 2023).
"""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from PIL import Image

from app.quality.look import Look, disagreement
from app.style_aligned import Sharing, Studio
from tests.style_aligned.conftest import ready

PROMPTS = ["a fox", "a teapot", "a house", "a tulip", "a car"]
SEEDS = [1, 2, 3, 4, 5]
STEPS = 6
DRAWS = 3  # of noise per picture, to ask the model what it sees
# Of the disagreement without sharing, at most; measured 0.43, and 0.57 without attention to the reference.
MARGIN = 0.5
FOUND = 0.7  # minimum fraction of pictures that show their prompt; measured 1.00


@dataclass
class Sets:
    """Per look: five pictures without sharing, five with attention alone, five with everything shared."""

    plain: dict[str, list[Image.Image]]
    bare: dict[str, list[Image.Image]]
    shared: dict[str, list[Image.Image]]


@pytest.fixture(scope="module")
def sets(studio: Studio, looks: dict[str, Image.Image]) -> Sets:
    def make(picture: Image.Image, sharing: Sharing) -> list[Image.Image]:
        how = {"reference": studio.reference(picture), "seeds": SEEDS, "batch_size": 5, "sharing": sharing}
        return [image.picture for image in ready(studio.generate(PROMPTS, steps=STEPS, preview_every=0, **how))]

    plain = make(next(iter(looks.values())), Sharing.for_picture(0.0))  # without sharing the reference does not matter
    bare, shared = (
        {look: make(picture, sharing) for look, picture in looks.items()}
        for sharing in (Sharing(1.0), Sharing.for_picture(1.0))
    )
    return Sets(dict.fromkeys(looks, plain), bare, shared)


@torch.inference_mode()
def shown(studio: Studio, picture: Image.Image) -> str:
    """The prompt that the picture shows, by the error of the noise predicted under each."""
    generator = torch.Generator().manual_seed(0)
    clean = studio.encode(picture).expand(DRAWS, -1, -1, -1)
    noise = torch.randn(clean.shape, generator=generator)
    times = torch.linspace(350, 850, DRAWS).long()
    alpha = torch.tensor([studio.levels(float(t)) for t in times]).float().view(-1, 1, 1, 1)
    noisy = clean * alpha**0.5 + noise * (1 - alpha) ** 0.5

    def error(prompt: str) -> float:
        arguments = studio.condition([prompt] * len(times), "", 1.0, studio.defaults.size).arguments()
        return (studio.unet(noisy, times, **arguments).sample - noise).square().mean().item()

    return min(PROMPTS, key=error)


def test_sets_with_sharing_agree_in_look(sets: Sets) -> None:
    without, bare, with_sharing = (
        float(np.mean([disagreement(pictures) for pictures in by_look.values()]))
        for by_look in (sets.plain, sets.bare, sets.shared)
    )
    print(f"disagreement of sets: {without:.3f} without sharing, {bare:.3f} attention alone, {with_sharing:.3f} with")
    assert with_sharing < MARGIN * without
    assert with_sharing < bare


def test_every_set_is_nearer_to_its_own_reference(sets: Sets, looks: dict[str, Image.Image]) -> None:
    """Not only alike, but like the reference: closer than without sharing, and closer than to any other reference."""

    def distance(pictures: list[Image.Image], look: str) -> float:
        return float(np.mean([Look.of(p).distance(Look.of(looks[look])) for p in pictures]))

    for look in looks:
        own = distance(sets.shared[look], look)
        print(f"{look}: {distance(sets.plain[look], look):.3f} without, {own:.3f} with")
        assert own < 0.7 * distance(sets.plain[look], look)
        assert own < min(distance(sets.shared[look], other) for other in looks if other != look)


def test_pictures_show_their_prompts(studio: Studio, sets: Sets) -> None:
    plain = next(iter(sets.plain.values()))
    found_plain = np.mean([shown(studio, p) == prompt for p, prompt in zip(plain, PROMPTS, strict=True)])
    found = np.mean(
        [
            shown(studio, picture) == prompt
            for pictures in sets.shared.values()
            for picture, prompt in zip(pictures, PROMPTS, strict=True)
        ]
    )
    print(f"found: {found_plain:.2f} without sharing, {found:.2f} with; 0.20 by chance")
    assert found >= FOUND
