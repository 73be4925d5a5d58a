"""What a person handed out with their role, and what ends with it.

This covers invite and reset links (made by administrators), and share links to pictures of other people (made by
managers and above). Each checks its author's current role when it is used; here they are ended for good, so that
regaining a role revives none of them.

A person who is promoted keeps what they handed out: every role can do everything that lower roles can. Reset links
*for* that person end in both directions: a link made to reset a designer's password must not open an administrator's
account.
"""

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from app.accounts import sessions
from app.audit.service import record
from app.models import Act, Invitation, PasswordReset, Role, User, now

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
    return len(rows)


def revoke_resets(session: Session, user: User | None, because: str, which: ColumnElement[bool]) -> int:
    """End the open reset links that match `which`, and count them."""
    rows = session.scalars(select(PasswordReset).where(*PasswordReset.still_open(), which).order_by(PasswordReset.id))
    found = rows.all()
    for row in found:
        row.revoked_at = now()
        record(session, user, Act.RESET_REVOKE, row.user, because=because)
    return len(found)
