"""Which roles demand a second factor: an authenticator app or a passkey.

Someone with such a role who has neither is led to set one up, from the next page on, and can do nothing else until then
(`app.web.deps.current_user`). A session that began at the company's sign-in provider needs none: the provider demands
its own. The same person, signing in with a password, does need one.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, exists, func, or_, select
from sqlalchemy.orm import Session

from app import undo
from app.accounts.people import need_admin
from app.accounts.queries import need_list
from app.accounts.typed import parse_role
from app.audit.service import record
from app.errors import Conflict
from app.languages import gettext as _
from app.languages import translated
from app.models import Act, Authenticator, FactorDemand, Identity, Passkey, Role, User
from app.undo import Undone


@dataclass(frozen=True)
class RoleDemand:
    """A role on the page of demands."""

    role: Role
    demanded: bool
    people: int  # with an active account
    without: int  # of them: neither an authenticator app nor a passkey


def _has(*tables: type[Authenticator | Passkey | Identity]) -> ColumnElement[bool]:
    return or_(*(exists(select(table.id).where(table.user_id == User.id).correlate(User)) for table in tables))


def listed(session: Session, user: User) -> list[RoleDemand]:
    """All roles, lowest first. Administrators only."""
    need_list(user)
    demanded = set(session.scalars(select(FactorDemand.role)))
    lacking = func.count().filter(~_has(Authenticator, Passkey))
    counts = select(User.role, func.count(), lacking).where(User.active).group_by(User.role)
    found: Mapping[str, tuple[int, int]] = {
        role: (people, without) for role, people, without in session.execute(counts)
    }
    return [RoleDemand(role, role in demanded, *found.get(role, (0, 0))) for role in Role]


def demand(session: Session, user: User, role: str, on: bool) -> Role:
    """Demand a second factor of a role, or no longer. Administrators only.

    Raises Conflict if that would keep `user` out of this page: they set up their own first.
    """
    need_admin(user)
    wanted = parse_role(role)
    row = session.scalar(select(FactorDemand).filter_by(role=wanted))
    if (
        on
        and wanted == user.role
        and not session.scalar(select(_has(Authenticator, Passkey, Identity)).where(User.id == user.id))
    ):
        raise Conflict(_("Set up an authenticator app or a passkey for yourself first, under Your account."))
    if on == bool(row):
        return wanted
    if row:
        record(session, user, Act.FACTOR_DEMAND, row, role=wanted, demanded=False)
        session.delete(row)
    else:
        row = FactorDemand(role=wanted, demanded_by_id=user.id)
        session.add(row)
        record(session, user, Act.FACTOR_DEMAND, row, role=wanted, demanded=True)
    undo.offer(session, user, "factor demand", role=wanted, after=on)
    return wanted


def undo_demand(session: Session, user: User, role: str, after: bool) -> Undone:
    """Undo a change of a demand. Raises Forbidden, and Conflict if it was changed since."""
    need_admin(user)
    if after != (session.scalar(select(FactorDemand.id).filter_by(role=role)) is not None):
        raise Conflict(_("This was changed since, so it was not undone. Reload the page."))
    demand(session, user, role, not after)
    return Undone(said(Role(role), not after))


def said(role: Role, on: bool) -> str:
    """What a demand means for the people of a role."""
    if on:
        return _("Two-step sign-in is now required for the role %(role)s.", role=translated(role.word))
    return _("Two-step sign-in is no longer required for the role %(role)s.", role=translated(role.word))
