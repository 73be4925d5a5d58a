"""Chunks and weights of prompts, against diffusers and against slow plain definitions."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.configuration_utils import FrozenDict
from PIL import Image
from torch import Tensor

from app.style_aligned import Region, Structure, Studio
from app.style_aligned.prompts import TextEncoders, level
from tests.demo import SQUARE
from tests.style_aligned.conftest import ready

TEXTS = [
    "a fox",
    "a red teapot, sticker",
    "",
    "an   owl,, キツネ :) 🦊",
    "a cat and an apple, flat design" + " and a fox" * 4,
]
LONG = ", ".join(["a fox and an owl on a red teapot"] * 5)  # 54 tokens
NAMES = ("text_encoder", "text_encoder_2")


@pytest.fixture
def texts(studio: Studio) -> TextEncoders:
    """As of a model that reads four chunks."""
    return TextEncoders(studio.pipeline, 4)


def by_diffusers(studio: Studio, texts: list[str], negative: list[str] | None = None) -> tuple[Tensor, ...]:
    how = {"device": "cpu", "do_classifier_free_guidance": negative is not None, "negative_prompt": negative}
    return tuple(studio.pipeline.encode_prompt(texts, **how))


def plain(studio: Studio, rows: list[list[int]], name: str, mask: list[int] | None = None) -> tuple[Tensor, Tensor]:
    """Hidden and pooled states of framed chunks, one by one."""
    found = []
    for row in rows:
        framed = torch.tensor([[0, *row, *[1] * (23 - len(row))]])
        shown = None if mask is None else torch.tensor([mask])
        out = getattr(studio.pipeline, name)(framed, attention_mask=shown, output_hidden_states=True)
        found.append((out.hidden_states[-2][0], out[0][0]))
    hidden, pooled = zip(*found, strict=True)
    return torch.cat(hidden), torch.stack(pooled)


def ids(studio: Studio, text: str) -> list[int]:
    found: list[int] = studio.pipeline.tokenizer(text, add_special_tokens=False).input_ids
    return found


@torch.inference_mode()
def test_a_text_of_one_chunk_is_what_diffusers_makes_of_it(studio: Studio, texts: TextEncoders) -> None:
    """Bit for bit, alone and in a batch, so that pictures stay as they were."""
    for batch in ([each] for each in TEXTS):
        states, pooled = texts.encode(batch)
        expected, _, expected_pooled, _ = by_diffusers(studio, batch)
        assert torch.equal(torch.stack(states), expected)
        assert torch.equal(pooled, expected_pooled)
    for guidance, negative in ((1.0, None), (4.0, "flat design")):
        made = studio.condition(TEXTS, negative or "", guidance, SQUARE)
        tokens, no_tokens, pooled, no_pooled = by_diffusers(studio, TEXTS, negative and [negative] * len(TEXTS))
        assert torch.equal(made.tokens, torch.stack([no_tokens, tokens] if negative else [tokens]))
        assert torch.equal(made.pooled, torch.stack([no_pooled, pooled] if negative else [pooled]))


@pytest.mark.parametrize("zeros", [True, False])
@torch.inference_mode()
def test_no_negative_prompt_is_what_the_model_says(
    studio: Studio, zeros: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = FrozenDict({**studio.pipeline.config, "force_zeros_for_empty_prompt": zeros})
    monkeypatch.setattr(studio.pipeline, "_internal_dict", config)
    found, pooled = TextEncoders(studio.pipeline, 1).branches(["a fox"], "")
    tokens, no_tokens, _, no_pooled = studio.pipeline.encode_prompt(["a fox"], device="cpu")
    assert torch.equal(found, torch.stack([no_tokens, tokens]))
    assert torch.equal(pooled[0], no_pooled)
    assert bool(no_tokens.any()) != zeros


@torch.inference_mode()
def test_a_long_text_is_its_chunks_one_after_the_other(studio: Studio, texts: TextEncoders) -> None:
    """Each in a frame of its own; of the pooled states, the first of the second encoder counts."""
    tokens = ids(studio, LONG)
    assert tokens[21] == tokens[43] == ids(studio, ",")[0], "it is divided after commas"
    rows = [tokens[:22], tokens[22:44], tokens[44:]]
    (states,), pooled = texts.encode([LONG])
    expected = torch.cat([plain(studio, rows, name)[0] for name in NAMES], -1)
    torch.testing.assert_close(states, expected)
    torch.testing.assert_close(pooled, plain(studio, rows, NAMES[1])[1][:1])
    (broken,), _ = texts.encode(["a fox BREAK an owl"])
    torch.testing.assert_close(broken[:24], texts.encode(["a fox"])[0][0])
    torch.testing.assert_close(broken[24:], texts.encode(["an owl"])[0][0])
    assert len(texts.encode([", ".join([LONG] * 9)])[0][0]) == 4 * 24, "what comes after four chunks is dropped"


@torch.inference_mode()
def test_weights_are_on_the_line_from_the_text_without_the_words(studio: Studio, texts: TextEncoders) -> None:
    words = "a (red:1.5) fox and (an owl:0.25) on (a:1.0) (teapot:1.5)"
    row = ids(studio, "a red fox and an owl on a teapot")
    marks = [1, 1.5, 1.5, 1, 1, 0.25, 0.25, 1, 1, 1.5]  # of each token: "red" is two
    for place, name in enumerate(NAMES):
        expected, pooled = plain(studio, [row], name)
        whole, whole_pooled = expected, pooled
        for weight in (1.5, 0.25):
            shown = [1, *(int(mark != weight) for mark in marks), *[1] * (23 - len(row))]
            hidden, hidden_pooled = plain(studio, [row], name, shown)
            empty, _ = plain(studio, [[]], name)
            for token, is_shown in enumerate(shown):
                state = hidden[token] if is_shown else empty[token]
                expected = expected.clone()
                expected[token] += (weight - 1) * (whole[token] - state)
            pooled = pooled + (weight - 1) * (whole_pooled - hidden_pooled)
        (states,), found = texts.encode([words])
        width = states.shape[-1] // 2
        torch.testing.assert_close(states[:, place * width :][:, :width], expected)
        if name == NAMES[1]:
            torch.testing.assert_close(found, pooled)


@torch.inference_mode()
def test_a_weight_concerns_its_own_text_alone(texts: TextEncoders) -> None:
    """Neither a weight of 1 nor one in another text of the batch changes a bit."""
    (fox, *_), pooled = texts.encode(["a red fox", "an owl", f"{LONG}"])
    for batch in (["a (red:1.0) fox", "an (owl:0.5)", f"{LONG}"], ["a red fox", "(an owl)", f"(({LONG}))"]):
        (same, *_), same_pooled = texts.encode(batch)
        assert torch.equal(same, fox)
        assert torch.equal(same_pooled[0], pooled[0])


def test_repeated_texts_level_lengths() -> None:
    one, two, three = (torch.randn(24 * n, 8) for n in (1, 2, 3))
    assert torch.equal(level([one, two])[0], torch.cat([one, one]))
    assert level([two, three]).shape == (2, 24 * 6, 8)
    assert torch.equal(level([two])[0], two)


@torch.inference_mode()
def test_a_repeated_text_is_the_same_to_the_model(studio: Studio) -> None:
    x, t = torch.randn(1, 8, 16, 16, generator=torch.Generator().manual_seed(0)), torch.tensor(500)
    once = studio.condition(["a red fox"], "", 4.0, SQUARE)
    thrice = replace(once, tokens=once.tokens.repeat(1, 1, 3, 1))
    expected = studio.sampler.predict(x, t, once, 4.0)
    torch.testing.assert_close(studio.sampler.predict(x, t, thrice, 4.0), expected, atol=2e-5, rtol=0)


def test_a_picture_does_not_depend_on_the_length_of_others(
    studio: Studio, texts: TextEncoders, looks: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a long reference prompt, region and negative prompt, a structure, and DDIM inversion."""
    monkeypatch.setattr(studio, "texts", texts)
    picture = looks["neon-guitar"]
    edges = Structure(studio.control("edges"), [Image.new("L", SQUARE)])
    how: dict[str, Any] = {
        "reference": studio.reference(picture, LONG, method="ddim"),
        "regions": [Region.box(f"{LONG}, a (house:1.4)", (0, 0, 0.5, 1))],
        "negative_prompt": f"{LONG}, a tree",
        "structures": [edges],
        "steps": 2,
        "preview_every": 0,
    }
    alone, mixed = (ready(studio.generate(prompts, **how)) for prompts in (["a fox"], ["a fox", LONG]))
    difference = np.abs(np.asarray(alone[0].picture, float) - np.asarray(mixed[0].picture, float))
    assert difference.max() <= 2, "rounding"
    other = ready(studio.generate(["a fox", LONG + ", watercolor"], **how))[1]
    assert np.abs(np.asarray(other.picture, float) - np.asarray(mixed[1].picture, float)).max() > 2, "of its last chunk"
