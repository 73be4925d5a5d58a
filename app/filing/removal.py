"""Remove for good what was in the bin for 30 days: rows stay for the audit log, and the sweeper removes their files.

Pictures come first (`app.gallery.purger`), because exports with them have to end. A set follows once none of its
pictures is left.
"""

from itertools import count

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from app import bin
from app.audit.service import record, record_all
from app.filing.kinds import KINDS, Filed
from app.filing.queries import references_in_use
from app.models import Act, Campaign, Image, ImageSet, Reference, StyleReference, now


def remove_expired(session: Session) -> int:
    """Mark what is over as removed for good, and count it."""
    removed = 0
    for kind in KINDS.values():
        found: list[Filed] = list(session.scalars(select(kind.table).where(*bin.expired(kind.table))))
        rows = [row for row in found if _may_go(session, row)]
        for row in rows:
            row.purged_at = now()
            if isinstance(row, Campaign):
                row.name = _freed(session, row)
        record_all(session, None, kind.purge, rows)
        removed += len(rows)
    return removed + _references_of_nothing(session)


def _freed(session: Session, row: Campaign) -> str:
    """A name for a campaign that frees its own. Nobody else has it, though they may name campaigns like this."""
    for number in count():
        name = f"{row.name[:90]} (deleted {row.id}{f'.{number}' if number else ''})"
        if session.scalar(select(Campaign.id).where(Campaign.name == name)) is None:
            break
    return name


def _may_go(session: Session, row: Filed) -> bool:
    if isinstance(row, Reference):
        return not references_in_use(session, [row.id], until_purged=True)
    if isinstance(row, ImageSet):
        left = select(Image.id).where(Image.set_id == row.id, Image.purged_at.is_(None))
        return not session.scalar(select(exists(left)))
    return True


def _references_of_nothing(session: Session) -> int:
    """References whose last style and set are gone: they go with them. Those that never had a style stay."""
    used = select(StyleReference.reference_id).where(StyleReference.reference_id == Reference.id)
    candidates = session.scalars(select(Reference).where(Reference.purged_at.is_(None), exists(used))).all()
    needed = references_in_use(session, [each.id for each in candidates], until_purged=True)
    gone = [each for each in candidates if each.id not in needed]
    for each in gone:
        each.deleted_at = each.deleted_at or now()
        each.purged_at = now()
        record(session, None, Act.REFERENCE_PURGE, each, because="nothing uses it")
    return len(gone)
