"""A set as files in a folder: the pictures, a contact sheet, and `set.json` with everything needed to reproduce it."""

import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

from app import atomic, days
from app.text import slug

FORMATS = {"png": {}, "jpeg": {"quality": 95, "subsampling": 0}, "webp": {"quality": 95}}
SUFFIXES = {"png": ".png", "jpeg": ".jpg", "webp": ".webp"}
SHEET_CELL = 256  # px, the minimum width of a picture on the contact sheet
SHEET_GAP = 16  # px
SHEET_GROUND = (238, 238, 238)


class SetFolder:
    """The output folder of one set. Every file appears completely or not at all."""

    def __init__(self, path: Path, format: str = "png") -> None:
        """`format` is png, jpeg or webp. The first file creates the folder."""
        self.path, self.format = path, format
        self.pictures: dict[int, Image.Image] = {}
        self.records: list[dict[str, Any]] = []

    def save(self, index: int, picture: Image.Image, prompt: str, **record: Any) -> Path:
        """Write the picture at `index`, 0 the first, as `001-a-fox.png`, and keep it for the sheet and set.json."""
        stem = f"{index + 1:03}-{slug(prompt)}".rstrip("-")
        file = self._write(stem + SUFFIXES[self.format], picture, self.format)
        self.pictures[index] = picture
        self.records.append({"file": file.name, "prompt": prompt, **record})
        return file

    def save_sheet(self, references: Sequence[Image.Image]) -> Path:
        """Write `sheet.png`: the references first, then the pictures in prompt order."""
        pictures = [self.pictures[index] for index in sorted(self.pictures)]
        return self._write("sheet.png", contact_sheet([*references, *pictures]), "png")

    def save_record(self, **settings: Any) -> Path:
        """Write `set.json`."""
        images = sorted(self.records, key=lambda record: record["file"])
        record = {"soroe": 1, "made": days.stamped(datetime.now(UTC)), **settings, "images": images}
        file = self.path / "set.json"
        atomic.write(file, (json.dumps(record, indent=2, ensure_ascii=False) + "\n").encode())
        return file

    def _write(self, name: str, picture: Image.Image, format: str) -> Path:
        file = self.path / name
        with atomic.writing(file) as temporary:
            picture.save(temporary, format.upper(), **FORMATS[format])
        return file


def contact_sheet(pictures: Sequence[Image.Image]) -> Image.Image:
    """Arrange all pictures on one sheet, in cells of the first one's shape, with about as many columns as rows."""
    columns = min(len(pictures), max(4, math.ceil(math.sqrt(len(pictures)))))
    rows = math.ceil(len(pictures) / columns)
    width, height = pictures[-1].size
    enlarge = max(1, math.ceil(SHEET_CELL / width))
    cell = (width * enlarge, height * enlarge)
    step_x, step_y = cell[0] + SHEET_GAP, cell[1] + SHEET_GAP
    sheet = Image.new("RGB", (columns * step_x + SHEET_GAP, rows * step_y + SHEET_GAP), SHEET_GROUND)
    for place, picture in enumerate(pictures):
        fitted = ImageOps.fit(picture.convert("RGB"), cell, Image.Resampling.LANCZOS)
        sheet.paste(fitted, (SHEET_GAP + place % columns * step_x, SHEET_GAP + place // columns * step_y))
    return sheet
