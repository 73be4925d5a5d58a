"""The audit log as a CSV that spreadsheets open correctly, and from which every hash can be recomputed.

It is always in English: programs read it, and it is compared with earlier ones.
"""

import json
from collections.abc import Mapping, Sequence

from app import csv
from app.audit import words
from app.languages import ENGLISH, speaking
from app.models import AuditEvent, Base

COLUMNS = (
    "number",
    "time (UTC)",
    "person",
    "e-mail",
    "person number",
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
    return csv.BEGIN + csv.lines([COLUMNS])


def lines(found: Sequence[AuditEvent], things: Mapping[tuple[str, int], Base]) -> bytes:
    """Write one line per event; `things` comes from `queries.things`."""
    with speaking(ENGLISH):
        return csv.lines(_cells(event, things.get((event.subject, event.subject_id or 0))) for event in found)


def _cells(event: AuditEvent, thing: Base | None) -> tuple[str | int, ...]:
    return (
        event.id,
        event.at.isoformat(sep=" ", timespec="microseconds").removesuffix("+00:00"),
        words.who(event),
        event.user.email if event.user else "",
        "" if event.user_id is None else event.user_id,
        words.did(event),
        words.name_of(thing),
        event.act,
        event.subject,
        "" if event.subject_id is None else event.subject_id,
        json.dumps(event.details, ensure_ascii=False),
        event.previous,
        event.hash,
    )
