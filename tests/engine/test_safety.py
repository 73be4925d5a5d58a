"""The safety classifier, loaded and asked as a real one: a tiny random one, made here."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from transformers import ViTConfig, ViTForImageClassification

from app.engine.safety import CannotCheck, ClassifierInput, SafetyCheck, SafetyModel
from app.settings import Settings

LABELS = "nsfw, Hentai"
PREPARED = {"size": {"height": 32, "width": 32}, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier of three labels that finds red pictures unsafe, by its last layer."""
    folder = tmp_path_factory.mktemp("safety")
    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=32,
        patch_size=16,
        id2label={0: "normal", 1: "NSFW", 2: "hentai"},
        label2id={"normal": 0, "NSFW": 1, "hentai": 2},
    )
    ViTForImageClassification(config).save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(PREPARED))
    return folder


def expected(folder: Path, picture: Image.Image) -> float:
    """The probability of the unsafe labels, by transformers itself."""
    model = ViTForImageClassification.from_pretrained(folder).eval()
    pixels = ClassifierInput.read(folder).pixels(picture)
    with torch.no_grad():
        return float(model(pixels).logits.softmax(1)[0, 1:].sum())


@pytest.mark.parametrize("colour", ["red", "white", "teal"])
def test_the_score_is_that_of_the_unsafe_labels(folder: Path, colour: str) -> None:
    picture = Image.new("RGB", (96, 64), colour)
    model = SafetyModel(str(folder), LABELS)
    assert model.unsafe == [1, 2]
    assert model.score(picture) == pytest.approx(expected(folder, picture), abs=1e-4)
    assert 0 < model.score(picture) < 1


def test_a_picture_is_flagged_from_the_threshold_on(folder: Path) -> None:
    picture = Image.new("RGB", (64, 64), "red")
    score = SafetyModel(str(folder), LABELS).score(picture)
    for threshold, flagged in ((score, score), (score + 1e-3, None)):
        settings = Settings(safety=str(folder), safety_labels=LABELS, safety_threshold=threshold)
        assert SafetyCheck(settings).flag(picture) == flagged


def test_without_the_setting_nothing_is_loaded_or_flagged() -> None:
    assert SafetyCheck(Settings()).flag(Image.new("RGB", (8, 8))) is None


@pytest.mark.parametrize("broken", ["no folder", "no weights", "no input", "damaged", "other labels"])
def test_what_cannot_be_loaded_says_that_pictures_are_not_checked(folder: Path, tmp_path: Path, broken: str) -> None:
    if broken != "no folder":
        for file in folder.iterdir():
            (tmp_path / file.name).write_bytes(file.read_bytes())
    if broken == "no weights":
        (tmp_path / "model.safetensors").unlink()
    if broken == "no input":
        (tmp_path / "preprocessor_config.json").unlink()
    if broken == "damaged":
        (tmp_path / "model.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0nonsense")
    name = str(tmp_path / "nowhere") if broken == "no folder" else str(tmp_path)
    labels = "violence" if broken == "other labels" else LABELS
    with pytest.raises(CannotCheck, match="pictures are NOT checked") as error:
        SafetyModel(name, labels)
    assert str(error.value).endswith(".")
    if broken == "other labels":
        assert "normal, NSFW, hentai" in str(error.value)
    check = SafetyCheck(Settings(safety=name, safety_labels=labels))
    assert check.flag(Image.new("RGB", (8, 8))) is None


def test_a_failing_check_does_not_lose_the_picture(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(self: SafetyModel, picture: Any) -> float:
        raise RuntimeError("no memory")

    check = SafetyCheck(Settings(safety=str(folder), safety_labels=LABELS, safety_threshold=0.01))
    assert check.flag(Image.new("RGB", (8, 8))) is not None
    monkeypatch.setattr(SafetyModel, "score", fails)
    assert check.flag(Image.new("RGB", (8, 8))) is None
