"""What the server asks of the process that measures, and what that answers. Plain data; features travel compressed."""

import json
import zlib
from dataclasses import dataclass
from pathlib import Path

from app.quality.features import Features

LEVEL = 6  # of zlib


@dataclass(frozen=True)
class Cut:
    """A part of a picture, as fractions of its width and height, 0 to 1."""

    x: float = 0.0
    y: float = 0.0
    width: float = 1.0
    height: float = 1.0


@dataclass(frozen=True)
class ToMeasure:
    """Read a picture, and compare it with references."""

    path: Path
    text: str = ""  # what it shows, without words about the look
    subject: bytes | None = None  # a grey PNG: white where the main subject is
    crop: Cut = Cut()
    references: tuple[bytes, ...] = ()  # packed features
    windows: bool = False  # it was made in windows, which can leave seams
    ends_meet: bool = False  # its left and right ends are to fit


@dataclass(frozen=True)
class MeasuredFile:
    features: bytes  # packed
    numbers: dict[str, float]  # by measure
    embedders: dict[str, str]  # the models that took part, by role


@dataclass(frozen=True)
class ToCompare:
    """Compare each picture of a set with its references, and with a sample of the others."""

    pictures: tuple[bytes, ...]
    references: tuple[bytes, ...]
    sample: tuple[int, ...]  # places in `pictures`


@dataclass(frozen=True)
class ComparedSet:
    numbers: list[dict[str, float] | None]  # of each picture, by measure; None: its features are damaged


@dataclass(frozen=True)
class NoPicture:
    """The file is no picture, or a damaged one."""


@dataclass(frozen=True)
class Models:
    """The first answer of a process, before any job."""

    failed: dict[str, str]  # a sentence by role about each model that cannot be loaded


Job = ToMeasure | ToCompare
Answer = MeasuredFile | ComparedSet | NoPicture


def packed(features: Features) -> bytes:
    return zlib.compress(json.dumps(features.to_json(), separators=(",", ":")).encode(), LEVEL)


def unpacked(data: bytes) -> Features:
    """Raises ValueError if they are damaged, or of another version."""
    try:
        return Features.from_json(json.loads(zlib.decompress(data)))
    except zlib.error as error:
        raise ValueError("features cannot be unpacked") from error


def readable(data: bytes) -> Features | None:
    """The same; None instead of an error."""
    try:
        return unpacked(data)
    except ValueError:
        return None
