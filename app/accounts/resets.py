"""Reset links: choose another password when it was forgotten or stolen.

An administrator makes one on the people page, the operator on the command line. The current password works until the
link is used; then every browser is signed out and all other such links end. Second factors stay: the link replaces the
password only.
"""

import secrets
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts import handed, queries, sessions
from app.accounts.passwords import hashed, password_error
from app.accounts.people import need_admin
from app.accounts.queries import token_hash
from app.accounts.typed import normal_email
from app.audit.service import record
from app.errors import Conflict, Invalid, NotFound
from app.languages import gettext as _
from app.models import Act, PasswordReset, User, now

RESET_HOURS = 24
WITHDRAWN, USED = "somebody wanted it", "another password was chosen"


@dataclass(frozen=True)
class ChosenPassword:
    """The hash of a password chosen through a link."""

    password_hash: str


def create_reset(session: Session, user: User, person_id: int) -> str:
    """Make a reset link for a person and return its token. Administrators only, and not for themselves.

    Raises NotFound, and Conflict for a deactivated account.
    """
    need_admin(user)
    person = queries.person(session, person_id)
    if person.id == user.id:
        raise Conflict(_("Change your own password on your account page."))
    return _new_reset(session, user, person)


def create_reset_by_operator(session: Session, email: str) -> str:
    """Make a reset link by e-mail, from the command line. Raises NotFound and Conflict."""
    person = session.scalar(select(User).where(User.email == normal_email(email)))
    if not person:
        raise NotFound(_("No account here has the e-mail %(email)s.", email=normal_email(email)[:80]))
    return _new_reset(session, None, person)


def choose_password(session: Session, token: str, password: str) -> ChosenPassword:
    """Prepare `use_reset`. Reads only, slowly by design: pass a reading session. Raises NotFound and Invalid."""
    person = queries.reset(session, token).user
    Invalid.check({"password": password_error(password, person.name, person.email)})
    return ChosenPassword(hashed(password))


def use_reset(session: Session, token: str, chosen: ChosenPassword) -> User:
    """Use up a link: set the chosen password and sign the person out everywhere. Raises NotFound."""
    reset = queries.reset(session, token)
    person = reset.user
    person.password_hash = chosen.password_hash
    reset.used_at = now()
    record(session, person, Act.RESET_USE, person, made_by=reset.made_by.name if reset.made_by else None)
    handed.revoke_resets(session, person, USED, PasswordReset.user_id == person.id)
    sessions.end_all_sessions(session, person, person)
    return person


def revoke_reset(session: Session, user: User, reset_id: int) -> None:
    """End an open link. Administrators only. Raises NotFound, and Conflict if it is no longer open."""
    need_admin(user)
    if not session.get(PasswordReset, reset_id):
        raise NotFound(_("There is no such link here."))
    if not handed.revoke_resets(session, user, WITHDRAWN, PasswordReset.id == reset_id):
        raise Conflict(_("This link was already used or has expired. Nothing was changed."))


def _new_reset(session: Session, user: User | None, person: User) -> str:
    if not person.active:
        raise Conflict(
            _("The account of %(name)s is deactivated. Reactivate it first, or invite its address.", name=person.name)
        )
    token = secrets.token_urlsafe(32)
    session.add(
        PasswordReset(
            token_hash=token_hash(token),
            user_id=person.id,
            made_by_id=user.id if user else None,
            expires_at=now() + timedelta(hours=RESET_HOURS),
        )
    )
    record(session, user, Act.RESET_CREATE, person)
    return token
