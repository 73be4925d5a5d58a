"""Take all measures of a trained model:
``python -m training.measures.evaluate PIPELINE --clip CLIP --data DATA --out DIR``.

Writes ``measures.json`` and two sheets: unseen combinations, and every look without and with sharing.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from PIL import Image
from transformers import CLIPModel, CLIPTokenizer

from app.style_aligned import Studio
from training.config import SIZES, Size
from training.data.pictures import Pictures
from training.data.vocabulary import HUES
from training.measures.examiner import Examiner, Figures, Pixels
from training.models.clip import Judge
from training.models.sample import tiled
from training.models.text import Words
from training.options import Device, SizeName

MOST_BYTES = 500 * 1024  # of a sheet
UNSEEN_SHEET, SHARING_SHEET = "demo-unseen.png", "demo-sharing.png"
BAND = 9  # looks per band
TILE = 160  # px: largest side of a picture in a sheet


def in_bands(columns: list[list[Pixels]], width: int) -> list[Pixels]:
    """Arrange columns of equal length in bands of ``width`` columns, and return the tiles row by row.

    The last band is padded.
    """
    blank = [np.zeros_like(tile) for tile in columns[0]]
    filled = columns + [blank] * (-len(columns) % width)
    bands = [filled[start : start + width] for start in range(0, len(filled), width)]
    return [tile for band in bands for row in zip(*band, strict=True) for tile in row]


def save_sheet(pictures: list[Pixels], columns: int, file: Path) -> None:
    """Write a PNG of 256 colours, scaled down if it would exceed ``MOST_BYTES``."""
    sheet = tiled(pictures, columns)
    width = min(sheet.width, columns * TILE)
    while True:
        shown = sheet.resize((width, round(sheet.height * width / sheet.width)), Image.Resampling.LANCZOS)
        shown.quantize(256).save(file, optimize=True)
        if file.stat().st_size < MOST_BYTES:
            return
        width = width * 9 // 10


def load_examiner(pipeline: Path, clip: Path, size: Size, data: Path, device: str) -> Examiner:
    studio = Studio.load(str(pipeline), device)  # type: ignore[arg-type]
    model = CLIPModel.from_pretrained(clip, dtype=torch.float32).to(studio.place.device).eval()
    judge = Judge(model, Words(CLIPTokenizer.from_pretrained(clip)), size.objects, size.looks)
    return Examiner(studio, judge, size, Pictures.open(data))


def examine(examiner: Examiner, samples: int, out: Path, say: Callable[[str], None]) -> Figures:
    """Take all measures, the largest with ``samples`` pictures, others with a fraction; write the sheets to ``out``."""
    out.mkdir(parents=True, exist_ok=True)
    figures: Figures = {"size": examiner.size.name, "judge": examiner.judged()}
    say(f"judge: {json.dumps(figures['judge'])}")
    figures["unseen"], tiles = examiner.unseen()
    save_sheet(tiles, 6, out / UNSEEN_SHEET)
    say("drew the sheet of unseen combinations")
    figures["sharing"], columns = examiner.sharing(max(1, samples // 2 // len(examiner.size.looks)))
    width = min(BAND, len(columns))
    save_sheet(in_bands(columns, width), width, out / SHARING_SHEET)
    say(f"sharing: {json.dumps(figures['sharing'])}")
    for name, measure, count in (
        ("named", examiner.named, samples),
        ("colours", examiner.colours, max(len(HUES), samples // 4)),
        ("pairs", examiner.pairs, max(2, samples // 4)),
    ):
        figures[name] = measure(count)
        say(f"{name}: {json.dumps(figures[name])}")
    return figures


def main(
    pipeline: Annotated[Path, typer.Argument(help="a pipeline folder", exists=True)],
    clip: Annotated[Path, typer.Option(help="a CLIP folder made by training.models.clip", exists=True)],
    data: Annotated[Path, typer.Option(help="the data folder that both were trained on", exists=True)],
    out: Annotated[Path, typer.Option(help="folder for measures.json and the sheets")],
    size: SizeName = "small",
    samples: Annotated[int, typer.Option(help="pictures to draw for the largest measure")] = 500,
    device: Device = "auto",
) -> None:
    """Draw samples and count how often they show what their prompts request."""
    figures = examine(load_examiner(pipeline, clip, SIZES[size], data, device), samples, out, typer.echo)
    (out / "measures.json").write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    typer.run(main)
