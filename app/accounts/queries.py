"""Read people, their sign-ins and the open links."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import urlencode

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Integer,
    and_,
    bindparam,
    func,
    literal,
    or_,
    select,
    true,
    tuple_,
)
from sqlalchemy.orm import Session, joinedload

from app.errors import DeadLink, Forbidden, NotFound
from app.languages import gettext as _
from app.models import Act, AuditEvent, Invitation, LoginSession, PasswordReset, Role, User, now
from app.ranking import NOTHING, rank

PEOPLE_PAGE = 50
UNSEEN_DAYS = 60  # after which the people page counts somebody as not seen
LISTED, LISTED_DAYS = 200, 30  # invitations on the people page, and how long an ended one stays there


def token_hash(token: str) -> str:
    """The stored form of a secret token. Tokens are random enough for plain SHA-256."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


# The person who asks, in statements that are built once: building one takes longer than running it. `asks` binds both.
MY_ID = bindparam("my_id", type_=Integer())
I_AM_ACTIVE = bindparam("i_am_active", type_=Boolean())


def asks(user: User) -> dict[str, Any]:
    """The values of `MY_ID` and `I_AM_ACTIVE`, to execute a statement for `user`."""
    return {"my_id": user.id, "i_am_active": user.active}


def signed_in(user: User) -> ColumnElement[bool]:
    """A condition for what every signed-in person can see; with a deactivated account it matches nothing."""
    return literal(user.active)


def has_admin(session: Session) -> bool:
    """Whether there is an administrator, who can invite people."""
    return session.scalar(select(User.id).where(User.role == Role.ADMIN, User.active).limit(1)) is not None


def person(session: Session, person_id: int) -> User:
    """The person. Raises NotFound."""
    found = session.get(User, person_id)
    if not found:
        raise NotFound(_("There is no such person here."))
    return found


def need_list(user: User) -> None:
    if not user.can(Role.ADMIN):
        raise Forbidden(_("Only administrators can see accounts. Ask one of them."))


@dataclass(frozen=True)
class PeopleFilter:
    """Which people to list: `words` is a part of a name or address, `state` is one of `STATES` or ""."""

    words: str = ""
    role: str = ""
    state: str = ""

    @property
    def pairs(self) -> dict[str, str]:
        values = {"q": self.words, "role": self.role, "state": self.state}
        return {name: value for name, value in values.items() if value}

    @property
    def query(self) -> str:
        return urlencode(self.pairs)

    @property
    def rank(self) -> ColumnElement[int]:
        """How well a name or address matches the words."""
        return func.match_rank(User.name.concat(" ").concat(User.email), self.words, type_=Integer)

    @property
    def condition(self) -> ColumnElement[bool]:
        text = self.words.strip()
        named = self.rank > NOTHING
        role = User.role == self.role if self.role else true()
        return and_(named if text else true(), role, STATES.get(self.state, true()))


_IN_BROWSER = select(func.max(LoginSession.seen_at)).where(LoginSession.user_id == User.id).correlate(User)
_SIGNED = (
    select(func.max(AuditEvent.at))
    .where(AuditEvent.user_id == User.id, AuditEvent.act.in_([Act.SIGN_IN, Act.SIGN_OUT]))
    .correlate(User)
)
_SEEN = func.coalesce(_IN_BROWSER.scalar_subquery(), _SIGNED.scalar_subquery(), type_=User.created_at.type)
_LONG_AGO = bindparam("long_ago", callable_=lambda: now() - timedelta(days=UNSEEN_DAYS), type_=User.created_at.type)
STATES = {
    "active": User.active,
    "closed": ~User.active,
    "unseen": and_(User.active, or_(_SEEN.is_(None), _SEEN < _LONG_AGO)),
}


def people(
    session: Session,
    user: User,
    wanted: PeopleFilter | None = None,
    after: int | None = None,
    limit: int = PEOPLE_PAGE,
) -> list[User]:
    """The people that match, active accounts first, then by match and name; `after` is the id of the last one shown.

    Administrators only.
    """
    need_list(user)
    wanted = wanted or PeopleFilter()
    order = User.active.is_(False), -wanted.rank, User.name, User.id
    statement = select(User).where(wanted.condition).order_by(*order).limit(limit)
    if last := session.get(User, after) if after is not None else None:
        place = -rank(f"{last.name} {last.email}", wanted.words)
        shown = tuple_(literal(not last.active), literal(place), literal(last.name), last.id)
        statement = statement.where(tuple_(*order) > shown)
    return list(session.scalars(statement))


def people_count(session: Session, user: User, wanted: PeopleFilter | None = None) -> int:
    """How many accounts `people` lists in total. Administrators only."""
    need_list(user)
    matching = (wanted or PeopleFilter()).condition
    return session.scalar(select(func.count()).select_from(User).where(matching)) or 0


def last_seen(session: Session, user: User, ids: Collection[int]) -> dict[int, datetime]:
    """When people were last seen in a browser, or else last signed in or out, by id. Administrators only."""
    need_list(user)
    rows = session.execute(select(User.id, _SEEN).where(User.id.in_(ids)))
    return {person_id: seen for person_id, seen in rows if seen}


def invitation(session: Session, token: str) -> Invitation:
    """The open invite link for `token`. Raises NotFound, with the reason, if it no longer works.

    Its author must still be an administrator; a set-up link only works on a server without one.
    """
    found = session.scalar(
        select(Invitation)
        .where(Invitation.token_hash == token_hash(token))
        .options(joinedload(Invitation.invited_by), joinedload(Invitation.reopens))
    )
    meant = found and (found.invited_by.can(Role.ADMIN) if found.invited_by else not has_admin(session))
    return _open(found, bool(meant))


def reset(session: Session, token: str) -> PasswordReset:
    """The open reset link for `token`. Raises NotFound, with the reason, if it does not work."""
    found = session.scalar(
        select(PasswordReset)
        .where(PasswordReset.token_hash == token_hash(token))
        .options(joinedload(PasswordReset.user), joinedload(PasswordReset.made_by))
    )
    meant = found and found.user.active and (found.made_by is None or found.made_by.can(Role.ADMIN))
    return _open(found, bool(meant))


L = TypeVar("L", Invitation, PasswordReset)


def _open(link: L | None, meant: bool) -> L:
    if not link:
        sentence = _(
            "This link is not complete or not known. Check the address, or ask an administrator for a new link."
        )
    elif link.used_at:
        sentence = _("This link was already used. Ask an administrator for a new one.")
    elif link.revoked_at or not meant:
        sentence = _("This link was revoked. Ask an administrator for a new one.")
    elif link.expires_at <= now():
        sentence = _("This link has expired. Ask an administrator for a new one.")
    else:
        return link
    raise DeadLink(sentence)


def invitations(session: Session, user: User) -> list[Invitation]:
    """The open invitations, newest first, then those that ended in the last weeks. Administrators only."""
    need_list(user)
    closed = Invitation.used_at.is_not(None) | Invitation.revoked_at.is_not(None) | (Invitation.expires_at <= now())
    statement = (
        select(Invitation)
        .where(~closed | (Invitation.created_at > now() - timedelta(days=LISTED_DAYS)))
        .order_by(closed, Invitation.id.desc())
        .limit(LISTED)
    )
    people = joinedload(Invitation.invited_by), joinedload(Invitation.used_by), joinedload(Invitation.reopens)
    return list(session.scalars(statement.options(*people)))


def resets(session: Session, user: User) -> list[PasswordReset]:
    """The open reset links, newest first. Administrators only."""
    need_list(user)
    statement = select(PasswordReset).where(*PasswordReset.still_open()).order_by(PasswordReset.id.desc())
    return list(session.scalars(statement.options(joinedload(PasswordReset.user), joinedload(PasswordReset.made_by))))


def alive(idle_minutes: int) -> ColumnElement[bool]:
    """A condition for sessions that have not expired and were used within `idle_minutes`."""
    idle = LoginSession.seen_at > now() - timedelta(minutes=idle_minutes) if idle_minutes else true()
    return (LoginSession.expires_at > now()) & idle


def sessions(session: Session, user: User, idle_minutes: int = 0) -> list[LoginSession]:
    """The browsers in which `user` is signed in, latest first."""
    return list(
        session.scalars(
            select(LoginSession)
            .where(LoginSession.user_id == user.id, alive(idle_minutes))
            .order_by(LoginSession.created_at.desc(), LoginSession.id.desc())
        )
    )


def sessions_by_person(
    session: Session, user: User, person_ids: Collection[int], idle_minutes: int = 0
) -> dict[int, int]:
    """How many browsers each of these people is signed in with, by id. Administrators only."""
    need_list(user)
    rows = session.execute(
        select(LoginSession.user_id, func.count())
        .where(LoginSession.user_id.in_(person_ids), alive(idle_minutes))
        .group_by(LoginSession.user_id)
    )
    return {row[0]: row[1] for row in rows}
