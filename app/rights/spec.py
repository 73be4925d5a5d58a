"""The fields of the form that records rights."""

from datetime import date
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field

from app.specs import Line, Spec
from app.text import clean_line, clean_text

LONG = 2000  # characters
REASON_LONG = 500


def _day(value: object) -> object:
    try:
        return date.fromisoformat(value.strip()) if isinstance(value, str) else value
    except ValueError:
        raise ValueError(f"Write a date as 2026-12-31; {str(value)[:40]!r} was given.") from None


def _address(value: object) -> object:
    """Accept only what a browser opens as a page: everyone sees the link."""
    text = clean_line(value) if isinstance(value, str) else ""
    try:
        parts = urlsplit(text)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError(f"The source link begins with https:// or http://; {text[:80]!r} was given.")
    return text


def _text(value: object) -> object:
    return clean_text(value) if isinstance(value, str) else value


Day = Annotated[date | None, BeforeValidator(_day)]
Text = Annotated[str, BeforeValidator(_text)]


class RightsSpec(Spec):
    """The rights to a reference, as someone records them."""

    supplied_by: Line = Field(default="", title="Supplied by", max_length=200)
    owned_by: Line = Field(title="Owned by", min_length=1, max_length=200)
    licence: Line = Field(title="Licence", min_length=1, max_length=200)
    allows: Text = Field(default="", title="What it allows", max_length=LONG)
    territory: Line = Field(default="", title="Territory", max_length=200)
    valid_from: Day = Field(default=None, title="From")
    valid_until: Day = Field(default=None, title="Until")
    source_url: Annotated[str, BeforeValidator(_address)] = Field(default="", title="Source link", max_length=LONG)
    note: Text = Field(default="", title="Note", max_length=LONG)


class Reason(Spec):
    reason: Line = Field(title="The reason", min_length=1, max_length=REASON_LONG)
