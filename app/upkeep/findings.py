"""What a check of the data finds."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from app.languages import N_

Progress = Callable[[str, int, int], None]
"""Called with what is being checked, how much of it is done, and the total."""


def silent(what: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


class Area(StrEnum):
    """What a finding is about, in the order of the report."""

    DATABASE = N_("database")
    AUDIT = N_("audit log")
    FILES = N_("files")
    ORPHANS = N_("files without a row")
    THUMBNAILS = N_("thumbnails")
    EXPORTS = N_("exports")
    COUNTS = N_("counts")
    STATES = N_("states")


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be."""

    area: Area
    sentence: str  # names it
    remedy: str  # what `soroe check --repair` does, or what a person can do
    repairable: bool = False
    about: Any = field(default=None, compare=False)  # what the repair of its area needs to know
