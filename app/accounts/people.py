"""People: their roles, active and deactivated accounts, and permission checks."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.accounts import handed, queries, sessions
from app.accounts.typed import email_error as email_error
from app.accounts.typed import name_error as name_error
from app.accounts.typed import normal_email as normal_email
from app.accounts.typed import parse_role as parse_role
from app.audit.service import record
from app.errors import Conflict, Forbidden
from app.models import Act, ImageSet, Invitation, Role, Style, Subject, User


def set_role(session: Session, user: User, person_id: int, role: str) -> User:
    """Change a person's role. Administrators only; the last administrator stays one."""
    need_admin(user)
    person, wanted = queries.person(session, person_id), parse_role(role)
    if wanted is not Role.ADMIN:
        _keep_an_admin(session, person)
    give_role(session, user, person, wanted)
    return person


def give_role(session: Session, user: User | None, person: User, role: Role, **how: str) -> None:
    """Change a person's role, and end what they handed out with the old one, on behalf of `user` (None: the system).

    All role changes go through here: by an administrator, or by a sign-in provider's groups.
    """
    if person.role != role:
        before, person.role = person.role, role
        record(session, user, Act.ACCOUNT_CHANGE, person, role=[before, role], **how)
        handed.role_changed(session, user, person)


def set_active(session: Session, user: User, person_id: int, active: bool) -> User:
    """Close an account, or reopen it with its role and password. Administrators only.

    Closing signs it out everywhere immediately and ends what it handed out.
    """
    need_admin(user)
    person = queries.person(session, person_id)
    if not active:
        _keep_an_admin(session, person)
        handed.closed(session, user, person)
    else:
        handed.revoke_invitations(session, user, handed.REOPENED, Invitation.reopens_id == person.id)
    if person.active != active:
        record(session, user, Act.ACCOUNT_CHANGE, person, active=active)
        person.active = active
    return person


def end_sessions_of(session: Session, user: User, person_id: int) -> tuple[User, int]:
    """Sign a person out everywhere; returns the person and the number of browsers. Administrators only."""
    need_admin(user)
    person = queries.person(session, person_id)
    return person, sessions.end_all_sessions(session, user, person)


def may_change(user: User, row: Style | ImageSet | Subject) -> bool:
    """Whether `user` may change a style, set or subject: their own, or anyone's for managers and administrators."""
    return user.active and (row.owner_id == user.id or user.can(Role.MANAGER))


def need_active(user: User) -> None:
    """Raise Forbidden for someone whose account was deactivated while they were signed in."""
    if not user.active:
        raise Forbidden("This account is deactivated.")


def need_admin(user: User) -> None:
    if not user.can(Role.ADMIN):
        raise Forbidden("Only administrators can manage people. Ask one of them.")


def _keep_an_admin(session: Session, person: User) -> None:
    if not person.can(Role.ADMIN):
        return
    others = session.scalar(
        select(func.count()).where(User.role == Role.ADMIN, User.active, User.id != person.id).select_from(User)
    )
    if not others:
        raise Conflict(f"{person.name} is the only administrator. Make someone else an administrator first.")
