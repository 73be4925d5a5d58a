"""What pages watch and what stands in line."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Topic:
    """One row that work is done for, such as Topic("set", 5)."""

    noun: str
    id: int
