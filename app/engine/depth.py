"""Depth maps from single pictures, by a depth estimation model: nearer is lighter.

Such a model is small compared with SDXL, so it runs on the CPU, leaves the GPU to the pictures, and is loaded for the
first depth map.
"""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from PIL import Image

from app.engine.base import NoDepth
from app.languages import gettext as _

MULTIPLE = 14  # px: sides are rounded to this if the model's own settings do not say
SIDE = 518


@dataclass(frozen=True)
class Preparation:
    """The input format of a depth model, from its `preprocessor_config.json`."""

    size: tuple[int, int]  # width, height in px; if the aspect ratio is kept, the lesser is for the shorter side
    keeps_shape: bool
    multiple: int  # px
    mean: tuple[float, float, float]
    spread: tuple[float, float, float]

    @classmethod
    def read(cls, folder: Path) -> "Preparation":
        said = json.loads((folder / "preprocessor_config.json").read_text())
        size = said.get("size", {})
        return cls(
            size=(size.get("width", SIDE), size.get("height", SIDE)),
            keeps_shape=said.get("keep_aspect_ratio", False),
            multiple=said.get("ensure_multiple_of", MULTIPLE),
            mean=tuple(said.get("image_mean", (0.485, 0.456, 0.406))),
            spread=tuple(said.get("image_std", (0.229, 0.224, 0.225))),
        )

    def pixels(self, picture: Image.Image) -> Any:
        """The picture as a tensor (1, 3, H, W)."""
        import torch

        width, height = self.size
        if self.keeps_shape:
            scale = min(self.size) / min(picture.size)
            width, height = (max(1, round(side * scale / self.multiple)) * self.multiple for side in picture.size)
        resized = np.asarray(picture.convert("RGB").resize((width, height), Image.Resampling.BICUBIC), np.float32) / 255
        normal = (resized - np.array(self.mean, np.float32)) / np.array(self.spread, np.float32)
        return torch.from_numpy(normal).permute(2, 0, 1)[None]


class DepthModel:
    """A loaded depth model. Thread-safe; runs one call at a time."""

    def __init__(self, name: str) -> None:
        """`name` is a folder in transformers' format or a hub id. Raises NoDepth."""
        import torch
        from transformers import AutoModelForDepthEstimation

        from app.style_aligned.loading import UNLOADABLE, helper_folder
        from app.style_aligned.on_cpu import hasten
        from app.style_aligned.weights import Unusable

        try:
            folder = helper_folder(name)
            self.preparation = Preparation.read(folder)
            model = AutoModelForDepthEstimation.from_pretrained(folder, use_safetensors=True, dtype=torch.float32)
        except Unusable as error:
            raise NoDepth(_("No depth map can be created: %(error)s", error=error)) from error
        except UNLOADABLE as error:
            raise NoDepth(
                _(
                    "The depth model %(name)s cannot be loaded, so no depth map can be created; upload a ready map, or"
                    " ask an administrator to check SOROE_DEPTH_MODEL and the network.",
                    name=name,
                )
            ) from error
        self.model = hasten(model.eval().requires_grad_(False))
        self.lock = Lock()

    def __call__(self, picture: Image.Image) -> Image.Image:
        """The depth of a picture, in grey, at the picture's size: the nearest is white, the farthest black."""
        import torch

        with self.lock, torch.inference_mode():
            found = self.model(self.preparation.pixels(picture)).predicted_depth[0].float().numpy()
        far, near = float(found.min()), float(found.max())
        light = (found - far) / max(near - far, 1e-6)
        if getattr(self.model.config, "depth_estimation_type", "") == "metric":  # metres: larger is farther
            light = 1 - light
        grey = Image.fromarray((light * 255).round().astype(np.uint8))
        return grey.resize(picture.size, Image.Resampling.BICUBIC)


_loading = Lock()


def depth_model(name: str) -> DepthModel:
    """Load the depth model `name`, once. Raises NoDepth."""
    with _loading:
        return _loaded(name)


@lru_cache(maxsize=1)
def _loaded(name: str) -> DepthModel:
    return DepthModel(name)
