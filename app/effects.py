"""What follows from an act. Services say what happened once, by `record`; everything else hears of it here.

Within the same transaction: what must not be left undone, such as the links that a withdrawn right puts on hold. Each
room has the functions for it, and `app.wiring` says which act calls which.

After the commit: what is only to be told, such as to open pages. A transaction notes it, and `Database.write` hands the
notes to those who listen; of a transaction that was rolled back nobody hears.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.models import Act, Base, User

NOTES = "after the commit"  # of a session's `info`


@dataclass(frozen=True)
class Happened:
    """`user` (None: the system itself) did `act` to `rows`, with `details` as the record has them."""

    user: User | None
    act: Act
    rows: Sequence[Base]
    details: Mapping[str, Any]


Follow = Callable[[Session, Happened], None]

_follows: dict[Act, tuple[Follow, ...]] = {}


def use(follows: Mapping[Act, Sequence[Follow]]) -> None:
    """From now on, let these functions follow from their acts, in the same transaction and in this order."""
    _follows.clear()
    _follows.update({act: tuple(functions) for act, functions in follows.items()})


def happened(session: Session, event: Happened) -> None:
    """Do what follows from an act, and note it for after the commit. Only `record` calls this."""
    if not _follows:
        raise RuntimeError("nothing follows from acts yet: call app.wiring.connect() first")
    note(session, event)
    for follow in _follows.get(event.act, ()):
        follow(session, event)


def note(session: Session, what: object) -> None:
    """Tell those who listen, should the transaction be committed."""
    session.info.setdefault(NOTES, []).append(what)


def take_notes(session: Session) -> list[Any]:
    """What was noted, in its order; from then on it is not noted any more."""
    notes: list[Any] = session.info.pop(NOTES, [])
    return notes
