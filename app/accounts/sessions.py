"""Signed-in browsers: how sessions start, who holds them, how people confirm who they are, how sessions end.

A browser holds a token; the token's hash finds its row. Every request looks up the person's current role and whether
the account is active, so a lowered role applies in every browser immediately.

A session ends when it is signed out here or elsewhere, when the account is deactivated or its password changed, after
`SOROE_SESSION_DAYS` in any case, and after `SOROE_IDLE_MINUTES` without a page. Event streams, pictures and background
requests do not count as activity.
"""

import secrets
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, bindparam, delete, select, true, update
from sqlalchemy.orm import Session, contains_eager, joinedload

from app.accounts import queries
from app.accounts.queries import token_hash
from app.accounts.typed import normal_email
from app.audit.service import record
from app.errors import NotFound
from app.languages import gettext as _
from app.models import Act, LoginSession, User, now
from app.text import clean_line

USER_AGENT_MAX, ADDRESS_MAX = 255, 64  # characters
NEVER = datetime(1, 1, 1, tzinfo=UTC)  # before anything was seen
# Reasons for a refused sign-in, by the form field of the message.
REFUSALS = {"password": "wrong password", "email": "closed account", "form": "too many tries"}


def note_refused_sign_in(session: Session, email: str, field: str, **origin: str) -> None:
    """Record a refused sign-in to an existing account; `field` is one of `REFUSALS`.

    Unknown e-mails are not recorded: people enter passwords there by mistake, and strangers anything.
    """
    user = session.scalar(select(User).where(User.email == normal_email(email)))
    if user:
        reason = REFUSALS[field]
        record(session, None, Act.SIGN_IN_REFUSED, user, reason=reason, **origin)


def note_refused_step(session: Session, user: User, reason: str, **origin: str) -> None:
    """Record that someone who knew the password of `user` failed the second step."""
    record(session, None, Act.SIGN_IN_REFUSED, user, reason=reason, **origin)


def start_session(
    session: Session, user: User, user_agent: str = "", days: int = 14, by_provider: bool = False, **origin: str
) -> str:
    """Start a session for `user`, valid for `days`, and return its token. Only its hash is stored.

    `by_provider`: the sign-in provider saw who they are, with a second factor if it demands one. `origin` says, for the
    audit log and the person, where it is. A new sign-in counts as a confirmation.
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
            by_provider=by_provider,
        )
    )
    record(session, user, Act.SIGN_IN, user, **origin)
    return token


def new_token() -> str:
    return secrets.token_urlsafe(32)


_ALIVE = (
    select(LoginSession)
    .join(LoginSession.user)
    .options(contains_eager(LoginSession.user))
    .where(LoginSession.expires_at > bindparam("now"), LoginSession.seen_at > bindparam("seen_since"), User.active)
)
_LOGIN = _ALIVE.where(LoginSession.token_hash == bindparam("hash"))  # built once: every request asks
_LOGINS = _ALIVE.where(
    LoginSession.token_hash.in_(bindparam("hashes", expanding=True)),
    ~LoginSession.needs_factor,
    ~LoginSession.needs_policy,
)


def _moment(idle_minutes: int) -> dict[str, datetime]:
    """What `_ALIVE` needs to know; 0 minutes: no limit."""
    at = now()
    return {"now": at, "seen_since": at - timedelta(minutes=idle_minutes) if idle_minutes else NEVER}


def login_for_token(session: Session, token: str, idle_minutes: int = 0) -> LoginSession | None:
    """The session that holds `token`, with its person. Reads only.

    None if it has ended, was idle for `idle_minutes` (0: no limit), or the account is deactivated.
    """
    return session.scalar(_LOGIN, {"hash": token_hash(token), **_moment(idle_minutes)})


def user_for_token(session: Session, token: str, idle_minutes: int = 0) -> User | None:
    """The person of the session that `login_for_token` finds; None if they need a second factor or the policy first."""
    found = login_for_token(session, token, idle_minutes)
    return found.user if found and not found.needs_factor and not found.needs_policy else None


def people_of_tokens(session: Session, tokens: Collection[str], idle_minutes: int = 0) -> dict[str, User]:
    """The people of those `tokens` that `user_for_token` would find."""
    by_hash = {token_hash(token): token for token in tokens}
    found = session.scalars(_LOGINS, {"hashes": list(by_hash), **_moment(idle_minutes)})
    return {by_hash[login.token_hash]: login.user for login in found}


def person_at(session: Session, login: LoginSession) -> User | None:
    """Who is signed in at that browser now; None if it was signed out since, or the account deactivated. Reads only.

    Found by row: a confirmation in another tab gives the browser another token.
    """
    found = session.scalar(
        select(LoginSession).where(LoginSession.id == login.id).options(joinedload(LoginSession.user))
    )
    return found.user if found and found.user.active else None


def person_of_ended(session: Session, token: str) -> int | None:
    """Whose session expired that held `token`; None if someone ended it, or the account is deactivated."""
    return session.scalar(
        select(LoginSession.user_id)
        .join(LoginSession.user)
        .where(LoginSession.token_hash == token_hash(token), User.active)
    )


def note_seen(session: Session, seen: Mapping[str, tuple[datetime, str]]) -> None:
    """Store when and at which address browsers were last seen, by the hashes of their tokens."""
    for hashed, (at, address) in seen.items():
        values = {"seen_at": at, "address": address[:ADDRESS_MAX]}
        session.execute(update(LoginSession).where(LoginSession.token_hash == hashed).values(values))


# Confirming who you are


def confirm(session: Session, token: str, **origin: str) -> str:
    """Record a confirmation at the browser that holds `token`, by password or otherwise; returns its new token.

    Raises NotFound if the browser was signed out since.
    """
    found = session.scalar(select(LoginSession).where(LoginSession.token_hash == token_hash(token)))
    if not found:
        raise NotFound(_("This browser was signed out. Sign in again."))
    record(session, found.user, Act.CONFIRM, found.user, **origin)
    return _renew(found)


def note_refused_confirmation(session: Session, user: User, reason: str, **origin: str) -> None:
    """Record that someone at a browser of `user` failed to confirm who they are."""
    record(session, user, Act.CONFIRM_REFUSED, user, reason=reason, **origin)


def renew_token(session: Session, token: str) -> str:
    """Replace the token of a browser whose person has just confirmed who they are; "" if it has none."""
    found = session.scalar(select(LoginSession).where(LoginSession.token_hash == token_hash(token)))
    return _renew(found) if found else ""


def unconfirm(session: Session, person: User) -> None:
    """Void the confirmations in all browsers of `person`: what a new role allows needs a new one."""
    session.execute(update(LoginSession).where(LoginSession.user_id == person.id).values(confirmed_at=None))


def _renew(found: LoginSession) -> str:
    token = new_token()
    found.token_hash, found.confirmed_at = token_hash(token), now()
    return token


# Ending


def sign_out(session: Session, token: str) -> None:
    """End one session. Does nothing for an unknown token."""
    user_id = session.scalar(
        delete(LoginSession).where(LoginSession.token_hash == token_hash(token)).returning(LoginSession.user_id)
    )
    if user_id is not None:
        user = queries.person(session, user_id)
        record(session, user, Act.SIGN_OUT, user)


def end_session(session: Session, user: User, session_id: int) -> None:
    """Sign `user` out of one of their browsers. Raises NotFound if it is not theirs or has ended."""
    if not _end(session, user, user, LoginSession.id == session_id):
        raise NotFound(_("This browser is signed out already."))


def end_other_sessions(session: Session, user: User, token: str) -> int:
    """Sign `user` out everywhere except in the browser that holds `token`; returns the number of sessions ended."""
    return _end(session, user, user, LoginSession.token_hash != token_hash(token))


def end_all_sessions(session: Session, user: User | None, person: User) -> int:
    """Sign `person` out everywhere, on behalf of `user` (None: the system); returns the number of sessions ended."""
    return _end(session, user, person, true())


def _end(session: Session, user: User | None, person: User, which: ColumnElement[bool]) -> int:
    ended = session.execute(
        delete(LoginSession).where(LoginSession.user_id == person.id, which).returning(LoginSession.id)
    ).all()
    if ended:
        record(session, user, Act.SIGN_OUT, person, browsers=len(ended))
    return len(ended)


def remove_ended_sessions(session: Session) -> int:
    """Remove the sessions that no browser can use any more, and count them."""
    ended = delete(LoginSession).where(LoginSession.expires_at <= now()).returning(LoginSession.id)
    return len(session.scalars(ended).all())
