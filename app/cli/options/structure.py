"""Structures on the command line: `edges=chair.png,weight=0.8,end=0.7`, or `depth=ready:maps/` with a map per
prompt.
"""

import hashlib
import re
from dataclasses import dataclass
from math import log
from pathlib import Path
from typing import Any

from PIL import Image

from app.errors import UserError
from app.models import MapKind
from app.pictures import Limits, clean_upload, decoded
from app.sets.spec import MOST_STRUCTURES
from app.structures import maps
from app.structures.service import OFF
from app.text import plural, shorten

PICTURES = {".png", ".jpg", ".jpeg", ".webp"}
NUMBERS = {"weight": (1.0, 2.0), "start": (0.0, 1.0), "end": (1.0, 1.0)}  # default and maximum


@dataclass(frozen=True)
class StructureOption:
    """A parsed `--structure`."""

    kind: MapKind
    files: tuple[Path, ...]
    """One for all prompts, or one each: a folder's pictures, in name order."""
    ready: bool
    weight: float
    start: float
    end: float

    def record(self, controlnet: str) -> dict[str, Any]:
        """Its entry in `set.json`."""
        given = [{"file": f.name, "sha256": hashlib.sha256(f.read_bytes()).hexdigest()} for f in self.files]
        numbers = {"weight": self.weight, "start": self.start, "end": self.end}
        return {"kind": str(self.kind), "controlnet": controlnet, "ready": self.ready, "files": given, **numbers}

    def maps(self, size: tuple[int, int], depth_model: str, limits: Limits) -> list[Image.Image]:
        """The maps for pictures of `size` px. Raises UserError."""
        return [self._map(file, size, depth_model, limits) for file in self.files]

    def _map(self, file: Path, size: tuple[int, int], depth_model: str, limits: Limits) -> Image.Image:
        try:
            clean = clean_upload(file.read_bytes(), limits, keep_clear=True)
            picture = decoded(clean.png, "RGBA" if clean.clear else "RGB")
            off = abs(log(picture.width / picture.height * size[1] / size[0]))
            if off > OFF:
                raise UserError(
                    f"It is {picture.width} × {picture.height} px and pictures of {size[0]} × {size[1]} would "
                    "distort it; crop it, or choose a --size of its shape."
                )
            ready = maps.ready(picture, self.kind)[0] if self.ready else None
            return ready or maps.draw(picture, self.kind, size, depth_model)
        except UserError as error:
            raise UserError(f"The structure {file} cannot be used: {error}") from error
        except OSError as error:
            raise UserError(f"The structure {file} cannot be read: {error.strerror}.") from error


def read(texts: list[str], prompts: int) -> list[StructureOption]:
    """Parse all of the command's structures for this number of prompts. Raises UserError."""
    if len(texts) > MOST_STRUCTURES:
        raise UserError(f"A set takes at most {MOST_STRUCTURES} structures; {len(texts)} were given.")
    options = [parse(text) for text in texts]
    for option in options:
        if len(option.files) not in (1, prompts):
            raise UserError(
                f"There are {plural(len(option.files), 'map')} of {option.kind} for {plural(prompts, 'prompt')}; "
                "give one for all, or one for each prompt."
            )
    return options


def parse(text: str) -> StructureOption:
    """Parse one structure. Raises UserError."""
    kind, _, rest = text.partition("=")
    if kind not in list(MapKind) or not rest:
        raise UserError(
            f"--structure is written KIND=FILE, with {', '.join(MapKind)} for KIND, such as edges=chair.png,end=0.7; "
            f"{shorten(text, 80)!r} was given."
        )
    # Numbers come at the end: a file's name may contain commas too.
    where, numbers = rest, {name: usual for name, (usual, _) in NUMBERS.items()}
    while found := re.fullmatch(rf"(.+),({'|'.join(NUMBERS)})=([^,]*)", where):
        where, name, value = found.groups()
        numbers[name] = _number(name, value)
    if numbers["start"] > numbers["end"]:
        raise UserError(
            f"A structure starts before it ends; from {numbers['start']:g} to {numbers['end']:g} was given."
        )
    path = Path(where.removeprefix("ready:")).expanduser()
    return StructureOption(MapKind(kind), _files(path), where.startswith("ready:"), **numbers)


def _number(name: str, text: str) -> float:
    most = NUMBERS[name][1]
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= most:
        raise UserError(f"A structure's {name} is a number from 0 to {most:g}; {text!r} was given.")
    return value


def _files(path: Path) -> tuple[Path, ...]:
    if path.is_file():
        return (path,)
    files = tuple(sorted(file for file in path.glob("*") if file.suffix.lower() in PICTURES)) if path.is_dir() else ()
    if not files:
        raise UserError(f"The structure {path} cannot be read: there is no such picture, or no picture in the folder.")
    return files
