"""Emoji artwork from npm, rasterised.

The packages are openly licensed and none is share-alike, so that pictures of a model trained on them carry no
obligation but the attribution in CREDITS.md. ``openmoji`` would be one more style, but it is CC BY-SA: leave it out.
"""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.vocabulary import ICON_OF

Sprites = dict[tuple[str, str], NDArray[np.uint8]]  # (object, set) -> (R, R, 4)


@dataclass(frozen=True)
class Source:
    package: str
    version: str
    licence: str
    credit: str


# Pinned: a later release may redraw an icon, and the model could no longer be made again.
SOURCES = {
    "noto": Source("@iconify-json/noto", "1.2.9", "Apache-2.0", "Noto Emoji, Google"),
    "twemoji": Source("@iconify-json/twemoji", "1.2.5", "CC-BY-4.0", "Twemoji, Twitter and contributors"),
    "soft": Source("@iconify-json/fluent-emoji", "1.2.7", "MIT", "Fluent Emoji, Microsoft"),
    "flat": Source("@iconify-json/fluent-emoji-flat", "1.2.6", "MIT", "Fluent Emoji Flat, Microsoft"),
    "mono": Source("@iconify-json/fluent-emoji-high-contrast", "1.2.6", "MIT", "Fluent Emoji High Contrast, Microsoft"),
    "3d": Source("@lobehub/fluent-emoji-3d", "1.1.0", "MIT", "Fluent Emoji 3D, Microsoft, packaged by LobeHub"),
}


def fetch(folder: Path) -> Path:
    """Install the packages below ``folder`` unless they are there; return ``node_modules``."""
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


def _vector(icons: dict[str, Any], icon: str, side: int) -> str | None:
    parent = icons.get("aliases", {}).get(icon, {}).get("parent", icon)
    found = icons["icons"].get(parent)
    if found is None:
        return None
    width, height = (found.get(key, icons.get(key, 16)) for key in ("width", "height"))
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="0 0 {width} {height}" width="{side}" height="{side}" color="#000">{found["body"]}</svg>'
    )


def _rasterise(svg: str, side: int) -> NDArray[np.uint8]:
    import resvg_py  # an extra of its own: whoever only samples does not need it

    png = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=side, height=side))
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"))


def _rendered(modules: Path, codes: list[str], side: int) -> NDArray[np.uint8] | None:
    """The 3d picture. Some files carry the emoji presentation selector in their names, some do not."""
    folder = modules / SOURCES["3d"].package / "assets"
    for file in (folder / f"{code}{suffix}.webp" for code in codes for suffix in ("", "-fe0f")):
        if file.exists():
            with Image.open(file) as image:
                return np.asarray(image.convert("RGBA").resize((side, side), Image.Resampling.LANCZOS))
    return None


def load(modules: Path, objects: tuple[str, ...], side: int) -> Sprites:
    """Every object from every set that has it, as RGBA of ``side`` pixels."""
    sprites: Sprites = {}
    for name, source in SOURCES.items():
        if name == "3d":
            continue
        icons = json.loads((modules / source.package / "icons.json").read_text())
        for thing in objects:
            svg = _vector(icons, ICON_OF[thing], side)
            if svg is not None and (pixels := _rasterise(svg, side))[..., 3].any():
                sprites[thing, name] = pixels
    names: dict[str, str] = json.loads((modules / SOURCES["noto"].package / "chars.json").read_text())
    for thing in objects:
        codes = [code for code, icon in names.items() if icon == ICON_OF[thing]]
        if (rendered := _rendered(modules, codes, side)) is not None:
            sprites[thing, "3d"] = rendered
    return sprites


def drawn_objects(sprites: Sprites) -> set[str]:
    return {thing for thing, _ in sprites}
