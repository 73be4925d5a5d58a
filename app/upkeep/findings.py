"""What a check of the data finds."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Progress = Callable[[str, int, int], None]
"""Called with what is being checked, how much of it is done, and the total."""


def silent(what: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


class Area(StrEnum):
    """What a finding is about, in the order of the report."""

    DATABASE = "database"
    AUDIT = "audit log"
    FILES = "files"
    ORPHANS = "files without a row"
    THUMBNAILS = "thumbnails"
    EXPORTS = "exports"
    COUNTS = "counts"
    STATES = "states"


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be."""

    area: Area
    sentence: str  # names it
    remedy: str  # what `soroe check --repair` does, or what a person can do
    repairable: bool = False
    about: Any = field(default=None, compare=False)  # what the repair of its area needs to know
