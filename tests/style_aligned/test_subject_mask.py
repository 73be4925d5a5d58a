"""The subject of a reference, found by the model's own keys, on drawings whose mask is known."""

import numpy as np
import pytest
import torch
from PIL import Image

from app.style_aligned import Sharing, Studio
from app.style_aligned.subject_mask import subject_of, unlike_border
from tests.demo import SQUARE
from tests.style_aligned.conftest import ready
from tests.style_aligned.drawings import drawing
from training.data.looks import LOOKS, Cutout

SIZE = SQUARE
OVERLAP = 0.7  # minimum mean intersection over union; measured 0.77
LEAST = 0.4  # of each; measured 0.56


def drawn(look: str, number: int) -> tuple[Image.Image, torch.Tensor]:
    """A drawing in a look that the model knows, and where its thing is, bool (16, 16)."""
    rgb = np.asarray(drawing(number, SIZE[0]), np.float32) / 255
    alpha = (np.linalg.norm(1 - rgb, axis=2) > 0.15).astype(np.float32)
    pixels = LOOKS[look].draw(Cutout(rgb, alpha[..., None], np.random.default_rng(number)))
    picture = Image.fromarray((np.clip(pixels, 0, 1) * 255).astype(np.uint8))
    small = Image.fromarray((alpha * 255).astype(np.uint8)).resize((16, 16), Image.Resampling.BOX)
    return picture, torch.from_numpy(np.array(small)) >= 128


@torch.inference_mode()
def test_the_subject_is_found_in_every_look(studio: Studio) -> None:
    overlaps = {}
    for look in LOOKS:
        picture, known = drawn(look, 1)
        found = subject_of(studio, studio.reference(picture), SIZE) > 0.5
        overlaps[look] = ((found & known).sum() / (found | known).sum()).item()
    print({look: round(overlap, 2) for look, overlap in overlaps.items()})
    assert np.mean(list(overlaps.values())) >= OVERLAP
    assert min(overlaps.values()) >= LEAST


def test_a_picture_without_a_subject_has_an_empty_mask() -> None:
    generator = torch.Generator().manual_seed(0)
    everywhere_alike = torch.randn(16, 16, 8, generator=generator)
    assert unlike_border(everywhere_alike).float().mean() < 0.1
    assert not unlike_border(torch.ones(16, 16, 8)).any()


def test_what_differs_from_the_border_is_the_subject() -> None:
    features = torch.randn(12, 20, 8, generator=torch.Generator().manual_seed(0)) * 0.1
    features[3:9, 5:12] += 1
    expected = torch.zeros(12, 20, dtype=torch.bool)
    expected[3:9, 5:12] = True
    assert torch.equal(unlike_border(features), expected)


@pytest.mark.parametrize("given", [False, True], ids=["found", "given"])
def test_less_of_the_subject_is_attended_to(studio: Studio, given: bool) -> None:
    """Without any attention to it, what the subject looks like no longer matters to the keys and values."""
    picture, known = drawn("flat", 1)
    mask = Image.fromarray(known.numpy().astype(np.uint8) * 255) if given else None
    made = [
        ready(
            studio.generate(
                ["a fox"],
                reference=studio.reference(picture, subject=mask),
                sharing=Sharing(subject_attention=attention),
                seeds=[3],
                steps=4,
            )
        )[0].latents
        for attention in (1.0, 0.5, 0.0)
    ]
    half, none = ((each - made[0]).abs().mean().item() for each in made[1:])
    assert 0.005 < half < none
