"""What of a set failed and is tried again by itself, after a while."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, bindparam, func, select
from sqlalchemy.orm import Session

from app.accounts.queries import I_AM_ACTIVE, asks
from app.models import Image, State, Unit, User
from app.work.queue import IS_BACKING_OFF, this_moment


@dataclass(frozen=True)
class Retry:
    """Pictures of a set that failed and are tried again by themselves, the first of them `at` this time."""

    pictures: int
    at: datetime
    why: str


_WAITING = (
    select(Unit.retry_at, Unit.error, func.count(Image.id))
    .outerjoin(Image, and_(Image.unit_id == Unit.id, Image.state == State.QUEUED))
    .where(Unit.set_id == bindparam("set_id"), Unit.state == State.QUEUED, IS_BACKING_OFF, I_AM_ACTIVE)
    .group_by(Unit.id)
    .order_by(Unit.retry_at, Unit.id)
)


def retry(session: Session, user: User, set_id: int) -> Retry | None:
    """What of a set waits to be tried again."""
    units = session.execute(_WAITING, asks(user) | this_moment() | {"set_id": set_id}).all()
    at, why, _ = units[0] if units else (None, None, 0)
    if at is None:
        return None
    return Retry(sum(pictures for *_, pictures in units), at, why or "")
