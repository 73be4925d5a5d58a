"""`--structure edges=chair.png,weight=0.8,end=0.7`, or `depth=ready:maps/` with a map per prompt."""

import re
from pathlib import Path
from typing import Any

from PIL import Image
from pydantic import Field

from app.cli.console import CommandRefused
from app.cli.files import ground_missing, reading, sha256
from app.decoding.limits import SUFFIXES
from app.engine.base import ModelFacts
from app.languages import N_
from app.languages import gettext as _
from app.models import MapKind
from app.pictures import Limits, clean_upload, decoded
from app.sets.spec import StructureSettings
from app.structures import maps
from app.structures.maps import DrawDepth
from app.structures.service import shape_problem
from app.text import shorten


class StructureOption(StructureSettings):
    """Pictures to make maps from, or ready maps."""

    # One for all prompts, or one each: a folder's pictures, in name order.
    files: tuple[Path, ...] = Field(title="A structure's picture", min_length=1)
    ready: bool  # they are ready maps

    def record(self, controlnet: str) -> dict[str, Any]:
        """Its entry in `set.json`."""
        given = [{"file": file.name, "sha256": sha256(file.read_bytes())} for file in self.files]
        numbers = self.model_dump(include={"weight", "start", "end"})
        return {"kind": self.control, "controlnet": controlnet, "ready": self.ready, "files": given, **numbers}

    def maps(
        self, size: tuple[int, int], model: ModelFacts, depth_map: DrawDepth, limits: Limits, ground: str = ""
    ) -> list[Image.Image]:
        """The maps for pictures of `size` px; a transparent picture is put on `ground`. Raises CommandRefused."""
        return [self._map(file, size, model, depth_map, limits, ground) for file in self.files]

    def _map(
        self, file: Path, size: tuple[int, int], model: ModelFacts, depth_map: DrawDepth, limits: Limits, ground: str
    ) -> Image.Image:
        clear = self.ready or self.control == MapKind.SILHOUETTE  # transparency says something there
        with reading(N_("structure"), file):
            clean = clean_upload(file.read_bytes(), limits, ground="" if clear else ground)
            if clean.clear and not clear:
                raise ground_missing(N_("structure"), file)
            picture = decoded(clean.png, "RGBA" if clean.clear else "RGB")
        if wrong := shape_problem(file.name, picture.size, size, model):
            raise CommandRefused(wrong)
        with reading(N_("structure"), file):
            ready = maps.ready(picture, self.control)[0] if self.ready else None
            return ready or maps.draw(picture, self.control, size, depth_map)


def read(text: str) -> dict[str, Any]:
    """Parse the fields of a `StructureOption`. Raises CommandRefused."""
    kind, _sign, rest = text.partition("=")
    if kind not in list(MapKind) or not rest:
        raise CommandRefused(
            _(
                "--structure is written KIND=FILE, with %(kinds)s for KIND, such as edges=chair.png,end=0.7; %(text)s"
                " was given.",
                kinds=", ".join(MapKind),
                text=repr(shorten(text, 80)),
            )
        )
    # Numbers come at the end: a file's name may contain commas too.
    where, numbers = rest, {}
    while found := re.fullmatch(r"(.+),(weight|start|end)=([^,]*)", where):
        where, name, value = found.groups()
        numbers[name] = value
    path = Path(where.removeprefix("ready:")).expanduser()
    return {"control": kind, "files": _files(path), "ready": where.startswith("ready:"), **numbers}


def _files(path: Path) -> tuple[Path, ...]:
    if path.is_file():
        return (path,)
    files = tuple(sorted(file for file in path.glob("*") if file.suffix.lower() in SUFFIXES)) if path.is_dir() else ()
    if not files:
        raise CommandRefused(
            _(
                "The structure %(path)s cannot be read: there is no such picture, or no picture in the folder.",
                path=path,
            )
        )
    return files
