"""Write the audit log of who did what: a service that changes something for others calls `record` as it does so."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import inspect, select
from sqlalchemy.orm import Session

from app.audit import chain, queries
from app.effects import Happened, happened
from app.errors import Forbidden
from app.languages import gettext as _
from app.models import Act, AuditEvent, AuditHead, Base, User, now


def record(session: Session, user: User | None, act: Act, row: Base, **details: Any) -> AuditEvent:
    """Add one event: `user` (None: the system itself) did `act` to `row`, with `details` that JSON can hold."""
    (event,) = record_all(session, user, act, [row], **details)
    return event


def record_all(session: Session, user: User | None, act: Act, rows: Sequence[Base], **details: Any) -> list[AuditEvent]:
    """Add an event for each of `rows`, in order, as `record` does for one; all have the same time."""
    _need_as_before(session, user)
    if any(inspect(row).pending for row in rows):
        session.flush()  # gives the rows their ids
    at, written = now(), json.dumps(details)
    events = [
        AuditEvent(
            at=at,
            user_id=user.id if user else None,
            act=act,
            subject=row.__tablename__,
            subject_id=getattr(row, "id", None),  # rows identified by a secret have none, and keep it secret
            details=json.loads(written),  # as it will be read back, so that its hash stays the same
        )
        for row in rows
    ]
    if events:
        chain.append(session, events)
        happened(session, Happened(user, act, rows, details))
    return events


def _need_as_before(session: Session, user: User | None) -> None:
    """Refuse someone whose role or account changed between lookup and this transaction.

    Their permissions were checked as they were at lookup. Runs once per transaction, before it changes them itself.
    """
    if user is None or user in session or user.id in session.info.setdefault("as before", set()):
        return
    with session.no_autoflush:
        found = session.execute(select(User.role, User.active).where(User.id == user.id)).one()
    if tuple(found) != (user.role, user.active):
        raise Forbidden(_("Your role changed or your account was deactivated, so nothing was done. Reload the page."))
    session.info["as before"].add(user.id)


def note_check(session: Session, user: User, verdict: chain.Verification) -> None:
    """Record that `user`, who was allowed to, had the chain checked, and the result.

    Raises BrokenChain without a head.
    """
    record(session, user, Act.RECORD_CHECK, _the_record(session), events=verdict.count, problem=verdict.problem)


def note_download(session: Session, user: User, query: str) -> int:
    """Record that `user` downloads the events that match `query`; return this event's number, the first left out."""
    queries.need_manager(user)
    return record(session, user, Act.RECORD_DOWNLOAD, _the_record(session), filters=query).id


def note_certificate(session: Session, act: Act, **details: Any) -> None:
    """Record that the signing authority was created, or its certificate renewed, by hand."""
    record(session, None, act, _the_record(session), **details)


def note_removed(session: Session, **counts: int) -> None:
    """Record how many things were removed because their time was over, by rule of `app.upkeep.retention`."""
    record(session, None, Act.RETENTION, _the_record(session), **counts)


def note_backup(session: Session, **details: Any) -> None:
    """Record that the data was backed up, by a command."""
    record(session, None, Act.BACKUP, _the_record(session), **details)


def note_file(session: Session, act: Act, **details: Any) -> None:
    """Record that a stored file was found damaged, or whole again."""
    record(session, None, act, _the_record(session), **details)


def note_restore(session: Session, backup: str, taken_at: str, events: int, lost: chain.Head | None) -> None:
    """Record that the data was restored from a backup, which had `events` events.

    `lost` is the end of the audit log that it replaced, if that could be read: the events after the backup's are gone.
    """
    ended = {"count": lost.count, "hash": lost.hash} if lost else None
    details = {"backup": backup, "taken_at": taken_at, "events": events, "lost": ended}
    record(session, None, Act.BACKUP_RESTORE, _the_record(session), **details)


def _the_record(session: Session) -> AuditHead:
    chain.head(session)  # raises BrokenChain if there is none
    return session.scalars(select(AuditHead)).one()
