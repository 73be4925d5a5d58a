"""The record as a chain, so that nobody alters, removes or slips in an event unseen.

Each event carries the SHA-256 of all its columns, its number and the hash of the event before among them. A change of
one event therefore shows, unless every later event is hashed anew as well. The head, kept apart, has the number and the
hash of the latest event, so that events missing at the end are seen too.

Who can write to the database can hash all of it anew, the head included. Against them, note the head elsewhere from
time to time: a chain that holds a hash noted earlier is, up to that event, what it was then.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, cast

from sqlalchemy import Row, Table, bindparam, func, select, true, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.errors import Conflict
from app.models import AuditEvent, AuditHead

BEGINNING = "0" * 64  # stands where the first event has no event before it
CHUNK = 1000  # events read at a time

NO_HEAD = "The head of the record was removed."

_events, _head = cast(Table, AuditEvent.__table__), cast(Table, AuditHead.__table__)
_HASHED = tuple(column.name for column in _events.c if column.name != "hash")
# Made once, and of tables rather than classes: two of them are run for every act.
_NEXT = update(_head).values(count=_head.c["count"] + bindparam("more")).returning(_head.c["count"], _head.c.hash)
_HASHED_HEAD = update(_head).values(hash=bindparam("latest"))


@dataclass(frozen=True)
class Head:
    """The end of a chain, or of the part of it that was walked."""

    count: int  # the number of the event
    hash: str


@dataclass(frozen=True)
class Verdict:
    """What a walk along the chain found."""

    count: int  # events in order
    hash: str  # of the last of them
    problem: str | None = None  # the first thing that is wrong, in a sentence; None: unbroken
    noted: int | None = None  # the number of the event whose hash had been noted elsewhere


class Broken(Conflict):
    """The message says in a sentence what is wrong with the chain, and where."""


def event_hash(event: dict[str, Any]) -> str:
    """The SHA-256 of an event's columns but its hash: of JSON with sorted names and no spaces, the time in UTC to the
    microsecond. 64 hexadecimal digits.
    """
    at: datetime = event["at"]
    written = {**event, "at": at.astimezone(UTC).isoformat(timespec="microseconds")}
    return sha256(json.dumps(written, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def head(session: Session) -> Head:
    """The end of the chain. Raises Broken when it is lost."""
    row = session.execute(select(_head.c["count"], _head.c.hash)).one_or_none()
    if row is None:
        raise Broken(NO_HEAD)
    count, hash_ = row
    return Head(count, hash_)


def append(session: Session, events: Sequence[AuditEvent]) -> None:
    """Give `events`, one or more, their numbers and hashes, move the head on to the last, and add them to the session.

    The first statement locks the head's row until the transaction ends: on any database writers take turns, and what is
    rolled back was never in the chain. Nothing is flushed, so that services may record before a row is complete.
    """
    with session.no_autoflush:
        moved = session.execute(_NEXT, {"more": len(events)}).one_or_none()
        if moved is None:
            raise Broken(NO_HEAD)
        count, latest = moved
        for number, event in enumerate(events, start=count - len(events) + 1):
            event.id, event.previous = number, latest
            latest = event.hash = event_hash({name: getattr(event, name) for name in _HASHED})
        session.execute(_HASHED_HEAD, {"latest": latest})
        session.add_all(events)


def verify(
    session: Session, noted: str | None = None, progress: Callable[[int, int], object] = lambda done, total: None
) -> Verdict:
    """Walk the whole chain and tell the first thing that is wrong. Holds a thousand events at a time.

    `noted` is a hash that somebody noted of an earlier head: some event of the chain must have it. `progress` is told
    how many events of how many were seen, and may raise to end the walk.
    """
    last, before = Head(0, BEGINNING), None
    number = 0 if noted == BEGINNING else None
    try:
        end = head(session)  # events may be added while we walk, so it comes before them
        at_end = last.hash if end.count == 0 else None
        progress(0, end.count)
        for row in _rows(session):
            _check(session, before, last, row)
            before, last = last, Head(row.id, row.hash)
            if last.count == end.count:
                at_end = last.hash
            if last.hash == noted:
                number = last.count
            if last.count % CHUNK == 0:
                progress(min(last.count, end.count), end.count)
        _check_end(session, last, end, at_end)
        if noted and number is None:
            raise Broken("The noted head is not in the record, so events up to it were altered or removed.")
    except Broken as broken:
        return Verdict(last.count, last.hash, str(broken))
    return Verdict(last.count, last.hash, noted=number)


def _rows(session: Session) -> Iterator[Row[Any]]:
    """All events in order. Raises Broken for one whose columns hold what no event has, such as a time that is none."""
    last: int | None = None
    size = CHUNK
    while True:
        later = _events.c.id > last if last is not None else true()
        chunk = select(_events).where(later).order_by(_events.c.id).limit(size)
        try:
            rows = session.execute(chunk).all()
        except (ValueError, TypeError, OperationalError) as error:
            if size == 1:
                bad = session.scalar(select(func.min(_events.c.id)).where(later))
                raise Broken(f"Event {bad} was altered: it cannot even be read.") from error
            size = 1  # one by one, up to the one that it is
            continue
        if not rows:
            return
        yield from rows
        last = rows[-1].id


def _check(session: Session, before: Head | None, last: Head, row: Row[Any]) -> None:
    """Raises Broken when `row` is not what comes after `last`."""
    expected = last.count + 1
    if row.id < expected:
        raise Broken(f"Event {row.id} was inserted: the record begins at event 1.")
    if row.id > expected:
        raise Broken(_removed(expected, row.id - 1))
    intact = _fits(row, row.id)
    if intact and row.previous == last.hash:
        return
    following = session.scalar(select(_events.c.previous).where(_events.c.id > row.id).order_by(_events.c.id).limit(1))
    if _fits(row, row.id + 1):
        raise Broken(
            f"Events {row.id} and {row.id + 1} have changed places."
            if following == last.hash
            else f"Event {row.id} was removed and later ones renumbered."
        )
    if following == last.hash:
        raise Broken(f"Event {row.id} was inserted.")
    if before and row.previous == before.hash:
        raise Broken(f"Event {last.count} was inserted.")
    if intact:
        raise Broken(
            f"Event {row.id} does not follow event {last.count}: one of the two was replaced."
            if last.count
            else f"Event {row.id} was replaced: it does not begin the record."
        )
    raise Broken(f"Event {row.id} was altered.")


def _fits(row: Row[Any], number: int) -> bool:
    """Whether the row's hash is its own when it is event `number`."""
    try:
        found = event_hash({name: getattr(row, name) for name in _HASHED} | {"id": number})
    except (ValueError, TypeError, AttributeError):  # a column holds another type, which SQLite allows
        return False
    return found == str(row.hash)


def _check_end(session: Session, last: Head, end: Head, at_end: str | None) -> None:
    """Raises Broken when the walk ended elsewhere than at `end`, the head, or saw another hash there than `at_end`."""
    if last.count < end.count:
        raise Broken(_removed(last.count + 1, end.count))
    if last.count > (known := head(session).count):
        raise Broken(f"{_events_words(known + 1, last.count)} added after the end of the record.")
    if at_end != end.hash:
        raise Broken(f"Event {end.count}, the latest, is not the one that the head of the record has: one was altered.")


def _removed(first: int, last: int) -> str:
    return f"{_events_words(first, last)} removed."


def _events_words(first: int, last: int) -> str:
    return f"Event {first} was" if first == last else f"Events {first} to {last} were"
