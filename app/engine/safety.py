"""Whether a picture may be unsafe to show, by an image classifier that the operator chose.

Such a model is small compared with SDXL: it runs on the CPU, after the picture is decoded, and takes a fraction of one
of its steps. It comes as transformers publishes image classifiers: a configuration, how pictures are prepared, weights
in safetensors.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import structlog
from PIL import Image

from app.errors import UserError
from app.languages import gettext as _
from app.settings import Settings

log = structlog.get_logger()

SIDE = 224  # px, if the model's own settings do not say
DIGITS = 4  # of a score


class CannotCheck(UserError):
    """The classifier is not available. The message is a sentence for the operator."""

    status = 503


@dataclass(frozen=True)
class ClassifierInput:
    """How pictures are prepared, from a model's `preprocessor_config.json`."""

    size: tuple[int, int]  # width, height in px
    mean: tuple[float, float, float]
    spread: tuple[float, float, float]

    @classmethod
    def read(cls, folder: Path) -> "ClassifierInput":
        said = json.loads((folder / "preprocessor_config.json").read_text())
        size = said.get("size", SIDE)
        if isinstance(size, dict):
            shortest = size.get("shortest_edge", SIDE)
            size = size.get("width", shortest), size.get("height", shortest)
        else:
            size = size, size
        normal = said.get("do_normalize", True)
        mean = tuple(said.get("image_mean", (0.5, 0.5, 0.5))) if normal else (0.0, 0.0, 0.0)
        return cls(size, mean, tuple(said.get("image_std", (0.5, 0.5, 0.5))) if normal else (1.0, 1.0, 1.0))

    def pixels(self, picture: Image.Image) -> Any:
        """An RGB picture as a tensor (1, 3, H, W)."""
        import torch

        small = np.asarray(picture.convert("RGB").resize(self.size, Image.Resampling.BICUBIC), np.float32) / 255
        normal = (small - np.array(self.mean, np.float32)) / np.array(self.spread, np.float32)
        return torch.from_numpy(normal).permute(2, 0, 1)[None]


class SafetyModel:
    """A loaded image classifier, and which of its labels are unsafe."""

    def __init__(self, name: str, labels: str) -> None:
        """`name` is a folder in transformers' format or a hub id, `labels` names the unsafe ones, by commas.

        Raises CannotCheck.
        """
        self._input, self._model = _loaded(name)
        known: dict[Any, str] = self._model.config.id2label
        wanted = {label.strip().casefold() for label in labels.split(",")}
        self.unsafe = [int(index) for index, label in known.items() if label.casefold() in wanted]
        if not self.unsafe:
            raise CannotCheck(
                _(
                    "The safety classifier %(name)s has none of the labels in SOROE_SAFETY_LABELS, so pictures are NOT"
                    " checked. Its labels are: %(known)s.",
                    name=name,
                    known=", ".join(known.values()),
                )
            )

    def score(self, picture: Image.Image) -> float:
        """How likely a picture is unsafe, 0 to 1: the probability of its unsafe labels together."""
        import torch

        with torch.inference_mode():
            found = self._model(self._input.pixels(picture)).logits[0].float().softmax(0)
        return round(float(found[self.unsafe].sum()), DIGITS)


def _loaded(name: str) -> tuple[ClassifierInput, Any]:
    """A classifier, and how its pictures are prepared. Raises CannotCheck."""
    import torch
    from transformers import AutoModelForImageClassification

    from app.style_aligned.loading import UNLOADABLE, helper_folder
    from app.style_aligned.on_cpu import hasten

    try:
        folder = helper_folder(name)
        prepared = ClassifierInput.read(folder)
        model = AutoModelForImageClassification.from_pretrained(folder, use_safetensors=True, dtype=torch.float32)
    except UNLOADABLE as error:
        raise CannotCheck(
            _(
                "The safety classifier %(name)s cannot be loaded, so pictures are NOT checked. Check SOROE_SAFETY"
                " and the network, then restart the server.",
                name=name,
            )
        ) from error
    return prepared, hasten(model.eval().requires_grad_(False))


class SafetyCheck:
    """Checks finished pictures, if the settings name a classifier that can be loaded."""

    def __init__(self, settings: Settings) -> None:
        self._threshold = settings.safety_threshold
        self._model: SafetyModel | None = None
        if settings.safety:
            try:
                self._model = SafetyModel(settings.safety, settings.safety_labels)
            except CannotCheck as error:
                log.error(str(error))

    def flag(self, picture: Image.Image) -> float | None:
        """The score of a picture that is flagged; None for one that is not, or that was not checked."""
        if self._model is None:
            return None
        try:
            score = self._model.score(picture)
        except Exception:
            log.exception("a picture could not be checked, so it is not flagged")
            return None
        return score if score >= self._threshold else None
