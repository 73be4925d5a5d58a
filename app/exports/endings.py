"""Ends exports and their links, or puts links on hold, as a consequence of other acts.

Removing a picture for good ends the exports that contain it. Withdrawing rights puts the links to pictures from their
reference on hold, until they are valid again or someone confirms them. So does the end of a real person's consent,
which nobody can confirm. Closing an account ends its links, and losing a role ends its links to pictures of others.
"""

from collections.abc import Iterable, Sequence
from typing import cast

from sqlalchemy import ColumnElement, exists, or_, select
from sqlalchemy.orm import Session

from app import undo
from app.accounts.handed import CLOSED, ROLE_CHANGED
from app.audit.service import record
from app.effects import Happened
from app.models import (
    Act,
    Export,
    ExportFile,
    Image,
    ImageSet,
    PictureReport,
    Reference,
    ReportOutcome,
    Share,
    User,
    now,
)
from app.rights import queries as rights


def end(session: Session, user: User | None, export: Export, act: Act, because: str = "") -> None:
    """Remove an export, and end its links. Its files go at the next clean-up."""
    revoke_links(session, user, export)
    record(session, user, act, export, name=export.name, because=because)
    session.delete(export)


def revoke_links(session: Session, user: User | None, export: Export) -> None:
    """End the links to an export that is about to be removed."""
    for share in _open(session, Share.export_id == export.id):
        revoke(session, user, share, "its export is gone")


def revoke(session: Session, user: User | None, share: Share, because: str = "") -> None:
    """End an open link immediately."""
    if share.open:
        share.revoked_at = now()
        record(session, user, Act.SHARE_REVOKE, share, export=share.export_id, because=because)
        undo.offer(session, user, "share", share_id=share.id, at=share.revoked_at.isoformat())


def resume(session: Session, user: User | None, share: Share, because: str = "") -> None:
    """Reopen a link that is on hold."""
    if share.suspended_at:
        share.suspended_at = None
        record(session, user, Act.SHARE_RESUME, share, export=share.export_id, because=because)


# Consequences of acts; `app.wiring` says of which


def revoke_lost(session: Session, event: Happened) -> None:
    """End the links of a deactivated account, and links that a new role does not allow, such as to others' pictures."""
    (person,) = cast(list[User], event.rows)
    if event.details.get("active") is False:
        for share in _open(session, Share.made_by_id == person.id):
            revoke(session, event.user, share, CLOSED)
    elif "role" in event.details:
        for share in _open(session, Share.made_by_id == person.id):
            if not share.answered_for:
                revoke(session, event.user, share, ROLE_CHANGED)


def suspend_withdrawn(session: Session, event: Happened) -> None:
    """Put links to pictures from a reference on hold after its rights were withdrawn."""
    (reference,) = cast(list[Reference], event.rows)
    _suspend_from(session, event.user, reference.id, reference.original_name)


def suspend_without_consent(session: Session, event: Happened) -> None:
    """Put links to pictures from a reference on hold if it now shows a real person without valid consent."""
    (reference,) = cast(list[Reference], event.rows)
    for held in rights.without_consent(session):
        if held.reference_id == reference.id:
            _suspend_from(session, event.user, held.reference_id, held.name)


def suspend_lapsed(session: Session) -> None:
    """Put links on hold whose pictures show real people with a consent, or rights, that no longer hold today."""
    for held in rights.without_consent(session):
        _suspend_from(session, None, held.reference_id, held.name)


def resume_held(session: Session, event: Happened) -> None:
    """Resume links that were on hold because of a reference, now that its rights are valid.

    Skips links to pictures from another reference that puts links on hold, and to reported ones.
    """
    (reference,) = cast(list[Reference], event.rows)
    if any(held.reference_id == reference.id for held in rights.not_held(session)):
        return
    barring = _barring(session)
    for share in _open(
        session, Share.suspended_at.is_not(None), _holds_from([reference.id]), ~_holds_from(barring), ~_HOLDS_REPORTED
    ):
        resume(session, event.user, share, "the right holds again")


def suspend_reported(session: Session, user: User | None, image: Image) -> None:
    """Put links to exports that contain a picture on hold, because it was reported."""
    for share in _open(session, Share.suspended_at.is_(None), _holds([image.id])):
        share.suspended_at = now()
        record(session, user, Act.SHARE_SUSPEND, share, export=share.export_id, picture=image.id)


def resume_reported(session: Session, user: User | None, image: Image) -> None:
    """Resume links that were on hold because a picture was reported.

    Skips links to other pictures that are held back or were removed, and to pictures from references that put links on
    hold.
    """
    barring = _barring(session)
    which = Share.suspended_at.is_not(None), _holds([image.id]), ~_holds_from(barring), ~_HOLDS_REPORTED
    for share in _open(session, *which):
        resume(session, user, share, "the report was dismissed")


def suspend_reopened(session: Session, user: User, share: Share) -> None:
    """Put a link on hold that was revoked, and is open again, if something happened that puts open ones on hold."""
    session.flush()
    bad = _HOLDS_REPORTED | _holds_from(_barring(session))
    if _open(session, Share.id == share.id, Share.suspended_at.is_(None), bad):
        share.suspended_at = now()
        record(session, user, Act.SHARE_SUSPEND, share, export=share.export_id)


def _suspend_from(session: Session, user: User | None, reference_id: int, name: str) -> None:
    for share in _open(session, Share.suspended_at.is_(None), _holds_from([reference_id])):
        share.suspended_at = now()
        record(session, user, Act.SHARE_SUSPEND, share, export=share.export_id, reference=name)


def _barring(session: Session) -> list[int]:
    """The references that put links on hold: withdrawn ones, and real people's without valid consent."""
    return [
        held.reference_id
        for held in rights.not_held(session)
        if held.standing.kind == "withdrawn" or (held.record and held.record.person)
    ]


def _holds(image_ids: Iterable[int]) -> ColumnElement[bool]:
    """A condition for links whose export contains one of these pictures."""
    own = ExportFile.export_id == Share.export_id, ExportFile.image_id.in_(list(image_ids))
    return exists(select(ExportFile.export_id).where(*own).correlate(Share))


# Pictures that are held back, or that went to the bin because of a report.
_HOLDS_REPORTED = exists(
    select(ExportFile.export_id)
    .join(Image, Image.id == ExportFile.image_id)
    .join(PictureReport, PictureReport.image_id == Image.id)
    .where(
        ExportFile.export_id == Share.export_id,
        or_(
            PictureReport.held & PictureReport.decided_at.is_(None),
            (PictureReport.outcome == ReportOutcome.REMOVED) & Image.deleted_at.is_not(None),
        ),
    )
    .correlate(Share)
)


def _holds_from(reference_ids: Iterable[int]) -> ColumnElement[bool]:
    """A condition for links whose export contains a picture from one of these references."""
    return exists(
        select(ExportFile.export_id)
        .join(Image, Image.id == ExportFile.image_id)
        .join(ImageSet, ImageSet.id == Image.set_id)
        .where(ExportFile.export_id == Share.export_id, rights.made_from(*reference_ids))
        .correlate(Share)
    )


def _open(session: Session, *which: ColumnElement[bool]) -> Sequence[Share]:
    open_ = Share.revoked_at.is_(None), Share.expires_at > now()
    return session.scalars(select(Share).where(*open_, *which).order_by(Share.id)).all()
