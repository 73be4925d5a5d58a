"""Links that create accounts: the first administrator's set-up link, and invite links.

An invite link works for anyone who has it, or only for one address. Only an invite link to a deactivated account's
address brings that account back, with its work and history; the page says so when it is created, and it names the
account. A stranger with any other link cannot take over what someone left behind.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.accounts import factors, handed, queries
from app.accounts.passwords import hashed, password_error
from app.accounts.people import need_admin
from app.accounts.queries import token_hash
from app.accounts.typed import email_error, name_error, normal_email, parse_role
from app.audit.service import record
from app.errors import Conflict, Invalid, NotFound
from app.languages import gettext as _
from app.models import Act, Identity, Invitation, PasswordReset, Role, User, now
from app.settings import Settings
from app.text import clean_line

INVITATION_DAYS = 7
REPLACED, WITHDRAWN, HERE = "another one was made", "somebody wanted it", "the account is there"


@dataclass(frozen=True)
class Newcomer:
    """The checked entries of someone with an invite link, and their password's hash."""

    name: str
    email: str
    password_hash: str


def create_setup_link(session: Session, settings: Settings) -> str | None:
    """Create a set-up link for the first administrator; None if there is one. Ends earlier such links."""
    if queries.has_admin(session):
        return None
    session.execute(delete(Invitation).where(Invitation.invited_by_id.is_(None), Invitation.used_at.is_(None)))
    return f"{settings.public_url}/setup/{_new_invitation(session, Role.ADMIN, None)}"


def invite(session: Session, user: User, role: str, email: str = "") -> str:
    """Create an invite link for one person with `role`, and return its token.

    With `email`, it only works for that address. If a deactivated account has the address, the link brings it back. An
    earlier link to the same address ends. Administrators only. Raises Invalid for a wrong role or address, and for one
    with an active account.
    """
    need_admin(user)
    wanted, email = parse_role(role), normal_email(email)
    if not email:
        return _new_invitation(session, wanted, user)
    Invalid.check({"email": email_error(email)})
    there = session.scalar(select(User).where(User.email == email))
    if there and there.active:
        raise Invalid(
            "email",
            _("%(name)s already has an account with this address. Reset their password instead.", name=there.name),
        )
    handed.revoke_invitations(session, user, REPLACED, Invitation.email == email)
    return _new_invitation(session, wanted, user, email, there)


def revoke_invitation(session: Session, user: User, invitation_id: int) -> None:
    """End an open invitation. Administrators only. Raises NotFound, and Conflict if it is no longer open."""
    need_admin(user)
    if not session.get(Invitation, invitation_id):
        raise NotFound(_("There is no such link here."))
    if not handed.revoke_invitations(session, user, WITHDRAWN, Invitation.id == invitation_id):
        raise Conflict(_("This link was already used or has expired. Nothing was changed."))


def newcomer(session: Session, token: str, name: str, email: str, password: str) -> Newcomer:
    """Check a newcomer's entries. Reads only, slowly by design: pass a reading session.

    Raises NotFound for a link that is used, ended or unknown, and Invalid with a sentence for every wrong field.
    """
    invitation = queries.invitation(session, token)
    name, email = clean_line(name), normal_email(email) or invitation.email or ""
    errors = {
        "name": name_error(name),
        "email": email_error(email) or _other_address(invitation, email),
        "password": password_error(password, name, email),
    }
    Invalid.check(errors)
    return Newcomer(name, email, hashed(password))


def accept_invitation(session: Session, token: str, new: Newcomer) -> User:
    """Use up a link and create its account, or bring back the deactivated one that it names.

    Raises NotFound for a link that is used, ended or unknown, and Invalid for an e-mail that has another account.
    """
    invitation = queries.invitation(session, token)
    Invalid.check({"email": _other_address(invitation, new.email)})
    user = _reopened(session, invitation, new) if invitation.reopens else _created(session, invitation, new)
    invitation.used_at, invitation.used_by_id = now(), user.id
    handed.revoke_invitations(session, user, HERE, Invitation.email == user.email)
    if user.role == Role.ADMIN:  # a set-up link is for a server without an administrator
        handed.revoke_invitations(session, user, HERE, Invitation.invited_by_id.is_(None))
    return user


def _created(session: Session, invitation: Invitation, new: Newcomer) -> User:
    user = User(name=new.name, email=new.email, role=invitation.role, password_hash=new.password_hash)
    try:
        with session.begin_nested():
            session.add(user)
    except IntegrityError:
        there = session.scalars(select(User).where(User.email == new.email)).one()
        if there.active:
            sentence = _("There is already an account for %(email)s. Sign in with it instead.", email=new.email)
        else:
            sentence = _(
                "The account %(email)s is deactivated. Ask an administrator for an invite link to this address.",
                email=new.email,
            )
        raise Invalid("email", sentence) from None
    record(session, user, Act.ACCOUNT_CREATE, user, role=user.role, invited_by=invitation.invited_by_id)
    return user


def _reopened(session: Session, invitation: Invitation, new: Newcomer) -> User:
    """Reopen the deactivated account that the link names with a new name, password and role.

    Its id and history stay.
    """
    user = queries.person(session, invitation.reopens_id or 0)
    if user.active:
        raise Invalid("email", _("The account %(email)s is already active. Sign in with it instead.", email=user.email))
    forget_ways_in(session, user)
    changes = {"name": [user.name, new.name], "role": [str(user.role), str(invitation.role)]}
    told: dict[str, Any] = {what: pair for what, pair in changes.items() if pair[0] != pair[1]}
    user.name, user.role, user.password_hash, user.active = new.name, invitation.role, new.password_hash, True
    record(session, user, Act.ACCOUNT_CHANGE, user, active=True, invited_by=invitation.invited_by_id, **told)
    return user


def forget_ways_in(session: Session, user: User) -> None:
    """Remove all ways to sign in that someone had before their account was deactivated, except the password.

    The caller replaces the password. The address may belong to someone else now, and the first owner's passkeys must
    not open their account.
    """
    factors.reset(session, None, user)
    session.execute(delete(Identity).where(Identity.user_id == user.id))


def _other_address(invitation: Invitation, email: str) -> str | None:
    if not invitation.email or invitation.email == email:
        return None
    return _(
        "This link is for %(email)s. Use that address, or ask an administrator for a new link.", email=invitation.email
    )


def _new_invitation(
    session: Session, role: Role, user: User | None, email: str | None = None, reopens: User | None = None
) -> str:
    token = secrets.token_urlsafe(32)
    invitation = Invitation(
        token_hash=token_hash(token),
        role=role,
        email=email,
        reopens_id=reopens.id if reopens else None,
        invited_by_id=user.id if user else None,
        expires_at=now() + timedelta(days=INVITATION_DAYS),
    )
    session.add(invitation)
    record(session, user, Act.ACCOUNT_INVITE, invitation, role=role, email=email, reopens=reopens and reopens.name)
    return token


def remove_ended_links(session: Session, before: datetime) -> int:
    """Remove the invite and reset links that had ended before a moment, and count them. The audit log keeps them."""
    removed = 0
    for table in (Invitation, PasswordReset):
        ended = func.coalesce(table.used_at, table.revoked_at, table.expires_at) < before
        removed += len(session.scalars(delete(table).where(ended).returning(table.id)).all())
    return removed
