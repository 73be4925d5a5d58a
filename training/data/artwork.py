"""Emoji artwork from npm, rasterised.

The packages are openly licensed and none is share-alike, so pictures of a model trained on them need no more than the
attribution in CREDITS.md. ``openmoji`` would add a style, but it is CC BY-SA: leave it out.
"""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.data.vocabulary import ICON_OF
from training.parallel import spread

Sprites = dict[tuple[str, str], NDArray[np.uint8]]  # (object, set) -> (R, R, 4)


@dataclass(frozen=True)
class Source:
    package: str
    version: str
    licence: str
    credit: str


# Pinned: a later release may redraw an icon, and the model would no longer be reproducible.
SOURCES = {
    "noto": Source("@iconify-json/noto", "1.2.9", "Apache-2.0", "Noto Emoji, Google"),
    "twemoji": Source("@iconify-json/twemoji", "1.2.5", "CC-BY-4.0", "Twemoji, Twitter and contributors"),
    "soft": Source("@iconify-json/fluent-emoji", "1.2.7", "MIT", "Fluent Emoji, Microsoft"),
    "flat": Source("@iconify-json/fluent-emoji-flat", "1.2.6", "MIT", "Fluent Emoji Flat, Microsoft"),
    "mono": Source("@iconify-json/fluent-emoji-high-contrast", "1.2.6", "MIT", "Fluent Emoji High Contrast, Microsoft"),
    "3d": Source("@lobehub/fluent-emoji-3d", "1.1.0", "MIT", "Fluent Emoji 3D, Microsoft, packaged by LobeHub"),
}


def fetch(folder: Path) -> Path:
    """Install the packages into ``folder`` if missing; return ``node_modules``. Raises RuntimeError without npm."""
    modules = folder / "node_modules"
    if all((modules / source.package).is_dir() for source in SOURCES.values()):
        return modules
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeError("npm is needed to fetch the emoji artwork: install Node.js, then run this again")
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [f"{source.package}@{source.version}" for source in SOURCES.values()]
    options = ["--prefix", str(folder), "--no-audit", "--no-fund", "--ignore-scripts"]
    subprocess.run([npm, "install", *options, *wanted], check=True)  # noqa: S603
    return modules


@dataclass(frozen=True)
class Original:
    """One object of one icon set, as the package has it."""

    thing: str
    source: str  # a name in SOURCES
    art: str | Path  # SVG text, or the path of a rendering

    def rasterised(self, side: int) -> NDArray[np.uint8]:
        """Rasterise to RGBA, uint8 ``(side, side, 4)``."""
        if isinstance(self.art, Path):
            with Image.open(self.art) as image:
                return np.asarray(image.convert("RGBA").resize((side, side), Image.Resampling.LANCZOS))
        import resvg_py  # imported here because it is an optional extra: sampling does not need it

        sized = self.art.replace("<svg ", f'<svg width="{side}" height="{side}" ', 1)  # always square
        png = bytes(resvg_py.svg_to_bytes(svg_string=sized, width=side, height=side))
        return np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"))


def _vector(icons: dict[str, Any], icon: str) -> str | None:
    parent = icons.get("aliases", {}).get(icon, {}).get("parent", icon)
    found = icons["icons"].get(parent)
    if found is None:
        return None
    width, height = (found.get(key, icons.get(key, 16)) for key in ("width", "height"))
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="0 0 {width} {height}" color="#000">{found["body"]}</svg>'
    )


def _rendering(modules: Path, codes: list[str]) -> Path | None:
    """Find the 3d picture. Some file names contain the emoji presentation selector, some do not."""
    folder = modules / SOURCES["3d"].package / "assets"
    files = (folder / f"{code}{suffix}.webp" for code in codes for suffix in ("", "-fe0f"))
    return next((file for file in files if file.exists()), None)


def originals(modules: Path, objects: tuple[str, ...]) -> Iterator[Original]:
    """Yield every object from every set that has it."""
    for name in (name for name in SOURCES if name != "3d"):
        icons = json.loads((modules / SOURCES[name].package / "icons.json").read_text())
        for thing in objects:
            if (svg := _vector(icons, ICON_OF[thing])) is not None:
                yield Original(thing, name, svg)
    names: dict[str, str] = json.loads((modules / SOURCES["noto"].package / "chars.json").read_text())
    for thing in objects:
        codes = [code for code, icon in names.items() if icon == ICON_OF[thing]]
        if (file := _rendering(modules, codes)) is not None:
            yield Original(thing, "3d", file)


def load(modules: Path, objects: tuple[str, ...], side: int, workers: int = 1) -> Sprites:
    """Rasterise every object from every set that has it, each RGBA, uint8 ``(side, side, 4)``."""
    found = list(originals(modules, objects))
    drawn = spread(partial(Original.rasterised, side=side), found, workers)
    pairs = zip(found, drawn, strict=True)
    return {(one.thing, one.source): pixels for one, pixels in pairs if pixels[..., 3].any()}


def save(sprites: Sprites, folder: Path) -> None:
    """Write ``sprites.npy`` ``(N, R, R, 4)``, then their names, which mark it complete, for the drawing processes."""
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "sprites.npy", np.stack(list(sprites.values())))
    (folder / "sprites.json").write_text(json.dumps([list(name) for name in sprites]))


def is_saved(folder: Path) -> bool:
    return (folder / "sprites.json").exists()


def open_saved(folder: Path) -> Sprites:
    """Open the saved sprites memory-mapped, shared between processes."""
    pixels = np.load(folder / "sprites.npy", "r")
    names = json.loads((folder / "sprites.json").read_text())
    return {(thing, source): pixels[row] for row, (thing, source) in enumerate(names)}


def drawn_objects(sprites: Sprites) -> set[str]:
    return {thing for thing, _ in sprites}
