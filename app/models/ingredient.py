"""Ingredients of a set besides its prompts, as stored in its row: lists of parts in JSON columns.

The form that people fill in is in `app.sets.spec`, with its limits. There are none here: a set from an earlier release
must stay readable if limits change.
"""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter
from sqlalchemy import JSON
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator


class Part(BaseModel):
    """One structure, subject or region of a set. Ignores keys that no longer exist."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class SetStructure(Part):
    """A map that images follow, or one map per prompt."""

    control: str  # the kind of map, which selects the ControlNet
    maps: tuple[int, ...]  # ids: one for all prompts, or one each
    weight: float = 1.0  # 0 to 2
    start: float = 0.0  # the part of the denoising in which it applies, 0 to 1
    end: float = 1.0


class SetSubject(Part):
    """A subject and its weight."""

    id: int
    weight: float = 1.0  # 0 to 2


class SetRegion(Part):
    """A part of every image with its own prompt and optionally its own style."""

    prompt: str
    box: tuple[float, float, float, float] | None = None  # left, top, width, height, as fractions of the image
    mask: str | None = None  # SHA-256 of a stored PNG, if there is no box
    style_version_id: int | None = None  # None: the set's own
    strength: float | None = None  # 0 to 2; None: the set's


class Parts(TypeDecorator[tuple[Any, ...]]):
    """A JSON column with a list of parts of one kind; the app sees `Part` objects."""

    impl = JSON
    cache_ok = True

    def __init__(self, kind: type[Part]) -> None:
        super().__init__()
        self.kind = kind
        self._list: TypeAdapter[tuple[Part, ...]] = TypeAdapter(tuple[kind, ...])  # type: ignore[valid-type]

    def process_bind_param(self, value: Sequence[Any] | None, dialect: Dialect) -> list[dict[str, Any]]:
        return [part.model_dump(mode="json") for part in self._list.validate_python(value or ())]

    def process_result_value(self, value: list[dict[str, Any]] | None, dialect: Dialect) -> tuple[Any, ...]:
        return self._list.validate_python(value or ())
