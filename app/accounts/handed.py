"""What a person handed out by the power of their role, and what ends with it.

Handed out are: invitations and links that reset a password (by administrators), and links that lead outside to pictures
of other people (by managers and above). Each of them asks again, when it is used, for today's role of who made it; here
they are ended for good, so that a role that comes back brings none of them back.

A person who rises keeps what they handed out: every role may do all that the ones before it may, so nothing of it goes
beyond what they may hand out today. What others hold *for* that person ends in both directions: a link that was made to
reset a designer's password must not open an administrator's account.
"""

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from app.accounts import sessions
from app.audit.service import record
from app.exports import endings
from app.models import Act, Invitation, PasswordReset, Role, User, now

ROLE_CHANGED, CLOSED, REOPENED = "the role was changed", "the account was closed", "the account was opened again"


def role_changed(session: Session, user: User | None, person: User) -> None:
    """End what `person` handed out and may not any more, now that they have another role. What the new one allows is
    theirs at once in every browser, but for acts that need a proof of who is there: that is asked for again.
    """
    if person.role == Role.ADMIN:  # a set-up link is for a server without one
        revoke_invitations(session, user, ROLE_CHANGED, Invitation.invited_by_id.is_(None))
    else:
        revoke_invitations(session, user, ROLE_CHANGED, Invitation.invited_by_id == person.id)
        revoke_resets(session, user, ROLE_CHANGED, PasswordReset.made_by_id == person.id)
    revoke_resets(session, user, ROLE_CHANGED, PasswordReset.user_id == person.id)
    endings.revoke_unanswered(session, user, person, ROLE_CHANGED)
    sessions.unconfirm(session, person)


def closed(session: Session, user: User | None, person: User) -> None:
    """End all that `person` handed out, and what could bring the account back without anybody's saying so."""
    sessions.end_all_sessions(session, user, person)
    mine = (Invitation.invited_by_id == person.id) | (Invitation.email == person.email)
    revoke_invitations(session, user, CLOSED, mine)
    mine_or_for_me = (PasswordReset.made_by_id == person.id) | (PasswordReset.user_id == person.id)
    revoke_resets(session, user, CLOSED, mine_or_for_me)
    endings.revoke_of(session, user, person)


def revoke_invitations(session: Session, user: User | None, because: str, which: ColumnElement[bool]) -> int:
    """End the open invitations of `which`; how many there were."""
    rows = session.scalars(select(Invitation).where(*Invitation.still_open(), which).order_by(Invitation.id)).all()
    for row in rows:
        row.revoked_at = now()
        record(session, user, Act.INVITATION_REVOKE, row, role=row.role, email=row.email, because=because)
    return len(rows)


def revoke_resets(session: Session, user: User | None, because: str, which: ColumnElement[bool]) -> int:
    """End the open links of `which` that reset a password; how many there were."""
    rows = session.scalars(select(PasswordReset).where(*PasswordReset.still_open(), which).order_by(PasswordReset.id))
    found = rows.all()
    for row in found:
        row.revoked_at = now()
        record(session, user, Act.RESET_REVOKE, row.user, because=because)
    return len(found)
