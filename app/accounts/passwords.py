"""Passwords: what may be one, how it is kept, and changing it."""

import secrets
from dataclasses import dataclass
from functools import cache

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts import handed, password_quality, queries
from app.accounts.hashing import passwords as passwords  # links with a password have theirs checked by it too
from app.accounts.sessions import end_other_sessions, renew_token
from app.accounts.typed import normal_email
from app.audit.service import record
from app.errors import Invalid
from app.models import Act, PasswordReset, User
from app.text import normalized

PASSWORD_MIN, PASSWORD_MAX = 10, 256  # characters
CHANGED = "the password was changed"


def authenticate(session: Session, email: str, password: str) -> User:
    """The person with this e-mail and password. Reads only, slowly by design: give it a reading session.

    Takes the same time and says the same whether the e-mail is unknown or the password wrong. Raises Invalid.
    """
    user = session.scalar(select(User).where(User.email == normal_email(email)))
    right = is_password(user, password)
    if not user or not right:
        raise Invalid(
            "password", "This e-mail and password do not belong to an account here. Check both and try again."
        )
    if not user.active:
        raise Invalid("email", f"The account of {user.email} is closed. An administrator can open it again.")
    return user


def check_password(session: Session, user: User, password: str) -> None:
    """Whether `password` is the present one of `user`. Reads only, slowly by design. Raises Invalid."""
    if not is_password(queries.person(session, user.id), password):
        raise Invalid("password", "This is not your password. Try again.")


def hashed(password: str) -> str:
    """What is kept of a password. Slow by design: make it before a transaction that writes."""
    return passwords.hash(normal_password(password))


def is_password(user: User | None, password: str) -> bool:
    """Whether it is this person's; never for nobody and for who has none, which takes as long to say."""
    kept = user.password_hash if user else ""
    return passwords.verify(normal_password(password), kept or _dummy_hash())


@dataclass(frozen=True)
class NewPassword:
    """The hashes of the password that somebody knew, and of the one that is to follow it."""

    before: str
    after: str


def new_password(session: Session, user: User, current: str, new: str) -> NewPassword:
    """What `change_password` takes. Reads only, slowly by design: give it a reading session. Raises Invalid."""
    person = queries.person(session, user.id)
    if not is_password(person, current):
        raise Invalid("current", "This is not your current password. Nothing was changed.")
    Invalid.check({"password": password_error(new, person.name, person.email)})
    return NewPassword(person.password_hash, hashed(new))


def change_password(session: Session, user: User, new: NewPassword, token: str) -> str:
    """Give `user` another password: every other browser is signed out, links that would reset the old one end, and the
    browser that holds `token` gets the token that is returned ("" where it has none). Raises Invalid when the present
    password was changed meanwhile.
    """
    person = queries.person(session, user.id)
    if person.password_hash != new.before:
        raise Invalid(
            "current", "Your password was changed in another browser. Nothing was changed now; type the new one."
        )
    person.password_hash = new.after
    record(session, user, Act.ACCOUNT_CHANGE, person, changed="password")
    end_other_sessions(session, user, token)
    handed.revoke_resets(session, user, CHANGED, PasswordReset.user_id == person.id)
    return renew_token(session, token)


def note_refused_password(session: Session, user: User, **origin: str) -> None:
    """Record that somebody who is signed in as `user` did not know the present password."""
    record(session, user, Act.PASSWORD_REFUSED, user, **origin)


def normal_password(password: str) -> str:
    # A Mac and a Windows keyboard send the same Japanese letter as different code points.
    # Nor may a page-long one keep the server busy.
    return normalized("NFKC", password[: 2 * PASSWORD_MAX]).encode(errors="replace").decode()


def password_error(password: str, *known: str) -> str | None:
    """What is wrong with a password, as a sentence. `known`: the person's name and e-mail, which guessers try."""
    if len(password) < PASSWORD_MIN:
        return f"The password needs at least {PASSWORD_MIN} characters; this one has {len(password)}."
    if len(password) > PASSWORD_MAX:
        return f"The password may have at most {PASSWORD_MAX} characters; this one has {len(password)}."
    return password_quality.problem(password, known)


@cache
def _dummy_hash() -> str:
    """A hash that no password has, so that an unknown e-mail takes as long as a known one."""
    return passwords.hash(secrets.token_urlsafe(32))
