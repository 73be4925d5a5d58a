"""Undo acts: each service says how its acts are undone, and the person who did it has an hour.

An act calls `offer(session, user, kind, **data)`. `app.wiring` says which function undoes which kind; it gets the data,
checks that its person may still do that and that nobody changed the same since, and puts everything back. A consequence
of an act in the same transaction, such as links that end with a role, offers its own steps, which are undone with it.

What an act could not put back exactly is not offered: such acts ask first (`app.web.asking`).
"""

import secrets
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.errors import Conflict, NotFound
from app.languages import formats, ngettext
from app.languages import gettext as _
from app.models import AuditEvent, Base, Undo, User, now
from app.text import thin

MINUTES = 60
OFFERED = "what this transaction offers to undo"  # in `Session.info`
TOKEN = "the act that this transaction is a part of"  # in `Session.info`  # noqa: S105  (no password)


@dataclass
class Undone:
    """The result: a sentence, or for many pictures how many are as before, and why not the others."""

    words: str = ""
    pictures: int = 0
    refused: Counter[str] = field(default_factory=Counter)  # pictures by the reason, the end of a sentence

    def also(self, other: "Undone") -> None:
        self.words = self.words or other.words  # the act itself before its consequences
        self.pictures += other.pictures
        self.refused += other.refused

    @property
    def told(self) -> str:
        parts = [self.words]
        if self.pictures:
            parts.append(
                ngettext("%(number)s picture is as before.", "%(number)s pictures are as before.", self.pictures)
            )
        total = thin(self.pictures + self.refused.total())
        parts += [
            _("%(number)s of %(total)s could not be undone: %(reason)s.", number=thin(number), total=total, reason=why)
            for why, number in self.refused.most_common()
        ]
        return formats.sentences(parts)


@dataclass(frozen=True)
class Undoing:
    """`undo` gets the session, the person, and the data that was offered. Raises UserError."""

    undo: Callable[..., Undone]
    confirmed: bool = False  # as the act itself, only for someone who confirmed who they are


_kinds: dict[str, Undoing] = {}


def use(kinds: Mapping[str, Undoing]) -> None:
    """Register the kinds. Replaces earlier registrations."""
    _kinds.clear()
    _kinds.update(kinds)


def offer(session: Session, user: User | None, kind: str, **data: Any) -> None:
    """Offer `user` to undo what they have just done; nothing for the system itself. `data` is what JSON can hold."""
    if user is None:
        return
    transaction, row = session.info.get(OFFERED, (None, None))
    if row is None or transaction is not session.get_transaction():
        row = Undo(token=session.info.get(TOKEN) or new_token(), user_id=user.id, steps=[])
        session.add(row)
        session.info[OFFERED] = session.get_transaction(), row
    row.steps = [*row.steps, {"kind": kind, "data": data}]


def offered(session: Session) -> str:
    """The token of what this transaction offers to undo, also after its end; "" for nothing."""
    _, row = session.info.get(OFFERED, (None, None))
    return row.token if row else ""


def new_token() -> str:
    return secrets.token_urlsafe(16)


def part_of(session: Session, token: str) -> None:
    """Let what this transaction offers be undone together with that of the others of `token`."""
    session.info[TOKEN] = token


def open_parts(session: Session, user: User, token: str) -> Sequence[Undo]:
    """What `user` can undo at once, latest first. Raises NotFound, and Conflict if it was undone or is too long ago."""
    rows = session.scalars(select(Undo).where(Undo.token == token, Undo.user_id == user.id).order_by(Undo.id.desc()))
    found = rows.all()
    if not found or found[0].created_at <= now() - timedelta(minutes=MINUTES):
        raise NotFound(_("This can no longer be undone."))
    if all(row.undone_at for row in found):
        raise Conflict(_("This was already undone."))
    return [row for row in found if not row.undone_at]


def needs_confirmation(parts: Sequence[Undo]) -> bool:
    return any(_kinds[step["kind"]].confirmed for row in parts for step in row.steps)


def undo(session: Session, user: User, undo_id: int) -> Undone:
    """Undo what one transaction did. Raises what its kinds raise, and Conflict if it was undone already."""
    row = session.get_one(Undo, undo_id)
    if row.undone_at:
        raise Conflict(_("This was already undone."))
    row.undone_at = now()
    done = Undone()
    for step in reversed(row.steps):
        done.also(_kinds[step["kind"]].undo(session, user, **step["data"]))
    return done


def changed_since(session: Session, user: User, row: Base, what: str) -> Conflict:
    """The refusal to undo because of a later change, by whom if the audit log says: "Ito Kenji changed the role..."."""
    last = session.scalar(
        select(AuditEvent)
        .where(AuditEvent.subject == row.__tablename__, AuditEvent.subject_id == getattr(row, "id", None))
        .order_by(AuditEvent.id.desc())
        .limit(1)
    )
    if last and last.user_id == user.id:
        return Conflict(_("You changed %(what)s since, so it was not undone. Reload the page.", what=what))
    if last and last.user:
        name = last.user.name
        return Conflict(
            _("%(name)s changed %(what)s since, so it was not undone. Reload the page.", name=name, what=what)
        )
    return Conflict(_("Someone changed %(what)s since, so it was not undone. Reload the page.", what=what))


def forget(session: Session) -> int:
    """Remove what nobody can undo any more, and count it."""
    old = Undo.created_at <= now() - timedelta(minutes=MINUTES)
    return len(session.scalars(delete(Undo).where(old).returning(Undo.id)).all())
