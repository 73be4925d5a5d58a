"""Reading the record."""

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from app.models import AuditEvent, Base


def of(session: Session, row: Base, limit: int = 50) -> list[AuditEvent]:
    """What happened to `row`, the latest first, with who did it."""
    return list(
        session.scalars(
            select(AuditEvent)
            .where(AuditEvent.subject == row.__tablename__, AuditEvent.subject_id == row.id)  # type: ignore[attr-defined]
            .options(joinedload(AuditEvent.user))
            .order_by(AuditEvent.id.desc())
            .limit(limit)
        )
    )
