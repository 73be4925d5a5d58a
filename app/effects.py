"""The consequences of acts. Services report an act once, with `record`; everything else is registered here.

Follow-ups run in the same transaction, such as suspending links when a right is withdrawn. Each package has the
functions for its own rows, and `app.wiring` says which act calls which.

Notes are for after the commit, such as telling open pages. A transaction collects them, and `Database.write` passes
them to its listeners once it is committed. Notes from a rolled-back transaction or savepoint are discarded.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Session, SessionTransaction

from app.models import Act, Base, User

NOTES = "notes for after the commit"  # in `Session.info`


@dataclass(frozen=True)
class Happened:
    """`user` (None: the system) did `act` to `rows`, with the `details` of the record."""

    user: User | None
    act: Act
    rows: Sequence[Base]
    details: Mapping[str, Any]


@dataclass(frozen=True)
class Note:
    what: object
    within: SessionTransaction | None  # the transaction or savepoint in which it was noted


FollowUp = Callable[[Session, Happened], None]

_follow_ups: dict[Act, tuple[FollowUp, ...]] = {}


def use(follow_ups: Mapping[Act, Sequence[FollowUp]]) -> None:
    """Register the follow-ups of each act, in this order. Replaces earlier registrations."""
    _follow_ups.clear()
    _follow_ups.update({act: tuple(functions) for act, functions in follow_ups.items()})


def happened(session: Session, act: Happened) -> None:
    """Run the follow-ups of an act, and note it for after the commit. Only `record` calls this."""
    if not _follow_ups:
        raise RuntimeError("no follow-ups are registered: call app.wiring.connect() first")
    note(session, act)
    for follow_up in _follow_ups.get(act.act, ()):
        follow_up(session, act)


def note(session: Session, what: object) -> None:
    """Pass `what` to the database's listeners, if the transaction is committed."""
    within = session.get_nested_transaction() or session.get_transaction()
    session.info.setdefault(NOTES, []).append(Note(what, within))


def take_notes(session: Session) -> list[Any]:
    """Everything noted so far, in order. Each note is returned once."""
    return [each.what for each in session.info.pop(NOTES, [])]


@event.listens_for(Session, "after_soft_rollback")
def forget(session: Session, rolled_back: SessionTransaction) -> None:
    """Drop the notes of a transaction or savepoint that was rolled back, and of those inside it.

    A flush that fails is reported itself, in place of the savepoint or transaction that it rolls back.
    """
    while rolled_back.parent and not rolled_back.nested:
        rolled_back = rolled_back.parent
    if notes := session.info.get(NOTES):
        session.info[NOTES] = [each for each in notes if rolled_back not in _around(each.within)]


def _around(transaction: SessionTransaction | None) -> list[SessionTransaction]:
    """A transaction and those that it is nested in."""
    found = []
    while transaction:
        found.append(transaction)
        transaction = transaction.parent
    return found
