"""Subjects that show a real person: each says which reference has the person's rights and consent."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts.queries import signed_in
from app.accounts.service import may_change, need_active
from app.audit.service import record
from app.errors import Conflict, Forbidden, Invalid, NotFound
from app.languages import gettext as _
from app.models import Act, Reference, RightsRecord, Role, Subject, SubjectLikeness, User
from app.rights.queries import HOLDS, of_references
from app.rights.standing import Held

MOST_CHOICES = 200


@dataclass(frozen=True)
class PersonShown:
    """A real person whom a subject shows, with the status of the rights."""

    likeness: SubjectLikeness
    held: Held


def of_subject(session: Session, user: User, subject: Subject) -> list[PersonShown]:
    """The real people whom a subject shows, as `user` may use them."""
    rows = session.scalars(
        select(SubjectLikeness)
        .where(SubjectLikeness.subject_id == subject.id, signed_in(user))
        .order_by(SubjectLikeness.id)
    ).all()
    found = of_references(session, [row.reference_id for row in rows], reader=user)
    return [PersonShown(row, found[row.reference_id]) for row in rows]


def choices(session: Session, user: User) -> Sequence[tuple[Reference, str]]:
    """The references that show a real person, newest first, each with the person's name."""
    rows = session.execute(
        select(Reference, RightsRecord.person)
        .join(RightsRecord, HOLDS)
        .where(RightsRecord.person != "", Reference.deleted_at.is_(None), signed_in(user))
        .order_by(Reference.id.desc())
        .limit(MOST_CHOICES)
    )
    return [(row[0], row[1]) for row in rows]


def may_link(user: User, subject: Subject) -> bool:
    """Whether `user` may say whom a subject shows: its owner, managers and above."""
    return user.active and may_change(user, subject)


def link(session: Session, user: User, subject: Subject, reference_id: int | None) -> SubjectLikeness:
    """Say that a subject shows the real person of a reference. Raises Forbidden, Invalid and Conflict."""
    need_active(user)
    if not may_link(user, subject):
        raise Forbidden(_("Only %(name)s or a manager can say whom this subject shows.", name=subject.owner.name))
    held = of_references(session, [reference_id]).get(reference_id) if reference_id else None
    if not held or not held.record or not held.record.person:
        raise Invalid("reference_id", _("Choose a reference whose rights name a real person."))
    known = select(SubjectLikeness).filter_by(subject_id=subject.id, reference_id=held.reference_id)
    if session.scalar(known):
        raise Conflict(_("@%(handle)s already shows %(person)s.", handle=subject.handle, person=held.record.person))
    row = SubjectLikeness(subject_id=subject.id, reference_id=held.reference_id, added_by_id=user.id)
    session.add(row)
    record(session, user, Act.LIKENESS_ADD, subject, name=held.record.person, reference=held.name)
    return row


def unlink(session: Session, user: User, subject: Subject, likeness_id: int) -> None:
    """Say that a subject does not show a person. Managers only, because nobody is asked for consent from then on."""
    if not user.can(Role.MANAGER):
        raise Forbidden(_("Only managers can remove a real person from a subject. Ask one of them."))
    row = session.scalar(select(SubjectLikeness).filter_by(id=likeness_id, subject_id=subject.id))
    if not row:
        raise NotFound(_("This was removed already."))
    record(session, user, Act.LIKENESS_REMOVE, subject, reference=row.reference.original_name)
    session.delete(row)
