"""What is drawn for texts that the model cannot read as they are written, such as prompts in Japanese."""

from collections.abc import Mapping

from sqlalchemy import JSON
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import TypeDecorator


class Drawn(TypeDecorator[Mapping[str, str]]):
    """A JSON column of English texts by what was written; NULL for none."""

    impl = JSON(none_as_null=True)
    cache_ok = True

    def process_bind_param(self, value: Mapping[str, str] | None, dialect: Dialect) -> dict[str, str] | None:
        return dict(value) if value else None

    def process_result_value(self, value: Mapping[str, str] | None, dialect: Dialect) -> Mapping[str, str]:
        return value or {}


class DrawnColumns:
    """The column of a row with texts."""

    drawn_as: Mapped[Mapping[str, str]] = mapped_column(Drawn, nullable=True, default=dict)

    def said(self, text: str) -> str:
        """What the model gets for one of the row's texts."""
        return (self.drawn_as or {}).get(text, text)
