"""Rights that need somebody's attention: those that end soon, have ended, were withdrawn or lack a consent."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import ClassVar

from sqlalchemy import and_, bindparam, or_, select
from sqlalchemy.orm import Session

from app.accounts.queries import I_AM_ACTIVE, MY_ID, asks
from app.days import today
from app.models import (
    Reference,
    RightsRecord,
    Role,
    Style,
    StyleReference,
    StyleVersion,
    Subject,
    SubjectLikeness,
    User,
)
from app.rights.queries import HOLDS, LATEST, of_references
from app.rights.standing import ENDING_DAYS, Held


@dataclass(frozen=True)
class RightsNeed:
    """A reference in use whose rights end soon, have ended or were withdrawn."""

    kind: ClassVar[str] = "rights"

    held: Held
    styles: list[tuple[str, str]] = field(default_factory=list)  # code and name
    subjects: list[tuple[int, str]] = field(default_factory=list)  # id and handle


_ENDS = (
    RightsRecord.withdrawn
    | (RightsRecord.valid_until <= bindparam("soon"))
    | (RightsRecord.consent_until <= bindparam("soon"))
    | ((RightsRecord.person != "") & (RightsRecord.consent == ""))
)
_ALL_NEEDS = (
    select(Reference.id, Style.code, Style.name)
    .join(RightsRecord, HOLDS)
    .join(StyleReference, StyleReference.reference_id == Reference.id)
    .join(StyleVersion, and_(StyleVersion.id == StyleReference.version_id, LATEST))
    .join(Style, Style.id == StyleVersion.style_id)
    .where(Style.archived_at.is_(None), I_AM_ACTIVE)
    .where(_ENDS)
    .order_by(Style.id.desc())
)
_OWN_NEEDS = _ALL_NEEDS.where(or_(Style.owner_id == MY_ID, Reference.uploaded_by_id == MY_ID))
_ALL_SUBJECTS = (
    select(Reference.id, Subject.id, Subject.handle)
    .join(RightsRecord, HOLDS)
    .join(SubjectLikeness, SubjectLikeness.reference_id == Reference.id)
    .join(Subject, Subject.id == SubjectLikeness.subject_id)
    .where(Subject.archived_at.is_(None), Subject.deleted_at.is_(None), I_AM_ACTIVE, _ENDS)
    .order_by(Subject.id.desc())
)
_OWN_SUBJECTS = _ALL_SUBJECTS.where(or_(Subject.owner_id == MY_ID, Reference.uploaded_by_id == MY_ID))


def needs(session: Session, user: User, on: date | None = None) -> list[RightsNeed]:
    """References available to new sets whose rights end soon, have ended or were withdrawn, most urgent first.

    Includes those of `user`'s styles and uploads; all for managers.
    """
    on = on or today()
    all_of, asked = user.can(Role.MANAGER), asks(user) | {"soon": on + timedelta(days=ENDING_DAYS)}
    rows = session.execute(_ALL_NEEDS if all_of else _OWN_NEEDS, asked).all()
    subjects = session.execute(_ALL_SUBJECTS if all_of else _OWN_SUBJECTS, asked).all()
    if not rows and not subjects:  # as usual
        return []
    found = of_references(session, {row[0] for row in (*rows, *subjects)}, on)
    ordered = sorted(found.values(), key=lambda held: (held.standing.day or on, held.reference_id), reverse=True)
    # Those still valid come first, while there is time to act. Then those that ended, latest first.
    ordered.sort(key=lambda held: (not held.standing.usable, held.standing.days_left or 0))
    return [
        RightsNeed(
            held,
            list(dict.fromkeys((code, name) for id, code, name in rows if id == held.reference_id)),
            list(dict.fromkeys((subject, handle) for id, subject, handle in subjects if id == held.reference_id)),
        )
        for held in ordered
    ]
