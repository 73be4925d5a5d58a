"""Quick previews of unfinished images: a linear map from latents to colours, fitted to the model's own VAE.

Latents of this family are nearly linear in the mean colour of their px, so C + 1 numbers per colour channel are enough
for a preview, at no cost. They are fitted once per VAE.
"""

from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from torch import Tensor

LATENTS = 32


class PreviewMap:
    """Latents (C, h, w) to small pictures of w x h px."""

    def __init__(self, encode: Callable[[Image.Image], Tensor], factor: int = 8) -> None:
        """Fit by least squares to the latents that `encode` gives for a card of soft random colours.

        The card is `LATENTS` latents wide, each `factor` px.
        """
        side = LATENTS * factor
        random = np.random.default_rng(0)
        patches = random.integers(0, 256, (side // 16, side // 16, 3), dtype=np.uint8)
        card = Image.fromarray(patches).resize((side, side), Image.Resampling.BICUBIC)
        latents = encode(card)[0].float().cpu()  # (C, h, w)
        height, width = latents.shape[-2:]
        colours = np.asarray(card.resize((width, height), Image.Resampling.BOX), dtype=np.float32).reshape(-1, 3)
        design = np.concatenate([latents.flatten(1).T.numpy(), np.ones((height * width, 1), np.float32)], axis=1)
        solution = np.linalg.lstsq(design, colours, rcond=None)[0]  # (C + 1, 3)
        self._weights = torch.from_numpy(solution[:-1].astype(np.float32))
        self._bias = torch.from_numpy(solution[-1].astype(np.float32))

    def __call__(self, latents: Tensor, size: tuple[int, int]) -> Image.Image:
        """A blurred picture of `latents` (C, h, w), enlarged to `size` (width, height)."""
        colours = torch.einsum("chw,cd->hwd", latents.float().cpu(), self._weights) + self._bias
        small = Image.fromarray(colours.clamp(0, 255).byte().numpy())
        return small.resize(size, Image.Resampling.BICUBIC)
