"""The pictures of sets that are deleted, restored or moved: a few statements, because a set has up to a thousand."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import and_, func, select, update
from sqlalchemy.orm import Session, aliased

from app.models import Image, ImageSet, Role, State, Unit, User
from app.work.queue import OPEN, cancel_units


def stop(session: Session, set_ids: Collection[int], at: datetime) -> int:
    """Cancel what waits, runs or is held of sets, and count those pictures; `units.queue_again` finds them by `at`."""
    open_ = Image.set_id.in_(set_ids), Image.state.in_(OPEN)
    stopped = session.execute(
        update(Image).where(*open_).values(state=State.CANCELLED, error=None).returning(Image.id)
    ).all()
    if stopped:
        cancel_units(session, Unit.set_id.in_(set_ids), at)
    return len(stopped)


def delete(session: Session, set_ids: Collection[int], user: User, at: datetime) -> None:
    """Put all pictures of sets into the bin, except those that are there already."""
    values = {"deleted_at": at, "deleted_by_id": user.id, "deleted_as": Role(user.role)}
    theirs = Image.set_id.in_(set_ids), Image.deleted_at.is_(None)
    session.execute(update(Image).where(*theirs).values(**values, shown=False, superseded=False))
    session.execute(update(Image).where(Image.set_id.in_(set_ids), Image.superseded).values(superseded=False))


def restore(session: Session, set_ids: Collection[int], at: datetime) -> None:
    """Restore the pictures of sets that were deleted together, at that time, and show the newest versions."""
    together = Image.set_id.in_(set_ids), Image.deleted_at == at, Image.purged_at.is_(None)
    back = {"deleted_at": None, "deleted_by_id": None, "deleted_as": None, "superseded": True, "shown": False}
    session.execute(update(Image).where(*together).values(back))
    later = aliased(Image)
    replaced = (
        select(later.id)
        .where(
            later.set_id == Image.set_id,
            later.position == Image.position,
            later.version > Image.version,
            later.state == State.FINISHED,
            later.deleted_at.is_(None),
        )
        .correlate(Image)
        .exists()
    )
    shown = and_(Image.state == State.FINISHED, Image.deleted_at.is_(None), ~replaced)
    session.execute(update(Image).where(Image.set_id.in_(set_ids)).values(superseded=replaced, shown=shown))


def of_elsewhere(session: Session, campaign_id: int) -> int:
    """How many pictures in a campaign belong to sets in another one."""
    moved = (
        select(func.count())
        .select_from(Image)
        .join(ImageSet, ImageSet.id == Image.set_id)
        .where(Image.campaign_id == campaign_id, ImageSet.campaign_id != campaign_id, Image.deleted_at.is_(None))
    )
    return session.scalar(moved) or 0


def unpurged(session: Session, set_id: int) -> bool:
    """Whether some picture of a set still has to be removed for good."""
    left = select(Image.id).where(Image.set_id == set_id, Image.purged_at.is_(None)).limit(1)
    return session.scalar(left) is not None
