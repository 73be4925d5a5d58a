"""Read people, their sign-ins and the open links."""

import hashlib
from datetime import timedelta
from typing import TypeVar

from sqlalchemy import ColumnElement, func, literal, select, true
from sqlalchemy.orm import Session, joinedload

from app.errors import DeadLink, Forbidden, NotFound
from app.models import Invitation, LoginSession, PasswordReset, Role, User, now

LISTED, LISTED_DAYS = 200, 30  # invitations on the people page, and how long an ended one stays there


def token_hash(token: str) -> str:
    """The stored form of a secret token. Tokens are random enough for plain SHA-256."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


def signed_in(user: User) -> ColumnElement[bool]:
    """A condition for what every signed-in person can see; with a deactivated account it matches nothing."""
    return literal(user.active)


def has_admin(session: Session) -> bool:
    """Whether there is an administrator, who can invite people."""
    return session.scalar(select(User.id).where(User.role == Role.ADMIN, User.active).limit(1)) is not None


def person(session: Session, person_id: int) -> User:
    """The person. Raises NotFound."""
    found = session.get(User, person_id)
    if not found:
        raise NotFound("There is no such person here.")
    return found


def need_list(user: User) -> None:
    if not user.can(Role.ADMIN):
        raise Forbidden("Only administrators can see accounts. Ask one of them.")


def people(session: Session, user: User) -> list[User]:
    """Everyone, active accounts first, by name. Administrators only."""
    need_list(user)
    return list(session.scalars(select(User).order_by(User.active.desc(), User.name, User.id)))


def invitation(session: Session, token: str) -> Invitation:
    """The open invite link for `token`. Raises NotFound, with the reason, if it no longer works.

    Its author must still be an administrator; a set-up link only works on a server without one.
    """
    found = session.scalar(
        select(Invitation)
        .where(Invitation.token_hash == token_hash(token))
        .options(joinedload(Invitation.invited_by), joinedload(Invitation.reopens))
    )
    meant = found and (found.invited_by.can(Role.ADMIN) if found.invited_by else not has_admin(session))
    return _open(found, bool(meant))


def reset(session: Session, token: str) -> PasswordReset:
    """The open reset link for `token`. Raises NotFound, with the reason, if it does not work."""
    found = session.scalar(
        select(PasswordReset)
        .where(PasswordReset.token_hash == token_hash(token))
        .options(joinedload(PasswordReset.user), joinedload(PasswordReset.made_by))
    )
    meant = found and found.user.active and (found.made_by is None or found.made_by.can(Role.ADMIN))
    return _open(found, bool(meant))


L = TypeVar("L", Invitation, PasswordReset)


def _open(link: L | None, meant: bool) -> L:
    if not link:
        sentence = "This link is not complete or not known. Check the address, or ask an administrator for a new link."
    elif link.used_at:
        sentence = "This link was already used. Ask an administrator for a new one."
    elif link.revoked_at or not meant:
        sentence = "This link was revoked. Ask an administrator for a new one."
    elif link.expires_at <= now():
        sentence = "This link has expired. Ask an administrator for a new one."
    else:
        return link
    raise DeadLink(sentence)


def invitations(session: Session, user: User) -> list[Invitation]:
    """The open invitations, newest first, then those that ended in the last weeks. Administrators only."""
    need_list(user)
    closed = Invitation.used_at.is_not(None) | Invitation.revoked_at.is_not(None) | (Invitation.expires_at <= now())
    statement = (
        select(Invitation)
        .where(~closed | (Invitation.created_at > now() - timedelta(days=LISTED_DAYS)))
        .order_by(closed, Invitation.id.desc())
        .limit(LISTED)
    )
    people = joinedload(Invitation.invited_by), joinedload(Invitation.used_by), joinedload(Invitation.reopens)
    return list(session.scalars(statement.options(*people)))


def resets(session: Session, user: User) -> list[PasswordReset]:
    """The open reset links, newest first. Administrators only."""
    need_list(user)
    statement = select(PasswordReset).where(*PasswordReset.still_open()).order_by(PasswordReset.id.desc())
    return list(session.scalars(statement.options(joinedload(PasswordReset.user), joinedload(PasswordReset.made_by))))


def alive(idle_minutes: int) -> ColumnElement[bool]:
    """A condition for sessions that have not expired and were used within `idle_minutes`."""
    idle = LoginSession.seen_at > now() - timedelta(minutes=idle_minutes) if idle_minutes else true()
    return (LoginSession.expires_at > now()) & idle


def sessions(session: Session, user: User, idle_minutes: int = 0) -> list[LoginSession]:
    """The browsers in which `user` is signed in, latest first."""
    return list(
        session.scalars(
            select(LoginSession)
            .where(LoginSession.user_id == user.id, alive(idle_minutes))
            .order_by(LoginSession.created_at.desc(), LoginSession.id.desc())
        )
    )


def sessions_by_person(session: Session, user: User, idle_minutes: int = 0) -> dict[int, int]:
    """How many browsers each person is signed in with, by id. Administrators only."""
    need_list(user)
    rows = session.execute(
        select(LoginSession.user_id, func.count()).where(alive(idle_minutes)).group_by(LoginSession.user_id)
    )
    return {row[0]: row[1] for row in rows}
