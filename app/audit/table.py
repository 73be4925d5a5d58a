"""The record as a CSV that spreadsheets open rightly: with a byte-order mark and harmless cells."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence

from app.audit import words
from app.exports.manifest import harmless
from app.models import AuditEvent, Base

BEGIN = "\ufeff".encode()  # tells spreadsheets that it is UTF-8
COLUMNS = (
    "number",
    "time (UTC)",
    "person",
    "e-mail",
    "did",
    "what",
    "act",
    "subject",
    "subject number",
    "details",
    "hash before",
    "hash",
)


def head() -> bytes:
    return BEGIN + _lines([COLUMNS])


def lines(found: Sequence[AuditEvent], things: Mapping[tuple[str, int], Base]) -> bytes:
    """A line an event; `things` as `queries.things` gives them."""
    return _lines(_cells(event, things.get((event.subject, event.subject_id or 0))) for event in found)


def _cells(event: AuditEvent, thing: Base | None) -> tuple[str | int, ...]:
    return (
        event.id,
        event.at.isoformat(sep=" ", timespec="seconds").removesuffix("+00:00"),
        words.who(event),
        event.user.email if event.user else "",
        words.did(event),
        words.name_of(thing),
        event.act,
        event.subject,
        "" if event.subject_id is None else event.subject_id,
        json.dumps(event.details, ensure_ascii=False),
        event.previous,
        event.hash,
    )


def _lines(rows: Iterable[Sequence[str | int]]) -> bytes:
    written = io.StringIO()
    csv.writer(written).writerows([harmless(cell) for cell in row] for row in rows)
    return written.getvalue().encode()
