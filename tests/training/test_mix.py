"""Weights between those of two models, and without what a third run had changed."""

import shutil

import pytest
import torch
from diffusers import StableDiffusionXLPipeline, UNet2DConditionModel
from hypothesis import given
from hypothesis import strategies as st

from training.models.mix import PARTS, mix, mixed, read

numbers = st.floats(-4, 4, width=16)


@given(before=numbers, after=numbers, change=numbers, share=st.floats(0, 1), times=st.floats(0, 2))
def test_each_weight_is_between_and_without_the_change(before, after, change, share, times):
    one, other, changed = ({"down.weight": torch.full((2, 3), value).half()} for value in (before, after, change))
    found = mixed(one, other, share, changed, times)["down.weight"]
    assert found.dtype == torch.float16
    wanted = before + share * (after - before) - times * change
    torch.testing.assert_close(found.float(), torch.full((2, 3), wanted), rtol=2e-3, atol=2e-3)


def test_nothing_is_subtracted_from_the_size_conditioning():
    name = "add_embedding.linear_1.weight"
    one, other, change = ({name: torch.full((2,), value)} for value in (1.0, 3.0, 5.0))
    assert mixed(one, other, 0.5, change, 1.0)[name].tolist() == [2.0, 2.0]


@pytest.mark.parametrize("wrong", [{"b": torch.zeros(2)}, {"a": torch.zeros(3)}, {}])
def test_models_of_different_shapes_are_refused(wrong):
    with pytest.raises(ValueError, match="differ in shape"):
        mixed({"a": torch.zeros(2)}, wrong, 0.5)


def test_a_mixture_of_pipelines_draws(unet_folder, tmp_path):
    before, after, out = unet_folder / "pipeline", tmp_path / "after", tmp_path / "out"
    shutil.copytree(before, after)
    other = UNet2DConditionModel.from_pretrained(before / "unet")
    with torch.no_grad():
        for weight in other.parameters():
            weight.add_(1)
    other.save_pretrained(after / "unet")
    mix(before, after, out, 0.5, without=(before, after), times=0.25)
    first, half = (read(folder / "unet")[0] for folder in (before, out))
    steps = {
        name: round((half[name].float() - first[name].float()).mean().item(), 2) for name in first if "conv" in name
    }
    assert set(steps.values()) == {0.25}, "half the way, less a quarter of it"
    for part in PARTS[1:]:
        assert all(torch.equal(weight, read(out / part)[0][name]) for name, weight in read(before / part)[0].items())
    pipeline = StableDiffusionXLPipeline.from_pretrained(out, torch_dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    assert pipeline("a box", num_inference_steps=1, output_type="latent").images.isfinite().all()


def test_what_does_not_fit_is_a_sentence_and_writes_nothing(unet_folder, tmp_path):
    model, out = unet_folder / "pipeline", tmp_path / "out"
    with pytest.raises(ValueError, match="has no weights"):
        mix(model, tmp_path / "nowhere", out, 0.5, without=None, times=0)
    with pytest.raises(ValueError, match="has no weights"):
        mix(model, model, out, 0.5, without=(model, tmp_path / "nowhere"), times=0.3)
    for without, times in (((model, model), 0), (None, 0.3)):
        with pytest.raises(ValueError, match="go together"):
            mix(model, model, out, 0.5, without=without, times=times)
    assert not out.exists()
    out.mkdir()
    with pytest.raises(ValueError, match="exists"):
        mix(model, model, out, 0.5, without=None, times=0)
