"""Copies of pictures for blind tests: without metadata, and both of a pair equally large."""

import io
from functools import lru_cache
from pathlib import Path

from PIL import Image

from app import slow

LONGEST = 1024  # px
QUALITY = 90  # of WebP
KEPT = 64  # copies in memory, about 10 MB


@slow.outside
def blind_copy(path: Path, longer: int) -> bytes:
    """A stored picture as WebP, whose longer side has at most `longer` px."""
    return _copy(path, min(longer, LONGEST))


@lru_cache(maxsize=KEPT)
def _copy(path: Path, longer: int) -> bytes:
    with Image.open(path) as opened:
        picture = opened.convert("RGB")
    picture.thumbnail((longer, longer), Image.Resampling.LANCZOS)
    written = io.BytesIO()
    Image.frombytes("RGB", picture.size, picture.tobytes()).save(written, "WEBP", quality=QUALITY, method=2)
    return written.getvalue()
