"""A model that cannot be loaded gives one clear sentence."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from app.style_aligned import ModelError, Studio
from app.style_aligned.loading import DEMO, SDXL_KEYS, Placement


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DEMO, tmp_path / "model"))


def refusal(model: Path | str, **how: str) -> str:
    with pytest.raises(ModelError) as caught:
        Studio.load(str(model), **how)
    sentence = str(caught.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence


def test_a_folder_loads_and_tells_how_far_it_is(copy: Path) -> None:
    told: list[tuple[str, float]] = []
    studio = Studio.load(str(copy), device="cpu", progress=lambda what, share: told.append((what, share)))
    assert (studio.place.device.type, studio.unet.dtype, studio.vae.dtype) == ("cpu", torch.float32, torch.float32)
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert told[0] == ("Loading tokenizer", 0.0)
    assert told[-1] == ("Loaded", 1.0)


def test_precision_can_be_set() -> None:
    assert Studio.load("demo", device="cpu", precision="bfloat16").unet.dtype is torch.bfloat16


@pytest.mark.parametrize("model", ["nowhere", "/no/such/folder", "./here", "a/b/c"])
def test_a_missing_model(model: str) -> None:
    assert refusal(model).startswith(f"There is no model at {model}")


def test_an_unavailable_hub_id_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert "could not be downloaded" in refusal("soroe-tests/no-such-model")


def test_not_a_model(tmp_path: Path) -> None:
    assert "no readable model_index.json" in refusal(tmp_path)


def test_not_sdxl(copy: Path) -> None:
    index = json.loads((copy / "model_index.json").read_text())
    (copy / "model_index.json").write_text(json.dumps(index | {"_class_name": "StableDiffusionPipeline"}))
    assert "is not an SDXL model but StableDiffusionPipeline" in refusal(copy)


def test_the_refiner_is_not_a_whole_sdxl(copy: Path) -> None:
    index = json.loads((copy / "model_index.json").read_text())
    (copy / "model_index.json").write_text(json.dumps(index | {"text_encoder": [None, None]}))
    assert "it has no text encoder" in refusal(copy)


@pytest.mark.parametrize("kind", [["my_code", "UNet"], ["diffusers", "UNetOfTomorrow"]])
def test_a_part_of_unknown_kind(copy: Path, kind: list[str]) -> None:
    index = json.loads((copy / "model_index.json").read_text())
    (copy / "model_index.json").write_text(json.dumps(index | {"unet": kind}))
    assert f"{kind[1]} of {kind[0]} is not supported" in refusal(copy)


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder_2"])
def test_a_part_is_missing(copy: Path, part: str) -> None:
    shutil.rmtree(copy / part)
    assert f"The {part} of" in refusal(copy)


def test_pickles_are_refused(copy: Path, tmp_path: Path) -> None:
    weights = next((copy / "vae").glob("*.safetensors"))
    weights.rename(weights.with_suffix(".bin"))
    assert "no safetensors files" in refusal(copy)
    (tmp_path / "model.ckpt").write_bytes(b"pickle")
    assert "can carry code" in refusal(tmp_path / "model.ckpt")


def test_damaged_weights(copy: Path) -> None:
    weights = next((copy / "vae").glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:1000])
    assert "is damaged" in refusal(copy)


def test_too_little_memory(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Placement, "free_bytes", 10 * 2**20)
    assert "but only 0.0 GiB are free" in refusal(copy)


def test_a_single_file_of_another_kind(tmp_path: Path) -> None:
    file = tmp_path / "other.safetensors"
    save_file({"lora.weight": torch.zeros(1)}, file)
    assert "is not an SDXL model" in refusal(file)
    file.write_bytes(b"nothing of the kind")
    assert "is damaged" in refusal(file)


def test_a_single_sdxl_file_is_recognised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After recognition it needs the hub's tokenizers; without a network, the error says so."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    file = tmp_path / "sdxl.safetensors"
    save_file({key: torch.zeros(1) for key in SDXL_KEYS}, file)
    assert "check the network" in refusal(file)


def test_a_missing_device_is_refused() -> None:
    if not torch.cuda.is_available():
        assert refusal("demo", device="cuda") == "PyTorch finds no device cuda on this machine."
