"""Ends exports and their links, or puts links on hold, as a consequence of other acts.

Removing a picture for good ends the exports that contain it. Withdrawing rights puts the links to pictures from their
reference on hold, until they are valid again or someone confirms them. Closing an account ends its links, and losing a
role ends its links to pictures of others.
"""

from collections.abc import Iterable, Sequence
from typing import cast

from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.orm import Session

from app.accounts.handed import CLOSED, ROLE_CHANGED
from app.audit.service import record
from app.effects import Happened
from app.models import Act, Export, ExportFile, Image, ImageSet, Reference, Share, User, now
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
    for share in _open(session, Share.suspended_at.is_(None), _holds_from([reference.id])):
        share.suspended_at = now()
        named = {"export": share.export_id, "reference": reference.original_name}
        record(session, event.user, Act.SHARE_SUSPEND, share, **named)


def resume_held(session: Session, event: Happened) -> None:
    """Resume links that were on hold because of a reference, now that its rights are valid.

    Skips links to pictures from another reference whose rights are withdrawn.
    """
    (reference,) = cast(list[Reference], event.rows)
    unheld = rights.not_held(session)
    if any(held.reference_id == reference.id for held in unheld):
        return
    withdrawn = [held.reference_id for held in unheld if held.standing.kind == "withdrawn"]
    for share in _open(session, Share.suspended_at.is_not(None), _holds_from([reference.id]), ~_holds_from(withdrawn)):
        resume(session, event.user, share, "the right holds again")


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
