"""Reading people, their sign-ins and the open one-time links."""

import hashlib
from datetime import timedelta

from sqlalchemy import ColumnElement, func, literal, select, true
from sqlalchemy.orm import Session

from app.errors import Forbidden, NotFound
from app.models import Invitation, LoginSession, Role, User, now


def token_hash(token: str) -> str:
    """What the database keeps of a secret token. Tokens are random enough that plain SHA-256 will do."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


def signed_in(user: User) -> ColumnElement[bool]:
    """A condition for what everybody who is signed in may see: with a closed account it finds nothing."""
    return literal(user.active)


def has_admin(session: Session) -> bool:
    """Whether anybody can let people in."""
    return session.scalar(select(User.id).where(User.role == Role.ADMIN, User.active).limit(1)) is not None


def person(session: Session, person_id: int) -> User:
    """Raises NotFound."""
    found = session.get(User, person_id)
    if not found:
        raise NotFound("There is no such person here.")
    return found


def people(session: Session, user: User) -> list[User]:
    """Everybody, those who may come in first, by name. Administrators only."""
    if not user.can(Role.ADMIN):
        raise Forbidden("Only administrators see who is here.")
    return list(session.scalars(select(User).order_by(User.active.desc(), User.name, User.id)))


def invitation(session: Session, token: str) -> Invitation:
    """The open one-time link of `token`. Raises NotFound for one that is used, ended, replaced or unknown."""
    found = session.scalar(select(Invitation).where(Invitation.token_hash == token_hash(token)))
    if not found or found.used_at or found.expires_at <= now():
        raise NotFound("This link was used already or has ended. Ask an administrator for a new one.")
    return found


def alive(idle_minutes: int) -> ColumnElement[bool]:
    """A condition for signed-in browsers whose time is not over, and that were not left alone for `idle_minutes`."""
    idle = LoginSession.seen_at > now() - timedelta(minutes=idle_minutes) if idle_minutes else true()
    return (LoginSession.expires_at > now()) & idle


def sessions(session: Session, user: User, idle_minutes: int = 0) -> list[LoginSession]:
    """The browsers in which `user` is signed in, the latest first."""
    return list(
        session.scalars(
            select(LoginSession)
            .where(LoginSession.user_id == user.id, alive(idle_minutes))
            .order_by(LoginSession.created_at.desc(), LoginSession.id.desc())
        )
    )


def sessions_by_person(session: Session, user: User, idle_minutes: int = 0) -> dict[int, int]:
    """In how many browsers each person is signed in, by their ids. Administrators only."""
    people(session, user)
    rows = session.execute(
        select(LoginSession.user_id, func.count()).where(alive(idle_minutes)).group_by(LoginSession.user_id)
    )
    return {row[0]: row[1] for row in rows}
