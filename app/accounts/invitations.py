"""One-time links that let people in: the set-up link of the first administrator, and invitations."""

import secrets
from datetime import timedelta

from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.accounts import queries
from app.accounts.passwords import normal_password, password_error, passwords
from app.accounts.people import email_error, name_error, need_admin, normal_email, parse_role
from app.accounts.queries import token_hash
from app.audit.service import record
from app.errors import Invalid
from app.models import Act, Invitation, Role, User, now
from app.settings import Settings
from app.text import clean_line

INVITATION_DAYS = 7


def create_setup_link(session: Session, settings: Settings) -> str | None:
    """A one-time link that makes the first administrator, or None when there is one. Earlier such links end."""
    if queries.has_admin(session):
        return None
    session.execute(delete(Invitation).where(Invitation.invited_by_id.is_(None), Invitation.used_at.is_(None)))
    return f"{settings.public_url}/setup/{_new_invitation(session, Role.ADMIN, None)}"


def invite(session: Session, user: User, role: str) -> str:
    """The token of a one-time link that lets one person in as `role`. Administrators only."""
    need_admin(user)
    return _new_invitation(session, parse_role(role), user)


def accept_invitation(session: Session, token: str, name: str, email: str, password: str) -> User:
    """Use up a one-time link and make the account it promises.

    Raises NotFound for a link that is used, ended or unknown, and Invalid with a sentence for every wrong field.
    """
    invitation = queries.invitation(session, token)
    name, email = clean_line(name), normal_email(email)
    errors = {
        "name": name_error(name),
        "email": email_error(email),
        "password": password_error(password, name, email),
    }
    Invalid.check(errors)
    user = User(name=name, email=email, role=invitation.role, password_hash=passwords.hash(normal_password(password)))
    try:
        with session.begin_nested():
            session.add(user)
    except IntegrityError:
        raise Invalid("email", f"There is an account for {email} already. Sign in with it instead.") from None
    invitation.used_at = now()
    record(session, user, Act.ACCOUNT_CREATE, user, role=user.role, invited_by=invitation.invited_by_id)
    return user


def _new_invitation(session: Session, role: Role, user: User | None) -> str:
    token = secrets.token_urlsafe(32)
    invitation = Invitation(
        token_hash=token_hash(token),
        role=role,
        invited_by_id=user.id if user else None,
        expires_at=now() + timedelta(days=INVITATION_DAYS),
    )
    session.add(invitation)
    record(session, user, Act.ACCOUNT_INVITE, invitation, role=role)
    return token
