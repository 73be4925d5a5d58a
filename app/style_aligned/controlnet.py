"""ControlNet: pictures that follow a structure map (edges, depth, a silhouette) as well as a shared look.

Source: Zhang, Rao, Agrawala, "Adding Conditional Control to Text-to-Image Diffusion Models", ICCV 2023, arXiv
2302.05543. A ControlNet reads the map and adds to the output of the UNet's encoder. It affects generated images, never
their references, and each guidance branch has its own embeddings.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from app.style_aligned.panorama import Window
from app.style_aligned.sharing import check_part, within_part

KINDS = ("edges", "silhouette", "depth")  # of maps

# The control type of each kind of map in a ControlNet-Union (xinsir's order: pose, depth, soft edges, lines, normals,
# segments). A silhouette is passed as a segmentation with one segment.
UNION_MODES = {"edges": 3, "silhouette": 5, "depth": 1}

# Defaults for SDXL. Both diffusers models are under the CreativeML Open RAIL++-M licence, the Union under Apache 2.0.
SDXL_CONTROLS = {
    "edges": "diffusers/controlnet-canny-sdxl-1.0",
    "silhouette": "xinsir/controlnet-union-sdxl-1.0",
    "depth": "diffusers/controlnet-depth-sdxl-1.0",
}


@dataclass(frozen=True)
class Control:
    """A loaded ControlNet. Made by `Studio.control`."""

    net: Any  # ControlNetModel or ControlNetUnionModel
    name: str
    mode: int | None = None
    """The control type to use, for a ControlNet-Union; None for a net that knows one kind only."""


@dataclass(frozen=True)
class Structure:
    """A structure for images to follow: one map for all of them or one each, and how closely."""

    control: Control
    maps: Sequence[Image.Image]
    """Of any size: resized to that of the images."""
    weight: float = 1.0
    """0 to 2."""
    steps: tuple[float, float] = (0.0, 1.0)
    """The part of the denoising in which the map counts, 0 the first step, 1 the last."""

    def __post_init__(self) -> None:
        if not self.maps:
            raise ValueError("a structure needs at least one map; none was given")
        if not 0 <= self.weight <= 2:
            raise ValueError(f"a structure's weight must be between 0 and 2; {self.weight:g} was given")
        check_part("a structure's steps", self.steps)

    def hint(self, places: Sequence[int], size: tuple[int, int], factor: int, device: torch.device) -> "Hint":
        """Prepare the maps of the images at `places` for the ControlNet, at `size` (width, height) px."""
        maps = [self.maps[0 if len(self.maps) == 1 else place] for place in places]
        stacked = torch.from_numpy(np.stack([fitted(m, size) for m in maps])).permute(0, 3, 1, 2).to(device)
        return Hint(self.control, stacked, self.weight, self.steps, factor)


def fitted(picture: Image.Image, size: tuple[int, int]) -> NDArray[np.float32]:
    """Resize a map to `size` (width, height) px: (H, W, 3), 0..1, keeping its maximum brightness.

    Lines get fainter when a map is scaled down, and the ControlNet would ignore them.
    """
    given = picture.convert("RGB")
    pixels = np.array(given.resize(size, Image.Resampling.LANCZOS), np.float32) / 255
    before = float(np.max(given.getextrema())) / 255
    return np.clip(pixels * (before / max(float(pixels.max()), 1 / 255)), 0, 1)


@dataclass(frozen=True)
class Hint:
    """A structure ready for the sampler."""

    control: Control
    pixels: Tensor  # (N, 3, H, W), 0..1
    weight: float
    steps: tuple[float, float]
    factor: int  # px per latent

    def active(self, step: int, steps: int) -> bool:
        """Whether the map counts in step `step`, 0 to `steps` - 1."""
        return self.weight > 0 and within_part(self.steps, step, steps)

    def within(self, window: Window) -> "Hint":
        """Crop the maps to a window of the latents."""
        return replace(self, pixels=window.times(self.factor).cut(self.pixels))


def residuals(hints: Sequence[Hint], x: Tensor, t: Tensor | float, arguments: dict[str, Any]) -> dict[str, Any]:
    """Compute what the ControlNets add to the UNet's encoder, as keyword arguments for the UNet; several add up.

    `x` (G * N, C, h, w) and `arguments` are the UNet's own inputs, including each branch's embeddings.
    """
    down: list[Tensor] = []
    middle: Tensor | None = None
    for hint in hints:
        pixels = hint.pixels.to(x.dtype).repeat(len(x) // len(hint.pixels), 1, 1, 1)
        more, centre = _ask(hint, x, t, pixels, arguments)
        down = [a + b for a, b in zip(down, more, strict=True)] if down else list(more)
        middle = centre if middle is None else middle + centre
    return {"down_block_additional_residuals": down, "mid_block_additional_residual": middle}


def _ask(
    hint: Hint, x: Tensor, t: Tensor | float, pixels: Tensor, arguments: dict[str, Any]
) -> tuple[Sequence[Tensor], Tensor]:
    """Run one ControlNet: its residuals for each level of the encoder, and for the middle."""
    control = hint.control
    given: dict[str, Any] = {"controlnet_cond": pixels}
    if control.mode is not None:
        kinds = torch.zeros(len(x), control.net.config.num_control_type, dtype=x.dtype, device=x.device)
        kinds[:, control.mode] = 1
        given = {"controlnet_cond": [pixels], "control_type": kinds, "control_type_idx": [control.mode]}
    weight = float(hint.weight)  # a Union mistakes a whole number for a list of weights
    found: tuple[Sequence[Tensor], Tensor] = control.net(
        x, t, **given, conditioning_scale=weight, return_dict=False, **arguments
    )
    return found
