"""Weights that are not numbers are refused before they paint pictures black, once per file."""

import os
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from app.style_aligned import ModelError, Studio
from app.style_aligned import weights as weights_module
from app.style_aligned.loading import DEMO, SDXL_KEYS, Placement, load_controlnet
from app.style_aligned.weights import CHECKED, CheckedWeights, Unusable


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DEMO, tmp_path / "model"))


def damage(file: Path, value: float = float("nan")) -> str:
    """Put a wrong number into the middle of a file's last tensor, and return the tensor's name."""
    tensors = load_file(file)
    name = [name for name, numbers in tensors.items() if numbers.is_floating_point()][-1]
    tensors[name].view(-1)[tensors[name].numel() // 2] = value
    save_file(tensors, file, {"format": "pt"})
    return name


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder", "text_encoder_2"])
@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_a_damaged_part_names_its_file_and_tensor(copy: Path, part: str, value: float) -> None:
    file = sorted((copy / part).glob("*.safetensors"))[-1]
    name = damage(file, value)
    with pytest.raises(ModelError) as refused:
        Studio.load(str(copy), device="cpu")
    assert str(refused.value) == (
        f"{file} is damaged: its tensor {name} holds infinite or missing numbers; restore it or download it again."
    )


def test_a_damaged_single_file_and_a_damaged_controlnet(copy: Path, studio: Studio, tmp_path: Path) -> None:
    single = tmp_path / "single.safetensors"
    save_file({key: torch.full((4,), torch.inf) for key in SDXL_KEYS}, single)
    with pytest.raises(ModelError, match=r"single\.safetensors is damaged: its tensor "):
        Studio.load(str(single), device="cpu")
    name = damage(copy / "controlnet_edges" / "diffusion_pytorch_model.safetensors")
    with pytest.raises(ModelError, match=f"is damaged: its tensor {name} holds"):
        load_controlnet(str(copy / "controlnet_edges"), studio.unet, studio.factor, Placement.choose("cpu"))


def test_a_hub_model_is_checked_too(copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its files are links to blobs, as the hub's own cache has them."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("app.style_aligned.loading._download", lambda hub_id, place: copy)
    file = copy / "vae" / "diffusion_pytorch_model.safetensors"
    name = damage(file)
    blob = file.rename(tmp_path / "blob")
    file.symlink_to(blob)
    with pytest.raises(ModelError, match=f"{name} holds infinite or missing numbers"):
        Studio.load("owner/name", device="cpu")


def test_a_file_is_read_once_and_again_when_it_has_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, cache = tmp_path / "a.safetensors", tmp_path / "cache"
    save_file({"a": torch.ones(3)}, file)
    read: list[Path] = []
    largest = weights_module._largest
    monkeypatch.setattr(weights_module, "_largest", lambda file: (read.append(file), largest(file))[1])
    for _ in range(2):
        CheckedWeights(cache).check([file], torch.float32)
    assert read == [file]
    damage(file)
    for _ in range(2):
        with pytest.raises(Unusable):
            CheckedWeights(cache).check([file], torch.float32)
    assert read == [file] * 3, "a refusal is not remembered"
    (cache / CHECKED).write_bytes(b"[cut o")
    save_file({"a": torch.ones(3)}, file)
    os.utime(file, ns=(1, 1))
    CheckedWeights(cache).check([file], torch.float32)
    assert len(read) == 4


def test_numbers_that_the_format_cannot_hold_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "large.safetensors"
    save_file({"a": torch.tensor([1.0, -1e5]), "count": torch.tensor([3])}, file)
    checked = CheckedWeights(tmp_path)
    checked.check([file], torch.bfloat16)
    with pytest.raises(Unusable, match="holds numbers too large for float16; set SOROE_PRECISION to bfloat16"):
        checked.check([file], torch.float16)


def test_what_is_kept_belongs_to_the_weights_and_not_to_the_name(copy: Path, tmp_path: Path) -> None:
    moved = Path(shutil.copytree(copy, tmp_path / "moved"))
    first, same = (Studio.load(str(folder), device="cpu", cache=tmp_path / "cache") for folder in (copy, moved))
    assert first.identity == same.identity
    file = copy / "vae" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(file)
    tensors[next(iter(tensors))].add_(0.01)
    save_file(tensors, file, {"format": "pt"})
    assert Studio.load(str(copy), device="cpu", cache=tmp_path / "cache").identity != first.identity
