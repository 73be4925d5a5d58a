"""What a person handed out with their role, and what ends with it.

This covers invite and reset links (made by administrators), and share links to pictures of other people (made by
managers and above). Each checks its author's current role when it is used; here they are ended for good, so that
regaining a role revives none of them.

A person who is promoted keeps what they handed out: every role can do everything that lower roles can. Reset links
*for* that person end in both directions: a link made to reset a designer's password must not open an administrator's
account.
"""

from datetime import datetime
from typing import TypeVar

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from app import undo
from app.accounts import sessions
from app.audit.service import record
from app.errors import Conflict, Forbidden
from app.languages import gettext as _
from app.models import Act, Invitation, PasswordReset, Role, User, now
from app.undo import Undone

ROLE_CHANGED, CLOSED, REOPENED = "the role was changed", "the account was closed", "the account was opened again"


def role_changed(session: Session, user: User | None, person: User) -> None:
    """End what `person` handed out and may no longer, now that their role has changed.

    The new role applies immediately in every browser, except that acts that need a confirmation ask for it again.
    """
    if person.role == Role.ADMIN:  # a set-up link is for a server without an administrator
        revoke_invitations(session, user, ROLE_CHANGED, Invitation.invited_by_id.is_(None))
    else:
        revoke_invitations(session, user, ROLE_CHANGED, Invitation.invited_by_id == person.id)
        revoke_resets(session, user, ROLE_CHANGED, PasswordReset.made_by_id == person.id)
    revoke_resets(session, user, ROLE_CHANGED, PasswordReset.user_id == person.id)
    sessions.unconfirm(session, person)


def closed(session: Session, user: User | None, person: User) -> None:
    """End everything that `person` handed out, and anything that could reopen the account on its own."""
    sessions.end_all_sessions(session, user, person)
    mine = (Invitation.invited_by_id == person.id) | (Invitation.email == person.email)
    revoke_invitations(session, user, CLOSED, mine)
    mine_or_for_me = (PasswordReset.made_by_id == person.id) | (PasswordReset.user_id == person.id)
    revoke_resets(session, user, CLOSED, mine_or_for_me)


def revoke_invitations(session: Session, user: User | None, because: str, which: ColumnElement[bool]) -> int:
    """End the open invitations that match `which`, and count them."""
    rows = session.scalars(select(Invitation).where(*Invitation.still_open(), which).order_by(Invitation.id)).all()
    for row in rows:
        row.revoked_at = now()
        record(session, user, Act.INVITATION_REVOKE, row, role=row.role, email=row.email, because=because)
        undo.offer(session, user, "invitation", invitation_id=row.id, at=row.revoked_at.isoformat())
    return len(rows)


def revoke_resets(session: Session, user: User | None, because: str, which: ColumnElement[bool]) -> int:
    """End the open reset links that match `which`, and count them."""
    rows = session.scalars(select(PasswordReset).where(*PasswordReset.still_open(), which).order_by(PasswordReset.id))
    found = rows.all()
    for row in found:
        row.revoked_at = now()
        record(session, user, Act.RESET_REVOKE, row.user, because=because)
        undo.offer(session, user, "reset", reset_id=row.id, at=row.revoked_at.isoformat())
    return len(found)


def undo_invitation(session: Session, user: User, invitation_id: int, at: str) -> Undone:
    """Let a revoked invite link work again. Raises Forbidden, and Conflict if it was used or has expired."""
    row = _ended(session, user, session.get(Invitation, invitation_id), at)
    record(session, user, Act.INVITATION_REVOKE, row, undone=True, email=row.email)
    return Undone(_("The invite link works again."))


def undo_reset(session: Session, user: User, reset_id: int, at: str) -> Undone:
    """Let a revoked reset link work again. Raises Forbidden, and Conflict if it was used or has expired."""
    row = _ended(session, user, session.get(PasswordReset, reset_id), at)
    record(session, user, Act.RESET_REVOKE, row.user, undone=True)
    return Undone(_("The reset link for %(name)s works again.", name=row.user.name))


L = TypeVar("L", Invitation, PasswordReset)


def _ended(session: Session, user: User, row: L | None, at: str) -> L:
    if not user.can(Role.ADMIN):
        raise Forbidden(_("Only administrators can manage people. Ask one of them."))
    if row is None or row.used_at or row.revoked_at != datetime.fromisoformat(at):
        raise Conflict(_("This link was changed since, so it was not undone. Reload the page."))
    if row.expires_at <= now():
        raise Conflict(_("This link has expired. Create a new one."))
    row.revoked_at = None
    return row
