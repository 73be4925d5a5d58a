"""The equation itself, on random numbers."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from app.style_aligned.attention import Attended, Stats, adain, attend, attend_plainly, merge


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("tokens", [1, 7, 64, 300])
@pytest.mark.parametrize("channels", [8, 40, 64])
def test_attend_agrees_with_plain_softmax(tokens: int, channels: int) -> None:
    query, key, value = (
        random(2, 3, 33, channels),
        random(2, 3, tokens, channels, seed=1),
        random(2, 3, tokens, channels, seed=2),
    )
    fused, plain = attend(query, key, value, 0.3), attend_plainly(query, key, value, 0.3)
    torch.testing.assert_close(fused.out, plain.out, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(fused.lse, plain.lse, atol=1e-5, rtol=1e-5)


@given(
    shift=st.floats(-8, 8),
    own=st.integers(1, 40),
    other=st.integers(1, 40),
    scale=st.floats(0.0, 3.0),
    seed=st.integers(0, 1000),
)
@settings(max_examples=60, deadline=None)
def test_merged_halves_equal_the_concatenated_softmax(
    shift: float, own: int, other: int, scale: float, seed: int
) -> None:
    query = random(1, 2, 5, 16, seed=seed)
    keys = [random(1, 2, n, 16, seed=seed + i) for i, n in enumerate((own, other), 1)]
    values = [random(1, 2, n, 16, seed=seed + i) for i, n in enumerate((own, other), 3)]
    logits = torch.cat([query @ keys[0].mT * 0.25, query @ keys[1].mT * 0.25 * scale + shift], -1)
    expected = logits.softmax(-1) @ torch.cat(values, -2)
    first, second = attend(query, keys[0], values[0], 0.25), attend(query, keys[1], values[1], 0.25 * scale)
    merged = merge(first, second, shift)
    torch.testing.assert_close(merged.out, expected, atol=2e-6, rtol=2e-6)
    torch.testing.assert_close(merged.lse, logits.logsumexp(-1), atol=2e-5, rtol=2e-6)


def test_gradients_are_those_of_the_concatenated_softmax() -> None:
    """A model can be trained through sharing, including through the reference's fraction of attention."""
    query, *rest = (random(1, 2, 5, 16, seed=seed).requires_grad_() for seed in range(5))
    keys, values = rest[:2], rest[2:]
    logits = torch.cat([query @ keys[0].mT * 0.25, query @ keys[1].mT * 0.25 + 0.7], -1)
    expected = torch.autograd.grad((logits.softmax(-1) @ torch.cat(values, -2)).square().sum(), (query, *rest))
    halves = [attend(query, key, value, 0.25) for key, value in zip(keys, values, strict=True)]
    found = torch.autograd.grad(merge(*halves, 0.7).out.square().sum(), (query, *rest))
    for mine, right in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, right, atol=1e-5, rtol=1e-4)


def test_a_shift_of_minus_infinity_leaves_the_first_bit_for_bit() -> None:
    first, second = (
        Attended(random(1, 2, 5, 8), random(1, 2, 5)),
        Attended(random(1, 2, 5, 8, seed=1), random(1, 2, 5, seed=2)),
    )
    assert torch.equal(merge(first, second, float("-inf")).out, first.out)


def test_adain_gives_the_reference_statistics_and_blends() -> None:
    x, reference = random(2, 3, 50, 8) * 3 + 1, random(2, 3, 70, 8, seed=1) * 0.2 - 4
    moved = adain(x, Stats.of(reference), torch.tensor(1.0))
    torch.testing.assert_close(Stats.of(moved).mean, Stats.of(reference).mean, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(Stats.of(moved).std, Stats.of(reference).std, atol=1e-3, rtol=1e-3)
    assert torch.equal(adain(x, Stats.of(reference), torch.tensor(0.0)), x)
    torch.testing.assert_close(adain(x, Stats.of(reference), torch.tensor(0.25)), x.lerp(moved, 0.25))
