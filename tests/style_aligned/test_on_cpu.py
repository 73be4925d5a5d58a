"""What is quick on a processor gives the numbers of what it replaces."""

import copy

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given
from torch import nn
from torch.testing import assert_close

from app.style_aligned import Studio
from app.style_aligned.on_cpu import OneDNNLinear, hasten, var_mean


def pair(*, bias: bool = True) -> tuple[nn.Linear, nn.Linear]:
    """A usual layer and a hastened copy."""
    torch.manual_seed(0)
    usual = nn.Linear(24, 10, bias=bias)
    return usual, hasten(copy.deepcopy(usual))


@given(
    rows=st.lists(st.integers(0, 5), max_size=3),
    bias=st.booleans(),
    across=st.booleans(),
)
def test_a_linear_layer_gives_the_usual_numbers(rows: list[int], bias: bool, across: bool) -> None:
    usual, quick = pair(bias=bias)
    x = torch.randn(*rows, 24)
    x = x.transpose(0, 1) if across and len(rows) > 1 else x
    with torch.inference_mode():
        assert_close(quick(x), usual(x))


def test_it_multiplies_with_onednn() -> None:
    usual, quick = pair()
    x = torch.randn(3, 24)
    with torch.inference_mode(), torch.profiler.profile() as seen:
        quick(x)
    assert "mkldnn::_linear_pointwise" in {event.key for event in seen.key_averages()}
    assert type(quick) is OneDNNLinear
    assert type(usual) is nn.Linear


@pytest.mark.parametrize("learning", ["weight", "bias", ""])
def test_gradients_are_the_usual_ones(learning: str) -> None:
    usual, quick = pair()
    x, y = (torch.linspace(-1, 1, 72).view(3, 24).requires_grad_(learning != "bias") for _ in range(2))
    for layer, entered in ((usual, x), (quick, y)):
        for name, part in layer.named_parameters():
            part.requires_grad_(name == learning)
        layer(entered).square().sum().backward()
    assert learning == "bias" or x.grad is not None
    assert_close(y.grad, x.grad)
    assert_close(quick.weight.grad, usual.weight.grad)
    assert_close(quick.bias.grad, usual.bias.grad)


def test_a_bias_with_gaps_is_read_as_it_is() -> None:
    usual, quick = pair()
    quick.bias = nn.Parameter(torch.stack([usual.bias.detach(), torch.zeros(10)], 1)[:, 0])
    with torch.inference_mode():
        assert_close(quick(torch.ones(2, 24)), usual(torch.ones(2, 24)))


def test_it_compiles() -> None:
    usual, quick = pair()
    with torch.no_grad():
        assert_close(torch.compile(quick, backend="aot_eager")(torch.ones(2, 24)), usual(torch.ones(2, 24)))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_other_precisions_stay_as_they_are(dtype: torch.dtype) -> None:
    usual, quick = pair()
    x = torch.randn(3, 24, dtype=dtype)
    assert torch.equal(quick.to(dtype)(x), usual.to(dtype)(x))


def test_what_inherits_from_a_linear_layer_stays() -> None:
    class Twice(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return 2 * super().forward(x)

    net = hasten(nn.Sequential(Twice(2, 2), nn.Linear(2, 2)))
    assert [type(layer) for layer in net] == [Twice, OneDNNLinear]


def test_a_loaded_model_is_hastened(whole_studio: Studio) -> None:
    pipeline = whole_studio.pipeline
    for part in (pipeline.unet, pipeline.text_encoder, pipeline.text_encoder_2):
        assert {type(layer) for layer in part.modules() if isinstance(layer, nn.Linear)} == {OneDNNLinear}


@given(
    shape=st.lists(st.integers(1, 6), min_size=2, max_size=4),
    axis=st.sampled_from([-1, -2]),
    correction=st.sampled_from([0, 1]),
    offset=st.sampled_from([0.0, 1000.0]),
)
def test_statistics_are_the_usual_ones(shape: list[int], axis: int, correction: int, offset: float) -> None:
    x = (torch.randn(*shape) + offset).transpose(0, 1)
    variance, mean = var_mean(x, axis, correction)
    assert_close(mean, x.mean(axis, keepdim=True))
    if x.shape[axis] == correction:
        assert variance.isnan().all(), "a single number has none, as usual"
    else:
        assert_close(variance, x.double().var(axis, correction=correction, keepdim=True).float(), atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_what_is_no_number_shows_in_statistics(wrong: float) -> None:
    variance, mean = var_mean(torch.tensor([[1.0, wrong], [1.0, 2.0]]), -1)
    assert not variance[0].isfinite()
    assert not mean[0].isfinite()
    assert_close((variance[1], mean[1]), (torch.tensor([0.5]), torch.tensor([1.5])))
