"""Consequences of acts. Services report an act once, by `record`; everything else follows from here.

In the same transaction: consequences that must not be missed, such as putting links on hold after rights were
withdrawn. Each package has functions for them, and `app.wiring` says which act calls which.

After the commit: notifications, such as to open pages. A transaction notes them, and `Database.write` passes the notes
to the listeners; a rolled back transaction notifies nobody.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.models import Act, Base, User

NOTES = "after the commit"  # key in a session's `info`


@dataclass(frozen=True)
class Happened:
    """`user` (None: the system) did `act` to `rows`, with `details` as in the audit log."""

    user: User | None
    act: Act
    rows: Sequence[Base]
    details: Mapping[str, Any]


Follow = Callable[[Session, Happened], None]

_follows: dict[Act, tuple[Follow, ...]] = {}


def use(follows: Mapping[Act, Sequence[Follow]]) -> None:
    """Register the functions that follow each act, in the same transaction and in this order."""
    _follows.clear()
    _follows.update({act: tuple(functions) for act, functions in follows.items()})


def happened(session: Session, event: Happened) -> None:
    """Carry out the consequences of an act, and note it for after the commit. Only `record` calls this."""
    if not _follows:
        raise RuntimeError("nothing follows from acts yet: call app.wiring.connect() first")
    note(session, event)
    for follow in _follows.get(event.act, ()):
        follow(session, event)


def note(session: Session, what: object) -> None:
    """Pass `what` to the listeners if the transaction is committed."""
    session.info.setdefault(NOTES, []).append(what)


def take_notes(session: Session) -> list[Any]:
    """Remove and return the notes, in order."""
    notes: list[Any] = session.info.pop(NOTES, [])
    return notes
