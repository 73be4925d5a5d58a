"""People: their roles, active and deactivated accounts, and permission checks."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import undo
from app.accounts import handed, queries, sessions
from app.accounts.typed import email_error as email_error
from app.accounts.typed import name_error as name_error
from app.accounts.typed import normal_email as normal_email
from app.accounts.typed import parse_role as parse_role
from app.audit.service import record
from app.errors import Conflict, Forbidden, Invalid
from app.languages import gettext as _
from app.languages import translated
from app.models import Act, FormTemplate, ImageSet, Invitation, Role, Style, Subject, User
from app.text import clean_line
from app.undo import Undone, changed_since


def set_role(session: Session, user: User, person_id: int, role: str) -> User:
    """Change a person's role. Administrators only; the last administrator stays one."""
    need_admin(user)
    person, wanted = queries.person(session, person_id), parse_role(role)
    if wanted is not Role.ADMIN:
        _keep_an_admin(session, person)
    before = person.role
    give_role(session, user, person, wanted)
    if before != wanted:
        undo.offer(session, user, "role", person_id=person.id, before=before, after=wanted)
    return person


def undo_role(session: Session, user: User, person_id: int, before: str, after: str) -> Undone:
    """Undo a change of role. Raises Forbidden, and Conflict if it was changed since."""
    need_admin(user)
    person = queries.person(session, person_id)
    if person.role != after:
        raise changed_since(session, user, person, _("the role of %(name)s", name=person.name))
    set_role(session, user, person_id, before)
    return Undone(_("%(name)s has the role %(role)s again.", name=person.name, role=translated(Role(before).word)))


def rename(session: Session, user: User, name: str) -> User:
    """Change one's own name. Raises Invalid."""
    person, name = queries.person(session, user.id), clean_line(name)
    if error := name_error(name):
        raise Invalid("name", error)
    if person.name != name:
        before, person.name = person.name, name
        record(session, user, Act.ACCOUNT_CHANGE, person, name=[before, name])
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
        undo.offer(session, user, "active", person_id=person.id, after=active)
    return person


def undo_active(session: Session, user: User, person_id: int, after: bool) -> Undone:
    """Undo a deactivation or reactivation. Raises Forbidden, and Conflict if it was done since."""
    need_admin(user)
    person = queries.person(session, person_id)
    if person.active != after:
        raise changed_since(session, user, person, _("the account of %(name)s", name=person.name))
    set_active(session, user, person_id, not after)
    if after:
        return Undone(_("%(name)s is deactivated again.", name=person.name))
    return Undone(_("%(name)s can sign in again. They were signed out everywhere.", name=person.name))


def end_sessions_of(session: Session, user: User, person_id: int) -> tuple[User, int]:
    """Sign a person out everywhere; returns the person and the number of browsers. Administrators only."""
    need_admin(user)
    person = queries.person(session, person_id)
    return person, sessions.end_all_sessions(session, user, person)


def may_change(user: User, row: FormTemplate | ImageSet | Style | Subject) -> bool:
    """Whether `user` may change a style, set, subject or template: their own, managers anyone's."""
    return user.active and (row.owner_id == user.id or user.can(Role.MANAGER))


def need_active(user: User) -> None:
    """Raise Forbidden for someone whose account was deactivated while they were signed in."""
    if not user.active:
        raise Forbidden(_("This account is deactivated."))


def need_admin(user: User) -> None:
    if not user.can(Role.ADMIN):
        raise Forbidden(_("Only administrators can manage people. Ask one of them."))


def _keep_an_admin(session: Session, person: User) -> None:
    if not person.can(Role.ADMIN):
        return
    others = session.scalar(
        select(func.count()).where(User.role == Role.ADMIN, User.active, User.id != person.id).select_from(User)
    )
    if not others:
        raise Conflict(
            _("%(name)s is the only administrator. Make someone else an administrator first.", name=person.name)
        )
