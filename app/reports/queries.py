"""Read the reports of pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from app.accounts.queries import signed_in
from app.errors import Forbidden, NotFound
from app.languages import gettext as _
from app.models import Image, PictureReport, Role, User

PAGE = 50

_OPEN_OF = select(func.count()).select_from(PictureReport).where(PictureReport.decided_at.is_(None))


def need_manager(user: User) -> None:
    if not user.can(Role.MANAGER):
        raise Forbidden(_("Only managers see and decide reports. Ask one of them."))


def listed(
    session: Session, user: User, decided: bool = False, after: int | None = None, most: int = PAGE
) -> Sequence[PictureReport]:
    """The open reports, oldest first, or those that were `decided`, newest first. Managers only."""
    need_manager(user)
    which = PictureReport.decided_at.is_not(None) if decided else PictureReport.decided_at.is_(None)
    statement = select(PictureReport).where(which, signed_in(user)).limit(most)
    if after is not None:
        statement = statement.where(PictureReport.id < after if decided else PictureReport.id > after)
    image = joinedload(PictureReport.image).joinedload(Image.image_set)
    people = joinedload(PictureReport.reporter), joinedload(PictureReport.decided_by)
    order = PictureReport.id.desc() if decided else PictureReport.id
    return session.scalars(statement.order_by(order).options(image, *people)).all()


def count(session: Session, user: User) -> int:
    """How many reports wait for a decision; 0 for those who do not decide."""
    return (session.scalar(_OPEN_OF) or 0) if user.can(Role.MANAGER) else 0


@dataclass(frozen=True)
class ReportsNeed:
    """Reports that wait for a manager."""

    kind: ClassVar[str] = "reports"

    count: int


def needs(session: Session, user: User) -> list[ReportsNeed]:
    """For the home page of managers."""
    number = count(session, user)
    return [ReportsNeed(number)] if number else []


def open_of(session: Session, image_id: int) -> int:
    """How many open reports a picture has."""
    return session.scalar(_OPEN_OF.where(PictureReport.image_id == image_id)) or 0


def get(session: Session, user: User, report_id: int) -> PictureReport:
    """An open report. Managers only. Raises NotFound."""
    need_manager(user)
    found = session.get(PictureReport, report_id)
    if not found or found.decided_at:
        raise NotFound(_("This report does not exist, or was decided already."))
    return found
