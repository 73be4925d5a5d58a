"""Signed-in browsers: how they begin, who holds them, how they end."""

import secrets
from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.accounts import queries
from app.accounts.people import normal_email
from app.accounts.queries import token_hash
from app.audit.service import record
from app.models import Act, LoginSession, User, now
from app.text import clean_line

USER_AGENT_MAX = 255  # characters
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
            user_agent=clean_line(user_agent[:USER_AGENT_MAX]),
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
