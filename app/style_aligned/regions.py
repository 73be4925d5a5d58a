"""Parts of a picture with their own prompt and look: several styles in one picture.

Source: MultiDiffusion (arXiv 2302.08113), section 4.2: every region's prompt predicts the whole view, and each latent
combines the predictions of the regions over it. Here a region can also share the look of its own reference.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from app.style_aligned.reference import Reference
from app.style_aligned.sharing import Sharing

MASK_SIDE = 512  # px of a box's mask


@dataclass(frozen=True)
class Region:
    """A prompt, and optionally a look, for one part of every image."""

    prompt: str
    mask: Image.Image
    """White inside the region, black outside, grey where it blends with what is below; resized to the images."""
    reference: Reference | Sequence[Reference] | None = None
    """The references for its look; None: those of the rest of the image."""
    sharing: Sharing | None = None
    """How it shares with its look; None: as the rest of the image."""
    object: str = ""
    """The words of its prompt that name what it shows."""

    @classmethod
    def box(
        cls,
        prompt: str,
        box: tuple[float, float, float, float],
        reference: Reference | Sequence[Reference] | None = None,
        sharing: Sharing | None = None,
        object: str = "",
    ) -> Self:
        """The region in `box`: left, top, width, height as fractions of the image, 0 to 1. Raises ValueError."""
        left, top, width, height = box
        if not (0 <= left < left + width <= 1 + 1e-6 and 0 <= top < top + height <= 1 + 1e-6):
            raise ValueError(f"a region's box must lie within the image, in fractions of its sides; {box} was given")
        mask = Image.new("L", (MASK_SIDE, MASK_SIDE))
        corners = [round(side * MASK_SIDE) for side in (left, top, left + width, top + height)]
        ImageDraw.Draw(mask).rectangle((corners[0], corners[1], corners[2] - 1, corners[3] - 1), fill=255)
        return cls(prompt, mask, reference, sharing, object)

    def __post_init__(self) -> None:
        if not self.mask.convert("L").getbbox():
            raise ValueError(f"the region of {self.prompt!r} is empty: its mask is black")

    def weights(self, height: int, width: int) -> Tensor:
        """How much of each latent (height, width) belongs to this region, 0 to 1."""
        small = self.mask.convert("L").resize((width, height), Image.Resampling.BOX)
        return torch.from_numpy(np.array(small, np.float32) / 255)


def split(regions: Sequence[Region], height: int, width: int) -> tuple[Tensor, list[Tensor]]:
    """Weights (height, width) of the rest of the image, and of each region; later regions cover earlier ones."""
    rest = torch.ones(height, width)
    covered: list[Tensor] = []
    for region in reversed(regions):
        weights = region.weights(height, width)
        covered.insert(0, weights * rest)
        rest = rest * (1 - weights)
    return rest, covered


def ground_of(latents: Tensor) -> Tensor:
    """Latents (N, C, 1, 1) of the plain background of pictures (N, C, h, w): the mean along their edges."""
    edges = [latents[..., 0, :], latents[..., -1, :], latents[..., 0], latents[..., -1]]
    return torch.cat(edges, -1).mean(-1)[..., None, None]
