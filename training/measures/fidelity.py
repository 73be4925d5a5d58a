"""Compare how cleanly VAEs decode:
``python -m training.measures.fidelity VAE VAE --drawn DIR --data DIR --clip CLIP``.

All decode the same latents, drawn by the UNet (`training.data.drawn`). The report gives the sharpness of their edges,
with that of the data, and the Fréchet distance to the data (Heusel et al., NeurIPS 2017, on the CLIP's vectors), with
that between two halves of the data as the floor. Smaller pictures are enlarged first, as a page shows them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional
from transformers import CLIPModel

from training.data.drawn import Drawn
from training.data.pictures import Pictures
from training.data.scenes import TRAIN
from training.measures.card import DOCS
from training.measures.examiner import Figures
from training.measures.figures import DECODERS_SHEET, filled
from training.models.clip import embed_pictures
from training.models.decoder import steepest
from training.tensors import as_pictures

BATCH = 8
MOST = 1024  # pictures of each kind
SHEET, COLUMNS = 16, 8  # pictures of each VAE in the sheet


def frechet(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """The Fréchet distance between Gaussians fitted to ``(N, W)`` and ``(M, W)``: 0 if they are equal."""
    means = one.mean(0) - other.mean(0)
    first, second = (np.cov(vectors, rowvar=False) for vectors in (one, other))
    # The trace of the product's root is the sum of the roots of its eigenvalues; only rounding makes one negative.
    root = np.sqrt(np.clip(np.real(np.linalg.eigvals(first @ second)), 0, None)).sum()
    return float(means @ means + np.trace(first) + np.trace(second) - 2 * root)


class Eye:
    """Decodes latents, and embeds pictures with a CLIP."""

    def __init__(self, clip: Path, side: int) -> None:
        self.model = CLIPModel.from_pretrained(clip, dtype=torch.float32).eval()
        self.side = side

    def vectors(self, pictures: Tensor) -> NDArray[np.float64]:
        side = self.model.config.vision_config.image_size
        parts = [functional.interpolate(part, (side, side), mode="area") for part in pictures.split(64)]
        with torch.no_grad():
            return torch.cat([embed_pictures(self.model, part) for part in parts]).double().numpy()

    def decoded(self, vae: Path, latents: NDArray[np.float16]) -> Tensor:
        """Decode scaled latents ``(N, C, H, W)``; return ``(N, 3, S, S)`` in -1..1."""
        model = AutoencoderKL.from_pretrained(vae, torch_dtype=torch.float32).eval()
        scaled = torch.from_numpy(latents).float() / model.config.scaling_factor
        with torch.no_grad():
            pictures = torch.cat([model.decode(part).sample for part in scaled.split(BATCH)])
        if pictures.shape[-1] != self.side:
            pictures = functional.interpolate(pictures, (self.side, self.side), mode="bicubic")
        return pictures.clamp(-1, 1)


def measured(vaes: list[Path], drawn: Drawn, data: Pictures, clip: Path) -> tuple[Figures, Image.Image]:
    """Return the figures, and a sheet of drawn latents decoded by each VAE, one above the other."""
    rows = np.random.default_rng(2029).permutation(data.rows(TRAIN))[: 2 * MOST]
    true = as_pictures(torch.from_numpy(np.stack([data.pixels[row] for row in rows])))
    eye = Eye(clip, true.shape[-1])
    halves = [eye.vectors(half) for half in true.chunk(2)]
    decoders, bands = [], []
    for vae in vaes:
        pictures = eye.decoded(vae, drawn.drawn[:MOST])
        decoders.append({"slope": steepest(pictures), "frechet": frechet(eye.vectors(pictures), halves[0])})
        shown = pictures[np.linspace(0, len(pictures) - 1, min(SHEET, len(pictures))).astype(int)]
        bands.append([torch.cat(list(row), -1) for row in shown.split(COLUMNS)])
    sheet = torch.cat([row for rows in zip(*bands, strict=True) for row in rows], -2)
    figures = {
        "latents": len(drawn.drawn[:MOST]),
        "decoders": decoders,
        "slope_in_data": steepest(true),
        "frechet_in_data": frechet(halves[1], halves[0]),
    }
    pixels = ((sheet + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
    return figures, Image.fromarray(pixels)


def main(
    before: Annotated[Path, typer.Argument(help="the earlier VAE", exists=True)],
    after: Annotated[Path, typer.Argument(help="the later VAE", exists=True)],
    drawn: Annotated[Path, typer.Option(help="folder made by training.data.drawn", exists=True)],
    data: Annotated[Path, typer.Option(help="the data folder", exists=True)],
    clip: Annotated[Path, typer.Option(help="a CLIP folder made by training.models.clip", exists=True)],
    first: Annotated[int | None, typer.Option(help="use only this many pictures of the data, the first ones")] = None,
    docs: Annotated[Path, typer.Option(help="the folder of demo-model.md")] = DOCS,
) -> None:
    """Compare two VAEs and write the figures into the model card."""
    figures, sheet = measured([before, after], Drawn.open(drawn), Pictures.open(data, first), clip)
    typer.echo(json.dumps(figures))
    page, kept = docs / "demo-model.md", docs / "demo-model.json"
    every = {**json.loads(kept.read_text()), "fidelity": figures}
    text = filled(page.read_text(), every)
    sheet.save(docs / "images" / DECODERS_SHEET, quality=88, method=6)
    kept.write_text(json.dumps(every, indent=1) + "\n")
    page.write_text(text)


if __name__ == "__main__":
    typer.run(main)
