"""What outweighs what, where people of different power do things to the same thing.

Whoever may do something at all is asked of today's role and of the relation to the thing. But what somebody stopped
with a manager's power or more, nobody starts again with less: so such acts keep the role with which they were done.
"""

from sqlalchemy import ColumnElement, or_
from sqlalchemy.orm import InstrumentedAttribute

from app.errors import Forbidden
from app.models import Role, User

PEOPLE = {Role.MANAGER: "managers", Role.ADMIN: "administrators"}
ONE = {Role.MANAGER: "a manager", Role.ADMIN: "an administrator"}


def power(done_as: Role | None) -> Role | None:
    """What undoing needs: a manager's power or an administrator's; None where the relation to the thing is enough."""
    role = Role(done_as) if done_as else Role.DESIGNER
    return role if role.rank >= Role.MANAGER.rank else None


def may_undo(user: User, done_as: Role | None) -> bool:
    """Whether `user` has the power to undo what somebody did as `done_as`; the relation to the thing counts too."""
    needed = power(done_as)
    return user.active and (needed is None or user.can(needed))


def outweighs(role: Role, done_as: Role | None) -> bool:
    """Whether undoing needs more power once it was done as `role`, too, than it does now."""
    mine, theirs = power(role), power(done_as)
    return mine is not None and (theirs is None or mine.rank > theirs.rank)


def need_power(user: User, done_as: Role | None, did: str, undo: str, who: str = "") -> None:
    """Raises Forbidden where `user` may not undo: `who` "withdrew this right", and others cannot "restore it"."""
    if not may_undo(user, done_as):
        raise Forbidden(refusal(done_as, did, undo, who))


def refusal(done_as: Role | None, did: str, undo: str, who: str = "") -> str:
    """Who did it, and who can undo it: "Ito Kenji withdrew this right as a manager; only managers can restore it." """
    needed = power(done_as) or Role.MANAGER
    done = f"{who} {did} as {ONE[needed]}" if who else f"{ONE[needed].capitalize()} {did}"
    return f"{done}; only {PEOPLE[needed]} can {undo}. Ask one of them."


def undone_by(done_as: Role | None) -> str:
    """Who can undo it, if not whoever may change the thing anyway: "managers", "administrators"."""
    return PEOPLE[power(done_as) or Role.MANAGER]


def undoable(user: User, done_as: InstrumentedAttribute[Role | None]) -> ColumnElement[bool]:
    """The same as `may_undo`, as a condition on a column."""
    within = [role for role in Role if may_undo(user, role)]
    return or_(done_as.is_(None), done_as.in_(within))
