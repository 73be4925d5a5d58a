"""People: their roles, closed and open accounts, and what is asked of whoever does something."""

import re

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from app.accounts import queries
from app.audit.service import record
from app.errors import Conflict, Forbidden, Invalid
from app.exports import endings
from app.models import Act, ImageSet, Invitation, LoginSession, Role, Style, Subject, User, now
from app.text import clean_line

NAME_MAX, EMAIL_MAX = 80, 254  # characters


def set_role(session: Session, user: User, person_id: int, role: str) -> User:
    """Give a person another role. Administrators only; the last one stays one."""
    need_admin(user)
    person, wanted = queries.person(session, person_id), parse_role(role)
    if wanted is not Role.ADMIN:
        _keep_an_admin(session, person)
    if person.role != wanted:
        record(session, user, Act.ACCOUNT_CHANGE, person, role=[person.role, wanted])
        person.role = wanted
    return person


def set_active(session: Session, user: User, person_id: int, active: bool) -> User:
    """Close an account, which signs it out everywhere at once, or open it again. Administrators only."""
    need_admin(user)
    person = queries.person(session, person_id)
    if not active:
        _keep_an_admin(session, person)
        session.execute(delete(LoginSession).where(LoginSession.user_id == person.id))
        # What a person invited others with must not outlive their own right to be here.
        session.execute(
            update(Invitation)
            .where(Invitation.invited_by_id == person.id, Invitation.used_at.is_(None))
            .values(expires_at=now())
        )
        endings.revoke_of(session, user, person)
    if person.active != active:
        record(session, user, Act.ACCOUNT_CHANGE, person, active=active)
        person.active = active
    return person


def may_change(user: User, row: Style | ImageSet | Subject) -> bool:
    """Whether `user` may change a style, set or subject: their own, or anybody's for managers and administrators."""
    return user.active and (row.owner_id == user.id or user.can(Role.MANAGER))


def need_active(user: User) -> None:
    """Raises Forbidden for somebody whose account was closed while they were signed in."""
    if not user.active:
        raise Forbidden("This account is closed.")


def need_admin(user: User) -> None:
    if not user.can(Role.ADMIN):
        raise Forbidden("Only administrators can change who is here. Ask one of them.")


def _keep_an_admin(session: Session, person: User) -> None:
    if not person.can(Role.ADMIN):
        return
    others = session.scalar(
        select(func.count()).where(User.role == Role.ADMIN, User.active, User.id != person.id).select_from(User)
    )
    if not others:
        raise Conflict(f"{person.name} is the only administrator. Make somebody else one first.")


# What may be typed


def parse_role(role: str) -> Role:
    """`role` as a Role. Raises Invalid."""
    try:
        return Role(role)
    except ValueError:
        raise Invalid("role", f"The role is one of {', '.join(Role)}; {role!r} was given.") from None


def normal_email(email: str) -> str:
    """The form in which an e-mail address is kept and looked up."""
    return clean_line(email).lower()


def name_error(name: str) -> str | None:
    if 1 <= len(name) <= NAME_MAX:
        return None
    return f"Write your name, at most {NAME_MAX} letters." if name else "Write your name, so that others know you."


def email_error(email: str) -> str | None:
    if len(email) <= EMAIL_MAX and re.fullmatch(r"[^@\s]+@[^@\s]+", email):
        return None
    return f"Write an e-mail address such as haruka@example.com; {email[:80]!r} was given."
