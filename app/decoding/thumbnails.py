"""Thumbnails: of untrusted pictures in a decoding process, of our own in the server."""

import io
from collections.abc import Iterable

from PIL import Image


def small(picture: Image.Image, sides: Iterable[int]) -> list[bytes]:
    """WebP copies of a picture in RGB or RGBA, by their longest side; a smaller picture is not enlarged.

    Uses up the picture: a copy of it would take as much memory again.
    """
    made = {}
    wanted = list(sides)
    for side in sorted(wanted, reverse=True):
        picture.thumbnail((side, side), Image.Resampling.LANCZOS)
        copy = io.BytesIO()
        picture.save(copy, "WEBP", quality=85, method=4)
        made[side] = copy.getvalue()
    return [made[side] for side in wanted]
