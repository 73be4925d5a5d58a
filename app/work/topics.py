"""Topics: what pages watch, and what the queue lists."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Topic:
    """One row that work is done for, such as Topic("set", 5)."""

    noun: str
    id: int
