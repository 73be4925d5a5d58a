"""Read what is in the bin besides pictures, and what uses references."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from app import bin
from app.accounts.queries import signed_in
from app.filing.kinds import KINDS, Filed, Things, name_of, owner_id
from app.languages import gettext as _
from app.languages import ngettext
from app.models import Campaign, ImageSet, Role, Style, StyleReference, StyleVersion, User, now


@dataclass(frozen=True)
class Binned:
    """Something in the bin that was not deleted with something else."""

    noun: str
    id: int
    name: str
    about: str  # what was deleted with it
    deleted_at: datetime
    deleted_by: str
    days_left: int
    restorable: bool  # by the current user


def binned(session: Session, user: User) -> list[Binned]:
    """Sets, campaigns, styles, subjects and references in the bin, latest deleted first."""
    found = [_binned(session, user, kind, row) for kind in KINDS.values() for row in _rows(session, user, kind)]
    return sorted(found, key=lambda each: each.deleted_at, reverse=True)


def _rows(session: Session, user: User, kind: Things) -> list[Filed]:
    table = kind.table
    rows = select(table).where(*bin.restorable(table), signed_in(user))
    if table is ImageSet:  # not those that went with their campaign
        rows = rows.join(Campaign, Campaign.id == ImageSet.campaign_id).where(
            or_(Campaign.deleted_at.is_(None), Campaign.deleted_at != ImageSet.deleted_at)
        )
    return list(session.scalars(rows))


def _binned(session: Session, user: User, kind: Things, row: Filed) -> Binned:
    mine = owner_id(row) == user.id or user.can(Role.MANAGER)
    return Binned(
        noun=kind.noun,
        id=row.id,
        name=name_of(row),
        about=_about(session, row),
        deleted_at=row.deleted_at or now(),
        deleted_by=row.deleted_by.name if row.deleted_by else "",
        days_left=bin.days_left(row),
        restorable=mine and bin.may_take_out(user, row),
    )


def _about(session: Session, row: Filed) -> str:
    if isinstance(row, ImageSet):
        return ngettext("%(number)s picture", "%(number)s pictures", len(row.prompts) * row.count)
    if isinstance(row, Campaign):
        together = ImageSet.campaign_id == row.id, ImageSet.deleted_at == row.deleted_at
        number = session.scalar(select(func.count()).where(*together)) or 0
        return ngettext("%(number)s set", "%(number)s sets", number)
    return ""


def references_in_use(session: Session, reference_ids: Collection[int], until_purged: bool = False) -> dict[int, str]:
    """What uses references, by reference: a style that is not in the bin, or a set. Without those of no use.

    With `until_purged`, a style in the bin uses them too.
    """
    versions = (
        select(
            StyleReference.reference_id,
            Style.name,
            Style.purged_at if until_purged else Style.deleted_at,
            StyleVersion.id,
        )
        .join(StyleVersion, StyleVersion.id == StyleReference.version_id)
        .join(Style, Style.id == StyleVersion.style_id)
        .where(StyleReference.reference_id.in_(reference_ids))
    )
    found: dict[int, str] = {}
    for reference_id, name, gone_at, version_id in session.execute(versions).all():
        if gone_at is None:
            found.setdefault(reference_id, _("the style %(name)s", name=name))
            continue
        living = ImageSet.has_version(select(StyleVersion.id).where(StyleVersion.id == version_id))
        image_set = session.scalars(
            select(ImageSet.name).where(living, ImageSet.purged_at.is_(None)).limit(1)
        ).one_or_none()
        if image_set is not None:
            found.setdefault(reference_id, _("the set %(name)s", name=image_set))
    return found
