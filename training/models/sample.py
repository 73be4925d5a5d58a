"""Draw a sheet at fixed prompts and seeds: ``python -m training.models.sample PIPELINE --out sheet.png``.

The same prompts with the same noise after every checkpoint show progress better than any loss.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from diffusers import StableDiffusionXLPipeline
from numpy.typing import NDArray
from PIL import Image

# Every look once, each with another object, then objects without a look.
PROMPTS = (
    "a fox, flat design",
    "a teapot, watercolor",
    "a house, neon sign",
    "a guitar, blueprint",
    "a rose, sticker",
    "a rocket, 3d render",
    "a car, pop art",
    "an owl, vintage poster",
    "a whale, papercut",
    "a castle, sunset silhouette",
    "a birthday cake, pixel art",
    "a camera, linocut print",
    "a teddy bear, oil painting",
    "a bicycle, risograph print",
    "a cat, chalk drawing",
    "a sailboat, pencil sketch",
    "a tulip, mosaic",
    "a key, black icon",
    "a crown",
    "a mushroom",
)
COLUMNS = 10
STEPS = 20
GUIDANCE = 4.0
FIRST_SEED = 100


def load(folder: Path, device: torch.device) -> StableDiffusionXLPipeline:
    """Load a pipeline: in float32 on a CPU, where half precision is slow and partly unsupported."""
    kind = torch.float32 if device.type == "cpu" else torch.float16
    pipeline = StableDiffusionXLPipeline.from_pretrained(folder, torch_dtype=kind).to(device)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def draw(
    pipeline: StableDiffusionXLPipeline, prompts: list[str], side: int, first_seed: int = FIRST_SEED, batch: int = 10
) -> list[NDArray[np.uint8]]:
    """Draw one picture ``(S, S, 3)`` per prompt. Each has its own noise: the batch does not change the pictures."""
    pipeline.set_progress_bar_config(disable=True)
    pictures: list[NDArray[np.uint8]] = []
    for start in range(0, len(prompts), batch):
        part = prompts[start : start + batch]
        seeds = range(first_seed + start, first_seed + start + len(part))
        result = pipeline(
            part,
            height=side,
            width=side,
            num_inference_steps=STEPS,
            guidance_scale=GUIDANCE,
            generator=[torch.Generator().manual_seed(seed) for seed in seeds],
            output_type="np",
        )
        pictures += list((result.images * 255).round().astype(np.uint8))
    return pictures


def tiled(pictures: list[NDArray[np.uint8]], columns: int = COLUMNS) -> Image.Image:
    columns = min(columns, len(pictures))
    blank = [np.zeros_like(pictures[0])] * (-len(pictures) % columns)
    filled = pictures + blank
    rows = [np.concatenate(filled[start : start + columns], 1) for start in range(0, len(filled), columns)]
    return Image.fromarray(np.concatenate(rows, 0))


@torch.no_grad()
def sheet(pipeline: StableDiffusionXLPipeline, file: Path, side: int, prompts: tuple[str, ...] = PROMPTS) -> None:
    tiled(draw(pipeline, list(prompts), side)).save(file)


def main(
    pipeline: Annotated[Path, typer.Argument(help="a pipeline folder", exists=True)],
    out: Annotated[Path, typer.Option(help="PNG to write")],
    prompt: Annotated[list[str] | None, typer.Option(help="use instead of the fixed prompts; can be repeated")] = None,
    device: Annotated[str, typer.Option()] = "cpu",
) -> None:
    """Draw the sheet of samples."""
    loaded = load(pipeline, torch.device(device))
    side = loaded.unet.config.sample_size * loaded.vae_scale_factor
    sheet(loaded, out, side, tuple(prompt) if prompt else PROMPTS)


if __name__ == "__main__":
    typer.run(main)
