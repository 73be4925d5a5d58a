"""Writing the record of who did what. Every service that changes something calls `record` in the same transaction."""

from typing import Any

from sqlalchemy import inspect
from sqlalchemy.orm import Session

from app.models import Act, AuditEvent, Base, User


def record(session: Session, user: User | None, act: Act, row: Base, **details: Any) -> AuditEvent:
    """Add one event: `user` (None: the system itself) did `act` to `row`, with `details` that JSON can hold."""
    if inspect(row).pending:
        session.flush()  # gives the row its id
    event = AuditEvent(
        user_id=user.id if user else None,
        act=act,
        subject=row.__tablename__,
        subject_id=getattr(row, "id", None),  # rows that are named by a secret have none, and keep it
        details=details,
    )
    session.add(event)
    return event
