"""Draw structure maps in a decoding process (`app/decoding`).

A picture is drawn in the process that cleaned it, so that the server decodes no upload. Must not import the tables.
"""

import hashlib
import io
from collections.abc import Mapping
from typing import Any

from PIL import Image

from app.decoding import clean
from app.decoding.thumbnails import small
from app.structures import maps

Answer = tuple[Mapping[str, Any], list[bytes]]


def map(data: bytes, asked: Mapping[str, Any]) -> Answer:
    """Draw the map of an upload and its thumbnails.

    For depth, whose model is in the engine, return the input pixels. A transparent picture, of which only a silhouette
    or a ready map can be made, is returned itself, as `clear`.
    """
    facts, (png,) = clean.cleaned(data, **asked["upload"])
    picture = Image.open(io.BytesIO(png))
    kind, size = asked["kind"], tuple(asked["size"])
    if picture.mode == "RGBA" and kind != "silhouette" and not asked["ready"]:
        thumbnails = small(picture.copy(), asked["sides"])
        return {"clear": True, "rights": facts["rights"]}, [png, *thumbnails]
    told = {"source": hashlib.sha256(png).hexdigest(), "remark": ""}
    if asked["ready"]:
        drawn, told["remark"] = maps.ready(picture, kind)
    elif kind == "depth":
        seen = maps.covering(picture.convert("RGB"), size)
        return told | {"width": seen.width, "height": seen.height}, [seen.tobytes()]
    else:
        drawn = maps.draw(picture, kind, size)
    return _kept(drawn, asked["sides"], told)


def crop(data: bytes, asked: Mapping[str, Any]) -> Answer:
    """Crop a map to its largest centred part with the shape of `size`, and make its thumbnails."""
    with Image.open(io.BytesIO(data), formats=["PNG"]) as whole:
        return _kept(maps.cropped(whole, tuple(asked["size"])), asked["sides"], {})


def _kept(drawn: Image.Image, sides: Any, told: dict[str, Any]) -> Answer:
    grey = drawn.convert("L")
    facts = told | {"width": grey.width, "height": grey.height}
    return facts, [clean.png(grey, optimize=True), *small(clean.in_rgb(grey), sides)]


JOBS = {"map": map, "crop": crop}


def warm() -> None:
    """Make one of each, so that everything is imported."""
    square = Image.new("RGB", (64, 64), "white")
    square.paste("navy", (16, 16, 48, 48))
    for kind in ("edges", "silhouette"):
        maps.draw(square, kind, (64, 64))
    maps.ready(square, "edges")
