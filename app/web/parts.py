"""Long lists in parts: a page has the first rows, and "Load more" (`ui.more`) the next."""

from collections.abc import Sequence
from typing import Protocol, TypeVar


class HasId(Protocol):
    @property
    def id(self) -> int: ...


Row = TypeVar("Row", bound=HasId)


def part(found: Sequence[Row], size: int) -> tuple[Sequence[Row], int | None]:
    """The first `size` rows, and the id of the last of them if more were found, after which the next part begins."""
    shown = found[:size]
    return shown, shown[-1].id if len(found) > size else None
