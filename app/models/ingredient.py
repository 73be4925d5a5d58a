"""What shapes a set beside its prompts, as its row keeps it: lists of parts in columns of JSON.

The form that people fill in is `app.sets.spec`'s, with its limits. Here is none: a set that an earlier release kept is
read whatever the limits are today.
"""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter
from sqlalchemy import JSON
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator


class Part(BaseModel):
    """One structure, subject or region of a set. Keys that a release of ours no longer knows are passed over."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class SetStructure(Part):
    """A map that images follow, or one map a prompt."""

    control: str  # the map's kind, which names the ControlNet
    maps: tuple[int, ...]  # ids: one for all prompts, or one each
    weight: float = 1.0  # 0 to 2
    start: float = 0.0  # the part of the denoising in which it counts, 0 to 1
    end: float = 1.0


class SetSubject(Part):
    """A subject, and how strongly it counts."""

    id: int
    weight: float = 1.0  # 0 to 2


class SetRegion(Part):
    """A part of every image with a prompt and perhaps a style of its own."""

    prompt: str
    box: tuple[float, float, float, float] | None = None  # left, top, width, height, as fractions of the image
    mask: str | None = None  # SHA-256 of a kept PNG, where there is no box
    style_version_id: int | None = None  # None: the set's own
    strength: float | None = None  # 0 to 2; None: the set's


class Parts(TypeDecorator[tuple[Any, ...]]):
    """A column with a JSON list of parts of one kind, each a `Part` to all of the app."""

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
