"""The audit log as a hash chain: an event that is altered, removed or inserted is detected.

Each event carries the SHA-256 of all its columns, including its number and the previous event's hash. Changing one
event therefore shows, unless every later event is rehashed too. The head, stored separately, has the number and hash of
the latest event, so that missing events at the end show too.

Someone with write access to the database can rehash everything, including the head. Against that, note the head
elsewhere regularly: a chain that contains a noted hash is unchanged up to that event.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from math import inf
from typing import Any, cast

from sqlalchemy import Row, Table, bindparam, func, select, true, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.errors import Conflict
from app.languages import N_, translated
from app.languages import gettext as _
from app.models import Act, AuditEvent, AuditHead

BEGINNING = "0" * 64  # the first event's previous hash
CHUNK = 1000  # events read at a time

# What can be wrong, in a sentence. It is stored in English, and said in the reader's language by `translated`.
NO_HEAD = N_("The head of the audit log was removed.")
NOT_NOTED = N_("The saved hash is not in the audit log, so events up to it were altered or removed.")
UNREADABLE = N_("Event %(number)s was altered: it cannot even be read.")
BEFORE_FIRST = N_("Event %(number)s was inserted: the audit log begins at event 1.")
SWAPPED = N_("Events %(first)s and %(second)s have changed places.")
RENUMBERED = N_("Event %(number)s was removed and later ones renumbered.")
INSERTED = N_("Event %(number)s was inserted.")
ONE_REPLACED = N_("Event %(number)s does not follow event %(before)s: one of the two was replaced.")
FIRST_REPLACED = N_("Event %(number)s was replaced: it does not begin the audit log.")
ALTERED = N_("Event %(number)s was altered.")
REMOVED = N_("Event %(number)s was removed.")
SEVERAL_REMOVED = N_("Events %(first)s to %(last)s were removed.")
ADDED = N_("Event %(number)s was added after the end of the audit log.")
SEVERAL_ADDED = N_("Events %(first)s to %(last)s were added after the end of the audit log.")
END_ALTERED = N_("Event %(number)s, the latest, does not match the head of the audit log: one was altered.")
PROBLEMS = (
    NO_HEAD,
    NOT_NOTED,
    UNREADABLE,
    BEFORE_FIRST,
    SWAPPED,
    RENUMBERED,
    INSERTED,
    ONE_REPLACED,
    FIRST_REPLACED,
    ALTERED,
    REMOVED,
    SEVERAL_REMOVED,
    ADDED,
    SEVERAL_ADDED,
    END_ALTERED,
)

_events, _head = cast(Table, AuditEvent.__table__), cast(Table, AuditHead.__table__)
_HASHED = tuple(column.name for column in _events.c if column.name != "hash")
# Built once, on tables rather than classes: two of them run for every act.
_NEXT = update(_head).values(count=_head.c["count"] + bindparam("more")).returning(_head.c["count"], _head.c.hash)
_HASHED_HEAD = update(_head).values(hash=bindparam("latest"))


@dataclass(frozen=True)
class Head:
    """The end of a chain, or of the part verified so far."""

    count: int  # the number of the event
    hash: str


@dataclass(frozen=True)
class Verification:
    """The result of verifying the chain."""

    count: int  # events in order
    hash: str  # of the last of them
    problem: str | None = None  # the first fault, in a sentence; None: intact
    noted: int | None = None  # the number of the event whose hash was noted elsewhere
    lost: str | None = None  # why that event may be gone without tampering, in a sentence


class BrokenChain(Conflict):
    """The chain is broken. The message, one of `PROBLEMS`, says in a sentence how and where."""

    def __init__(self, problem: str, **named: int) -> None:
        super().__init__(translated(problem) % named)


def event_hash(event: dict[str, Any]) -> str:
    """The SHA-256 of an event's columns without its hash, as 64 hexadecimal digits.

    Hashes JSON with sorted names and no spaces, with the time in UTC to the microsecond.
    """
    at: datetime = event["at"]
    written = {**event, "at": at.astimezone(UTC).isoformat(timespec="microseconds")}
    return sha256(json.dumps(written, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def head(session: Session) -> Head:
    """The end of the chain. Raises BrokenChain if it is missing."""
    row = session.execute(select(_head.c["count"], _head.c.hash)).one_or_none()
    if row is None:
        raise BrokenChain(NO_HEAD)
    count, hash_ = row
    return Head(count, hash_)


def append(session: Session, events: Sequence[AuditEvent]) -> None:
    """Number and hash one or more `events`, move the head to the last, and add them to the session.

    The first statement locks the head's row until the transaction ends: writers take turns on any database, and a
    rollback leaves no trace in the chain. Nothing is flushed, so services can record before a row is complete.
    """
    with session.no_autoflush:
        moved = session.execute(_NEXT, {"more": len(events)}).one_or_none()
        if moved is None:
            raise BrokenChain(NO_HEAD)
        count, latest = moved
        for number, event in enumerate(events, start=count - len(events) + 1):
            event.id, event.previous = number, latest
            latest = event.hash = event_hash({name: getattr(event, name) for name in _HASHED})
        session.execute(_HASHED_HEAD, {"latest": latest})
        session.add_all(events)


def verify(
    session: Session,
    noted: str | None = None,
    progress: Callable[[int, int], object] = lambda done, total: None,
    noted_number: int | None = None,
) -> Verification:
    """Verify the whole chain and report the first fault. Holds a thousand events at a time.

    `noted` is a hash that someone noted from an earlier head, and `noted_number` that event's number, if it was noted
    too. Some event of the chain must have it, unless it can be one that was lost when a backup was restored.
    `progress` receives the number of events read and their total, and can raise to stop.
    """
    last, before = Head(0, BEGINNING), None
    restores: list[Row[Any]] = []
    number = 0 if noted == BEGINNING else None
    try:
        end = head(session)  # first, because events may be added while we read
        at_end = last.hash if end.count == 0 else None
        progress(0, end.count)
        for row in _rows(session):
            _check(session, before, last, row)
            before, last = last, Head(row.id, row.hash)
            if last.count == end.count:
                at_end = last.hash
            if last.hash == noted:
                number = last.count
            if row.act == Act.BACKUP_RESTORE:
                restores.append(row)
            if last.count % CHUNK == 0:
                progress(min(last.count, end.count), end.count)
        _check_end(session, last, end, at_end)
        if noted and number is None:
            for restore in restores:
                if _may_have_lost(restore, noted, noted_number):
                    return Verification(last.count, last.hash, lost=_lost_words(restore))
            raise BrokenChain(NOT_NOTED)
    except BrokenChain as broken:
        return Verification(last.count, last.hash, str(broken))
    return Verification(last.count, last.hash, noted=number)


def _may_have_lost(restore: Row[Any], noted: str, number: int | None) -> bool:
    """Whether an event with the hash `noted` can have been in the audit log that this restore replaced.

    It then came after the backup, and not after the end of the replaced log, if that is known.
    """
    end = restore.details["lost"]
    if end and end["hash"] == noted:
        return True
    return number is None or restore.details["events"] < number <= (end["count"] if end else inf)


def _lost_words(restore: Row[Any]) -> str:
    first, end = restore.details["events"] + 1, restore.details["lost"]
    named = {"number": f"{restore.id:,}", "time": restore.details["taken_at"], "first": f"{first:,}"}
    if end:
        return _(
            "Event %(number)s restored the backup of %(time)s, which lost events %(first)s to %(last)s. The saved hash "
            "is not in the audit log: it can be of one of them. If you saved it before that backup, or after the "
            "restore, events were altered or removed.",
            last=f"{end['count']:,}",
            **named,
        )
    return _(
        "Event %(number)s restored the backup of %(time)s, which lost the events from %(first)s on. The saved hash is "
        "not in the audit log: it can be of one of them. If you saved it before that backup, or after the restore, "
        "events were altered or removed.",
        **named,
    )


def _rows(session: Session) -> Iterator[Row[Any]]:
    """All events in order. Raises BrokenChain for one with an impossible value, such as an invalid time."""
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
                raise BrokenChain(UNREADABLE, number=bad) from error
            size = 1  # one by one, to find which it is
            continue
        if not rows:
            return
        yield from rows
        last = rows[-1].id


def _check(session: Session, before: Head | None, last: Head, row: Row[Any]) -> None:
    """Raise BrokenChain unless `row` follows `last`."""
    expected = last.count + 1
    if row.id < expected:
        raise BrokenChain(BEFORE_FIRST, number=row.id)
    if row.id > expected:
        raise _some(REMOVED, SEVERAL_REMOVED, expected, row.id - 1)
    intact = _fits(row, row.id)
    if intact and row.previous == last.hash:
        return
    following = session.scalar(select(_events.c.previous).where(_events.c.id > row.id).order_by(_events.c.id).limit(1))
    if _fits(row, row.id + 1):
        if following == last.hash:
            raise BrokenChain(SWAPPED, first=row.id, second=row.id + 1)
        raise BrokenChain(RENUMBERED, number=row.id)
    if following == last.hash:
        raise BrokenChain(INSERTED, number=row.id)
    if before and row.previous == before.hash:
        raise BrokenChain(INSERTED, number=last.count)
    if intact:
        if last.count:
            raise BrokenChain(ONE_REPLACED, number=row.id, before=last.count)
        raise BrokenChain(FIRST_REPLACED, number=row.id)
    raise BrokenChain(ALTERED, number=row.id)


def _fits(row: Row[Any], number: int) -> bool:
    """Whether the row's hash is correct for event `number`."""
    try:
        found = event_hash({name: getattr(row, name) for name in _HASHED} | {"id": number})
    except (ValueError, TypeError, AttributeError):  # a column holds another type, which SQLite allows
        return False
    return found == str(row.hash)


def _check_end(session: Session, last: Head, end: Head, at_end: str | None) -> None:
    """Raise BrokenChain if the last event is not `end`, the head, or if the hash there is not `at_end`."""
    if last.count < end.count:
        raise _some(REMOVED, SEVERAL_REMOVED, last.count + 1, end.count)
    if last.count > (known := head(session).count):
        raise _some(ADDED, SEVERAL_ADDED, known + 1, last.count)
    if at_end != end.hash:
        raise BrokenChain(END_ALTERED, number=end.count)


def _some(one: str, several: str, first: int, last: int) -> BrokenChain:
    """What happened to one event, or to several in a row."""
    return BrokenChain(one, number=first) if first == last else BrokenChain(several, first=first, last=last)
