"""Undo renames, moves, archiving and deletions, unless someone changed the same since."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts import authority
from app.audit.service import record
from app.campaign_names import folder
from app.errors import Conflict
from app.filing import service
from app.filing.kinds import KINDS, Filed, name_of
from app.languages import gettext as _
from app.models import Image, ImageSet, Reference, User
from app.sets import queries as sets
from app.sets.service import forget_campaign
from app.undo import Undone, changed_since


def _row(session: Session, user: User, noun: str, row_id: int) -> Filed:
    return KINDS[noun].get(session, user, row_id)


def name(session: Session, user: User, noun: str, row_id: int, before: str, after: str) -> Undone:
    row = _row(session, user, noun, row_id)
    if isinstance(row, Reference) or row.name != after:
        raise changed_since(session, user, row, _("the name"))
    service.rename(session, user, noun, row_id, before)
    return Undone(_("The name is %(name)s again.", name=before))


def campaign(
    session: Session, user: User, set_id: int, before: int, after: int, pictures: Sequence[int], new: bool
) -> Undone:
    """Move a set back, with those of its pictures that moved with it and were not moved again since.

    `new`: the act created the campaign.
    """
    image_set: ImageSet = sets.get(session, user, set_id)
    service.need_movable(user, image_set)
    if image_set.campaign_id != after:
        raise changed_since(session, user, image_set, _("the campaign"))
    target = sets.campaign(session, user, before)
    service.need_outside_bin(target)
    there = select(Image.id).where(Image.id.in_(pictures), Image.campaign_id == after)
    left = image_set.campaign
    service.move_with(session, user, image_set, session.scalars(there).all(), target)
    if new:
        forget_campaign(session, user, left)
    return Undone(_("%(name)s is in %(campaign)s again.", name=image_set.name, campaign=folder(target.name)))


def archive(
    session: Session, user: User, noun: str, row_id: int, before: list[str] | None, after: list[str] | None
) -> Undone:
    """Archive or restore it as it was."""
    row, act = service.archivable(session, user, noun, row_id)
    if authority.archived(row) != after:
        raise changed_since(session, user, row, name_of(row))
    authority.archive_as(row, before)
    record(session, user, act, row, archived=bool(before))
    if before:
        return Undone(_("%(name)s is again archived.", name=name_of(row)))
    return Undone(_("%(name)s is no longer archived.", name=name_of(row)))


def deletion(session: Session, user: User, noun: str, row_id: int, at: str) -> Undone:
    row = _row(session, user, noun, row_id)
    if row.deleted_at != datetime.fromisoformat(at):
        raise Conflict(_("%(name)s was restored or deleted again since. Reload the page.", name=name_of(row)))
    service.restore(session, user, noun, row_id)
    return Undone(_("%(name)s is restored.", name=name_of(row)))
