"""Signed-in browsers: how they begin, who holds them, how a person proves again who they are, how they end.

A browser holds a token; its row is found by the token's hash. Whoever asks is looked up for every request, with today's
role and whether the account is open: a fallen role acts with what is left of it in every browser at once.

A session ends when it is signed out or ended from elsewhere, when the account is closed or its password changed, after
`SOROE_SESSION_DAYS` whatever happens, and after `SOROE_IDLE_MINUTES` without a page. Event streams, pictures and what
pages ask for by themselves are no sign that somebody is there.
"""

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, select, true, update
from sqlalchemy.orm import Session, contains_eager, joinedload

from app.accounts import queries
from app.accounts.queries import token_hash
from app.accounts.typed import normal_email
from app.audit.service import record
from app.errors import NotFound
from app.models import Act, LoginSession, User, now
from app.text import clean_line

USER_AGENT_MAX, ADDRESS_MAX = 255, 64  # characters
# Why a sign-in was refused, by the field that the sentence stands at.
REFUSALS = {"password": "wrong password", "email": "closed account", "form": "too many tries"}


def note_refused_sign_in(session: Session, email: str, field: str, **origin: str) -> None:
    """Record that somebody was refused at signing in to an account that there is; `field` is one of `REFUSALS`.

    What nobody's account is called is not kept: people type a password there by mistake, and strangers anything.
    """
    user = session.scalar(select(User).where(User.email == normal_email(email)))
    if user:
        reason = REFUSALS[field]
        record(session, None, Act.SIGN_IN_REFUSED, user, reason=reason, **origin)


def note_refused_step(session: Session, user: User, reason: str, **origin: str) -> None:
    """Record that somebody who knew the password of `user` failed at the second step."""
    record(session, None, Act.SIGN_IN_REFUSED, user, reason=reason, **origin)


def start_session(session: Session, user: User, user_agent: str = "", days: int = 14, **origin: str) -> str:
    """The token of a new signed-in browser of `user`, good for `days`. Only its hash is kept. `origin` says, for the
    record and the person, where it is. Who has just signed in has just proved who they are.
    """
    session.execute(delete(LoginSession).where(LoginSession.user_id == user.id, LoginSession.expires_at <= now()))
    token = new_token()
    session.add(
        LoginSession(
            token_hash=token_hash(token),
            user_id=user.id,
            user_agent=clean_line(user_agent[:USER_AGENT_MAX]),
            address=origin.get("address", "")[:ADDRESS_MAX],
            confirmed_at=now(),
            expires_at=now() + timedelta(days=days),
        )
    )
    record(session, user, Act.SIGN_IN, user, **origin)
    return token


def new_token() -> str:
    return secrets.token_urlsafe(32)


def login_for_token(session: Session, token: str, idle_minutes: int = 0) -> LoginSession | None:
    """The signed-in browser that holds `token`, with its person; None when it has ended, was left alone for
    `idle_minutes` (0: as long as it likes), or the account is closed. Reads only.
    """
    return session.scalar(
        select(LoginSession)
        .join(LoginSession.user)
        .options(contains_eager(LoginSession.user))
        .where(LoginSession.token_hash == token_hash(token), queries.alive(idle_minutes), User.active)
    )


def user_for_token(session: Session, token: str, idle_minutes: int = 0) -> User | None:
    """The person at that browser, as `login_for_token` finds it."""
    found = login_for_token(session, token, idle_minutes)
    return found.user if found else None


def person_at(session: Session, login: LoginSession) -> User | None:
    """Who is signed in at that browser now; None when it was signed out since, or the account closed. Reads only.

    By the row: a proof in another tab gives the browser another token.
    """
    found = session.scalar(
        select(LoginSession).where(LoginSession.id == login.id).options(joinedload(LoginSession.user))
    )
    return found.user if found and found.user.active else None


def person_of_ended(session: Session, token: str) -> int | None:
    """Whose session ran out by itself that `token` stood for; None for one that somebody ended, or a closed account."""
    return session.scalar(
        select(LoginSession.user_id)
        .join(LoginSession.user)
        .where(LoginSession.token_hash == token_hash(token), User.active)
    )


def note_seen(session: Session, seen: Mapping[str, tuple[datetime, str]]) -> None:
    """Keep when and at which address browsers were last seen, by the hashes of their tokens."""
    for hashed, (at, address) in seen.items():
        values = {"seen_at": at, "address": address[:ADDRESS_MAX]}
        session.execute(update(LoginSession).where(LoginSession.token_hash == hashed).values(values))


# Proving again who is there


def confirm(session: Session, token: str, **origin: str) -> str:
    """The person at the browser that holds `token` has proved who they are, by the password or in another way; the
    token that takes its place. Raises NotFound when the browser was signed out meanwhile.
    """
    found = session.scalar(select(LoginSession).where(LoginSession.token_hash == token_hash(token)))
    if not found:
        raise NotFound("This browser was signed out. Sign in again.")
    record(session, found.user, Act.CONFIRM, found.user, **origin)
    return _renew(found)


def note_refused_confirmation(session: Session, user: User, reason: str, **origin: str) -> None:
    """Record that somebody at a browser of `user` could not prove to be them."""
    record(session, user, Act.CONFIRM_REFUSED, user, reason=reason, **origin)


def renew_token(session: Session, token: str) -> str:
    """Give the browser that holds `token`, whose person has just proved who they are, another one, and end the old;
    "" when it has none.
    """
    found = session.scalar(select(LoginSession).where(LoginSession.token_hash == token_hash(token)))
    return _renew(found) if found else ""


def unconfirm(session: Session, person: User) -> None:
    """In none of their browsers does `person` count as having proved who they are: what a new role allows needs it."""
    session.execute(update(LoginSession).where(LoginSession.user_id == person.id).values(confirmed_at=None))


def _renew(found: LoginSession) -> str:
    token = new_token()
    found.token_hash, found.confirmed_at = token_hash(token), now()
    return token


# Ending


def sign_out(session: Session, token: str) -> None:
    """End one signed-in browser. Of an unknown token: nothing happens."""
    user_id = session.scalar(
        delete(LoginSession).where(LoginSession.token_hash == token_hash(token)).returning(LoginSession.user_id)
    )
    if user_id is not None:
        user = queries.person(session, user_id)
        record(session, user, Act.SIGN_OUT, user)


def end_session(session: Session, user: User, session_id: int) -> None:
    """Sign `user` out of one of their browsers. Raises NotFound for one that is not theirs or has ended."""
    if not _end(session, user, user, LoginSession.id == session_id):
        raise NotFound("This browser is signed out already.")


def end_other_sessions(session: Session, user: User, token: str) -> int:
    """Sign `user` out everywhere but in the browser that holds `token`; how many were ended."""
    return _end(session, user, user, LoginSession.token_hash != token_hash(token))


def end_all_sessions(session: Session, user: User | None, person: User) -> int:
    """Sign `person` out everywhere, as `user` (None: the system) wants; how many were ended."""
    return _end(session, user, person, true())


def _end(session: Session, user: User | None, person: User, which: ColumnElement[bool]) -> int:
    ended = session.execute(
        delete(LoginSession).where(LoginSession.user_id == person.id, which).returning(LoginSession.id)
    ).all()
    if ended:
        record(session, user, Act.SIGN_OUT, person, browsers=len(ended))
    return len(ended)
