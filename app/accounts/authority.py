"""Precedence between people with different roles who act on the same thing.

Permission depends on today's role and on the relation to the thing. But nobody can undo, with a lower role, what
someone stopped as a manager or above; so such acts store the role they were done with.
"""

from datetime import datetime
from typing import Protocol

from sqlalchemy import ColumnElement, or_
from sqlalchemy.orm import InstrumentedAttribute

from app.errors import Forbidden
from app.languages import N_, translated
from app.languages import gettext as _
from app.models import Role, User


class Archivable(Protocol):
    """A row that is hidden from new work, with the role in which somebody did that."""

    archived_at: datetime | None
    archived_as: Role | None


PEOPLE = {Role.MANAGER: N_("managers"), Role.ADMIN: N_("administrators")}
ONE = {Role.MANAGER: "a manager", Role.ADMIN: "an administrator"}


def power(done_as: Role | None) -> Role | None:
    """The role needed to undo an act: manager or administrator; None if the relation to the thing is enough."""
    role = Role(done_as) if done_as else Role.DESIGNER
    return role if role.rank >= Role.MANAGER.rank else None


def may_undo(user: User, done_as: Role | None) -> bool:
    """Whether `user`'s role is high enough to undo an act done as `done_as`; the relation to the thing also counts."""
    needed = power(done_as)
    return user.active and (needed is None or user.can(needed))


def outweighs(role: Role, done_as: Role | None) -> bool:
    """Whether doing it again as `role` would raise the role needed to undo it."""
    mine, theirs = power(role), power(done_as)
    return mine is not None and (theirs is None or mine.rank > theirs.rank)


def need_power(user: User, done_as: Role | None, did: str, undo: str, who: str = "") -> None:
    """Raise Forbidden if `user` may not undo: `who` "withdrew this right", and others cannot "restore it"."""
    if not may_undo(user, done_as):
        raise Forbidden(refusal(done_as, did, undo, who))


def refusal(done_as: Role | None, did: str, undo: str, who: str = "") -> str:
    """Say who did it and who can undo it.

    For example: "Ito Kenji withdrew this right as a manager; only managers can restore it." `did` and `undo` are
    messages that fit into these sentences, such as `_("archived %(name)s", name=name)` and `_("restore it")`.
    """
    manager = power(done_as) is not Role.ADMIN
    if who and manager:
        return _(
            "%(who)s %(did)s as a manager; only managers can %(undo)s. Ask one of them.", who=who, did=did, undo=undo
        )
    if who:
        return _(
            "%(who)s %(did)s as an administrator; only administrators can %(undo)s. Ask one of them.",
            who=who,
            did=did,
            undo=undo,
        )
    if manager:
        return _("A manager %(did)s; only managers can %(undo)s. Ask one of them.", did=did, undo=undo)
    return _("An administrator %(did)s; only administrators can %(undo)s. Ask one of them.", did=did, undo=undo)


def archived(row: Archivable) -> list[str] | None:
    """Since when a row is archived, and in which role, as JSON can hold it; None if it is not."""
    return [row.archived_at.isoformat(), row.archived_as or ""] if row.archived_at else None


def archive_as(row: Archivable, state: list[str] | None) -> None:
    """Archive or restore a row as it was: the opposite of `archived`."""
    row.archived_at = datetime.fromisoformat(state[0]) if state else None
    row.archived_as = Role(state[1]) if state and state[1] else None


def undone_by(done_as: Role | None) -> str:
    """The people who can undo it, if not everyone who may change the thing: "managers", "administrators"."""
    return translated(PEOPLE[power(done_as) or Role.MANAGER])


def undoable(user: User, done_as: InstrumentedAttribute[Role | None]) -> ColumnElement[bool]:
    """`may_undo` as a condition on a column."""
    within = [role for role in Role if may_undo(user, role)]
    return or_(done_as.is_(None), done_as.in_(within))
