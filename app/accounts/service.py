"""Who may come in: one-time links, passwords, signed-in browsers, roles."""

import re
import secrets
import unicodedata
from datetime import timedelta
from functools import cache

from pwdlib import PasswordHash
from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.accounts import queries
from app.accounts.queries import token_hash as token_hash  # pages mark the present browser with it
from app.audit.service import record
from app.errors import Conflict, Forbidden, Invalid
from app.exports import endings
from app.models import Act, ImageSet, Invitation, LoginSession, Role, Style, Subject, User, now
from app.settings import Settings
from app.text import clean_line

PASSWORD_MIN, PASSWORD_MAX = 10, 256  # characters
NAME_MAX, EMAIL_MAX, USER_AGENT_MAX = 80, 254, 255
INVITATION_DAYS = 7
# Why a sign-in was refused, by the field that the sentence stands at.
REFUSALS = {"password": "wrong password", "email": "closed account", "form": "too many tries"}

passwords = PasswordHash.recommended()  # argon2id


# Links


def create_setup_link(session: Session, settings: Settings) -> str | None:
    """A one-time link that makes the first administrator, or None when there is one. Earlier such links end."""
    if queries.has_admin(session):
        return None
    session.execute(delete(Invitation).where(Invitation.invited_by_id.is_(None), Invitation.used_at.is_(None)))
    return f"{settings.public_url}/setup/{_new_invitation(session, Role.ADMIN, None)}"


def invite(session: Session, user: User, role: str) -> str:
    """The token of a one-time link that lets one person in as `role`. Administrators only."""
    _need_admin(user)
    return _new_invitation(session, parse_role(role), user)


def accept_invitation(session: Session, token: str, name: str, email: str, password: str) -> User:
    """Use up a one-time link and make the account it promises.

    Raises NotFound for a link that is used, ended or unknown, and Invalid with a sentence for every wrong field.
    """
    invitation = queries.invitation(session, token)
    name, email = clean_line(name), normal_email(email)
    errors = {
        "name": _name_error(name),
        "email": _email_error(email),
        "password": _password_error(password, email),
    }
    Invalid.check(errors)
    user = User(name=name, email=email, role=invitation.role, password_hash=passwords.hash(_normal_password(password)))
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


# Signing in


def authenticate(session: Session, email: str, password: str) -> User:
    """The person with this e-mail and password. Reads only, slowly by design: give it a reading session.

    Takes the same time and says the same whether the e-mail is unknown or the password wrong. Raises Invalid.
    """
    user = session.scalar(select(User).where(User.email == normal_email(email)))
    right = passwords.verify(_normal_password(password), user.password_hash if user else _dummy_hash())
    if not user or not right:
        raise Invalid(
            "password", "This e-mail and password do not belong to an account here. Check both and try again."
        )
    if not user.active:
        raise Invalid("email", f"The account of {user.email} is closed. An administrator can open it again.")
    return user


def note_refused_sign_in(session: Session, email: str, why: Invalid, **origin: str) -> None:
    """Record that somebody was refused at signing in to an account that there is.

    What nobody's account is called is not kept: people type a password there by mistake, and strangers anything.
    """
    user = session.scalar(select(User).where(User.email == normal_email(email)))
    if user:
        reason = REFUSALS[why.field]
        record(session, None, Act.SIGN_IN_REFUSED, user, reason=reason, **origin)


def start_session(session: Session, user: User, user_agent: str = "", days: int = 14, **origin: str) -> str:
    """The token of a new signed-in browser of `user`, good for `days`. Only its hash is kept. `origin` says, for the
    record, where it is.
    """
    session.execute(delete(LoginSession).where(LoginSession.user_id == user.id, LoginSession.expires_at <= now()))
    token = secrets.token_urlsafe(32)
    session.add(
        LoginSession(
            token_hash=token_hash(token),
            user_id=user.id,
            user_agent=clean_line(user_agent)[:USER_AGENT_MAX],
            expires_at=now() + timedelta(days=days),
        )
    )
    record(session, user, Act.SIGN_IN, user, **origin)
    return token


def user_for_token(session: Session, token: str) -> User | None:
    """The person whose browser holds `token`; None when it has ended, or the account is closed. Reads only."""
    return session.scalar(
        select(User)
        .join(LoginSession, LoginSession.user_id == User.id)
        .where(LoginSession.token_hash == token_hash(token), LoginSession.expires_at > now(), User.active)
    )


def sign_out(session: Session, token: str) -> None:
    """End one signed-in browser. Of an unknown token: nothing happens."""
    user_id = session.scalar(
        delete(LoginSession).where(LoginSession.token_hash == token_hash(token)).returning(LoginSession.user_id)
    )
    if user_id is not None:
        user = queries.person(session, user_id)
        record(session, user, Act.SIGN_OUT, user)


def end_other_sessions(session: Session, user: User, token: str) -> int:
    """Sign `user` out everywhere but in the browser that holds `token`; how many were ended."""
    ended = session.execute(
        delete(LoginSession)
        .where(LoginSession.user_id == user.id, LoginSession.token_hash != token_hash(token))
        .returning(LoginSession.token_hash)
    ).all()
    if ended:
        record(session, user, Act.SIGN_OUT, user, browsers=len(ended))
    return len(ended)


def change_password(session: Session, user: User, current: str, new: str, token: str) -> None:
    """Give `user` another password and sign them out of every other browser. Raises Invalid."""
    person = queries.person(session, user.id)
    if not passwords.verify(_normal_password(current), person.password_hash):
        raise Invalid("current", "This is not your present password. Nothing was changed.")
    Invalid.check({"password": _password_error(new, person.email)})
    person.password_hash = passwords.hash(_normal_password(new))
    record(session, user, Act.ACCOUNT_CHANGE, person, changed="password")
    end_other_sessions(session, user, token)


def note_refused_password(session: Session, user: User, **origin: str) -> None:
    """Record that somebody who is signed in as `user` did not know the present password."""
    record(session, user, Act.PASSWORD_REFUSED, user, **origin)


# People


def set_role(session: Session, user: User, person_id: int, role: str) -> User:
    """Give a person another role. Administrators only; the last one stays one."""
    _need_admin(user)
    person, wanted = queries.person(session, person_id), parse_role(role)
    if wanted is not Role.ADMIN:
        _keep_an_admin(session, person)
    if person.role != wanted:
        record(session, user, Act.ACCOUNT_CHANGE, person, role=[person.role, wanted])
        person.role = wanted
    return person


def set_active(session: Session, user: User, person_id: int, active: bool) -> User:
    """Close an account, which signs it out everywhere at once, or open it again. Administrators only."""
    _need_admin(user)
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


def _need_admin(user: User) -> None:
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


def _normal_password(password: str) -> str:
    # A Mac and a Windows keyboard send the same Japanese letter as different code points.
    # Nor may a page-long one keep the server busy.
    return unicodedata.normalize("NFKC", password[: 2 * PASSWORD_MAX]).encode(errors="replace").decode()


def _name_error(name: str) -> str | None:
    if 1 <= len(name) <= NAME_MAX:
        return None
    return f"Write your name, at most {NAME_MAX} letters." if name else "Write your name, so that others know you."


def _email_error(email: str) -> str | None:
    if len(email) <= EMAIL_MAX and re.fullmatch(r"[^@\s]+@[^@\s]+", email):
        return None
    return f"Write an e-mail address such as haruka@example.com; {email[:80]!r} was given."


def _password_error(password: str, email: str) -> str | None:
    if len(password) < PASSWORD_MIN:
        return f"The password needs at least {PASSWORD_MIN} characters; this one has {len(password)}."
    if len(password) > PASSWORD_MAX:
        return f"The password may have at most {PASSWORD_MAX} characters; this one has {len(password)}."
    if email and password.lower() in (email, email.split("@")[0]):
        return "The password must not be the e-mail address."
    if len(set(password)) < 4:
        return "The password repeats the same few characters. Choose one that nobody guesses."
    return None


@cache
def _dummy_hash() -> str:
    """A hash that no password has, so that an unknown e-mail takes as long as a known one."""
    return passwords.hash(secrets.token_urlsafe(32))
