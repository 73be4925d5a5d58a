"""Depth by small models in the real formats, made here with random weights."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import (
    DepthAnythingConfig,
    DepthAnythingForDepthEstimation,
    Dinov2Config,
    DPTConfig,
    DPTForDepthEstimation,
)

from app.engine import depth
from app.engine.base import NoDepth
from app.models import MapKind
from app.structures import maps


def depth_anything(folder: Path, kind: str = "relative") -> Path:
    backbone = Dinov2Config(
        hidden_size=24,
        num_hidden_layers=4,
        num_attention_heads=2,
        out_features=["stage1", "stage2", "stage3", "stage4"],
        apply_layernorm=True,
        reshape_hidden_states=False,
        image_size=70,
        patch_size=14,
    )
    config = DepthAnythingConfig(
        backbone_config=backbone,
        reassemble_hidden_size=24,
        patch_size=14,
        neck_hidden_sizes=[8, 8, 8, 8],
        fusion_hidden_size=8,
        head_hidden_size=8,
        depth_estimation_type=kind,
        max_depth=20 if kind == "metric" else 1,
    )
    opinionated(DepthAnythingForDepthEstimation(config)).save_pretrained(folder)
    preparation = {
        "image_processor_type": "DPTImageProcessor",
        "size": {"height": 70, "width": 70},
        "keep_aspect_ratio": True,
        "ensure_multiple_of": 14,
        "image_mean": [0.485, 0.456, 0.406],
        "image_std": [0.229, 0.224, 0.225],
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(preparation))
    return folder


def opinionated(model: Any) -> Any:
    """With weights so large that not everything looks equally far away, the same each time."""
    generator = torch.Generator().manual_seed(0)
    for weight in (p for p in model.parameters() if p.dim() > 1):
        weight.data = torch.randn(weight.shape, generator=generator) * 0.2
    return model


def dpt(folder: Path) -> Path:
    config = DPTConfig(
        hidden_size=24,
        num_hidden_layers=4,
        num_attention_heads=2,
        intermediate_size=48,
        image_size=64,
        patch_size=16,
        backbone_out_indices=[0, 1, 2, 3],
        neck_hidden_sizes=[8, 8, 8, 8],
        fusion_hidden_size=8,
    )
    opinionated(DPTForDepthEstimation(config)).save_pretrained(folder)
    preparation = {"size": {"height": 64, "width": 64}, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    preparation |= {"ensure_multiple_of": 1, "keep_aspect_ratio": False}
    (folder / "preprocessor_config.json").write_text(json.dumps(preparation))
    return folder


@pytest.fixture
def picture() -> Image.Image:
    return Image.effect_mandelbrot((200, 120), (-3, -2.5, 2, 2.5), 60).convert("RGB")


def test_a_depth_map_has_the_pictures_shape_and_the_whole_range(tmp_path: Path, picture: Image.Image) -> None:
    found = maps.draw(picture, MapKind.DEPTH, (160, 96), depth.depth_model(str(depth_anything(tmp_path))))
    assert found.mode == "L"
    assert found.size == (160, 96)
    assert np.ptp(np.asarray(found)) > 200


def test_the_nearest_is_the_lightest(tmp_path: Path, picture: Image.Image) -> None:
    """A relative model gives nearness; a metric one gives distance in metres."""
    near = depth.DepthModel(str(depth_anything(tmp_path / "relative")))
    raw = near.model(near.preparation.pixels(picture)).predicted_depth[0].detach().numpy()
    small = np.asarray(near(picture).resize(raw.shape[::-1]), float)
    assert np.corrcoef(small.ravel(), raw.ravel())[0, 1] > 0.95

    far = depth.DepthModel(str(depth_anything(tmp_path / "metric", "metric")))
    raw = far.model(far.preparation.pixels(picture)).predicted_depth[0].detach().numpy()
    small = np.asarray(far(picture).resize(raw.shape[::-1]), float)
    assert np.corrcoef(small.ravel(), raw.ravel())[0, 1] < -0.95


def test_a_dpt_model_too(tmp_path: Path, picture: Image.Image) -> None:
    assert maps.draw(picture, MapKind.DEPTH, (200, 120), depth.depth_model(str(dpt(tmp_path)))).size == (200, 120)


def test_the_model_sees_the_picture_as_its_own_processor_would_give_it(tmp_path: Path, picture: Image.Image) -> None:
    from transformers.models.dpt.image_processing_pil_dpt import DPTImageProcessorPil

    folder = depth_anything(tmp_path)
    theirs = DPTImageProcessorPil.from_pretrained(folder)(picture, return_tensors="pt").pixel_values
    ours = depth.Preparation.read(folder).pixels(picture)
    assert ours.shape == theirs.shape
    assert (ours - theirs).abs().mean() < 0.05


def test_a_model_is_loaded_once(tmp_path: Path) -> None:
    folder = str(depth_anything(tmp_path))
    assert depth.depth_model(folder) is depth.depth_model(folder)


@pytest.mark.parametrize("name", ["/nowhere/at/all", "soroe-tests/no-such-model"])
def test_an_unavailable_model_is_one_sentence(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    sentence = f"The depth model {re.escape(name)} cannot be loaded, so no depth map can be created; upload a ready map"
    with pytest.raises(NoDepth, match=sentence):
        depth.depth_model(name)


def test_pickles_are_refused(tmp_path: Path) -> None:
    folder = depth_anything(tmp_path)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(NoDepth):
        depth.depth_model(str(folder))


def test_damaged_weights_are_refused(tmp_path: Path) -> None:
    file = depth_anything(tmp_path) / "model.safetensors"
    tensors = load_file(file)
    next(iter(tensors.values())).view(-1)[0] = torch.nan
    save_file(tensors, file, {"format": "pt"})
    with pytest.raises(NoDepth, match=r"model\.safetensors is damaged: its tensor"):
        depth.depth_model(str(tmp_path))


def test_another_kind_of_model_is_refused(tmp_path: Path) -> None:
    folder = depth_anything(tmp_path)
    (folder / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(NoDepth):
        depth.depth_model(str(folder))
