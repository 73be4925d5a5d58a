"""Passwords: the rules, the hash, and changing one."""

import secrets
from dataclasses import dataclass
from functools import cache

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts import handed, password_quality, queries
from app.accounts.hashing import passwords as passwords  # links with a password use it too
from app.accounts.sessions import end_other_sessions, renew_token
from app.accounts.typed import normal_email
from app.audit.service import record
from app.errors import Invalid
from app.languages import gettext as _
from app.models import Act, PasswordReset, User
from app.text import normalized

PASSWORD_MIN, PASSWORD_MAX = 10, 256  # characters
CHANGED = "the password was changed"


def authenticate(session: Session, email: str, password: str) -> User:
    """The person with this e-mail and password. Reads only, slowly by design: pass a reading session.

    Takes the same time and says the same whether the e-mail is unknown or the password wrong. Raises Invalid.
    """
    user = session.scalar(select(User).where(User.email == normal_email(email)))
    right = is_password(user, password)
    if not user or not right:
        raise Invalid("password", _("This e-mail and password do not match. Check both and try again."))
    if not user.active:
        raise Invalid(
            "email", _("The account %(email)s is deactivated. Ask an administrator to reactivate it.", email=user.email)
        )
    return user


def check_password(session: Session, user: User, password: str) -> None:
    """Check that `password` is the current one of `user`. Reads only, slowly by design. Raises Invalid."""
    if not is_password(queries.person(session, user.id), password):
        raise Invalid("password", _("This is not your password. Try again."))


def hashed(password: str) -> str:
    """Hash a password. Slow by design: call it before a writing transaction."""
    return passwords.hash(normal_password(password))


def is_password(user: User | None, password: str) -> bool:
    """Whether the password is this person's; False, after the same time, without a person or a password."""
    kept = user.password_hash if user else ""
    return passwords.verify(normal_password(password), kept or _dummy_hash())


@dataclass(frozen=True)
class NewPassword:
    """The hashes of the current password and of the new one."""

    before: str
    after: str


def new_password(session: Session, user: User, current: str, new: str) -> NewPassword:
    """Prepare `change_password`. Reads only, slowly by design: pass a reading session. Raises Invalid."""
    person = queries.person(session, user.id)
    if not is_password(person, current):
        raise Invalid("current", _("This is not your current password. Nothing was changed."))
    Invalid.check({"password": password_error(new, person.name, person.email)})
    return NewPassword(person.password_hash, hashed(new))


def change_password(session: Session, user: User, new: NewPassword, token: str) -> str:
    """Change the password of `user`, sign out every other browser, and end reset links for the old one.

    Returns a new token for the browser that holds `token` ("" if it has none). Raises Invalid if the current password
    has changed since.
    """
    person = queries.person(session, user.id)
    if person.password_hash != new.before:
        raise Invalid(
            "current", _("Your password was changed in another browser. Enter the new one; nothing else was changed.")
        )
    person.password_hash = new.after
    record(session, user, Act.ACCOUNT_CHANGE, person, changed="password")
    end_other_sessions(session, user, token)
    handed.revoke_resets(session, user, CHANGED, PasswordReset.user_id == person.id)
    return renew_token(session, token)


def note_refused_password(session: Session, user: User, **origin: str) -> None:
    """Record that someone signed in as `user` entered a wrong current password."""
    record(session, user, Act.PASSWORD_REFUSED, user, **origin)


def normal_password(password: str) -> str:
    # A Mac and a Windows keyboard send the same Japanese letter as different code points. The limit keeps a page-long
    # password from occupying the server.
    return normalized("NFKC", password[: 2 * PASSWORD_MAX]).encode(errors="replace").decode()


def password_error(password: str, *known: str) -> str | None:
    """What is wrong with a password, as a sentence. `known`: the person's name and e-mail, which attackers try."""
    if len(password) < PASSWORD_MIN:
        return _(
            "The password needs at least %(least)s characters; this one has %(length)s.",
            least=PASSWORD_MIN,
            length=len(password),
        )
    if len(password) > PASSWORD_MAX:
        return _(
            "The password may have at most %(most)s characters; this one has %(length)s.",
            most=PASSWORD_MAX,
            length=len(password),
        )
    return password_quality.problem(password, known)


@cache
def _dummy_hash() -> str:
    """A hash without a password, so that an unknown e-mail takes as long as a known one."""
    return passwords.hash(secrets.token_urlsafe(32))
