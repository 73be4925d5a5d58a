"""The list of blocked words and names. Managers keep it; sets that exist stay as they are."""

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import undo
from app.audit.service import record
from app.blocked import queries
from app.blocked.matching import can_be_found, folded
from app.errors import Conflict, Invalid
from app.languages import gettext as _
from app.models import Act, BlockedWord, User
from app.specs import Line, Spec
from app.text import thin
from app.undo import Undone, changed_since

MOST_WORDS = 2000
NAME_LENGTH, FOLDED_LENGTH, REASON_LENGTH = 60, 200, 200  # characters


class WordSpec(Spec):
    """A word or name, why it is blocked, and for whom."""

    name: Line = ""
    reason: Line = ""
    whole: bool = True
    managers_may: bool = False


def add(session: Session, user: User, spec: WordSpec) -> BlockedWord:
    """Add a word. Managers only. Raises Invalid, and Conflict for a full list."""
    queries.need_manager(user)
    _check(session, spec, None)
    if queries.count(session) >= MOST_WORDS:
        raise Conflict(_("The list has %(number)s words, the most allowed. Remove one first.", number=thin(MOST_WORDS)))
    word = BlockedWord(**_values(spec), added_by_id=user.id)
    session.add(word)
    record(session, user, Act.WORD_ADD, word, name=word.name, reason=word.reason)
    return word


def change(session: Session, user: User, word_id: int, spec: WordSpec) -> BlockedWord:
    """Change a word. Managers only. Raises Invalid and NotFound."""
    word = queries.get(session, user, word_id)
    _check(session, spec, word)
    before = word.name
    if changed := [name for name, value in _values(spec).items() if getattr(word, name) != value and name != "folded"]:
        for name, value in _values(spec).items():
            setattr(word, name, value)
        record(session, user, Act.WORD_CHANGE, word, name=word.name, what=changed, before=before)
    return word


def remove(session: Session, user: User, word_id: int) -> BlockedWord:
    """Remove a word. Managers only; it can be undone. Raises NotFound."""
    word = queries.get(session, user, word_id)
    kept = {name: getattr(word, name) for name in WordSpec.model_fields}
    kept |= {"added_by_id": word.added_by_id, "created_at": word.created_at.isoformat()}
    record(session, user, Act.WORD_REMOVE, word, name=word.name)
    undo.offer(session, user, "blocked word", word_id=word.id, kept=kept)
    session.delete(word)
    return word


def undo_removal(session: Session, user: User, word_id: int, kept: dict[str, Any]) -> Undone:
    """Put a removed word back. Raises Forbidden, and Conflict if it was added again since."""
    queries.need_manager(user)
    values = {**kept, "folded": folded(kept["name"]), "created_at": datetime.fromisoformat(kept["created_at"])}
    other = session.scalar(select(BlockedWord).where(BlockedWord.folded == values["folded"]))
    if other:
        raise changed_since(session, user, other, _("“%(word)s”", word=other.name))
    own_id = {} if session.get(BlockedWord, word_id) else {"id": word_id}
    word = BlockedWord(**values, **own_id)
    session.add(word)
    record(session, user, Act.WORD_ADD, word, name=word.name, reason=word.reason, undone=True)
    return Undone(_("“%(word)s” is blocked again.", word=word.name))


def check(spec: WordSpec) -> None:
    """What can be said of a word without the list. Raises Invalid."""
    Invalid.check({"name": _word_fault(spec), "reason": _reason_fault(spec)})


def _values(spec: WordSpec) -> dict[str, Any]:
    return {**spec.model_dump(), "folded": folded(spec.name)}


def _check(session: Session, spec: WordSpec, own: BlockedWord | None) -> None:
    Invalid.check({"name": _word_fault(spec) or _taken(session, spec, own), "reason": _reason_fault(spec)})


def _taken(session: Session, spec: WordSpec, own: BlockedWord | None) -> str | None:
    other = session.scalar(select(BlockedWord).where(BlockedWord.folded == folded(spec.name)))
    return _("“%(word)s” is already in the list.", word=other.name) if other and other is not own else None


def _reason_fault(spec: WordSpec) -> str | None:
    if not spec.reason:
        return _("Say why, for the people who read it when they write the word.")
    return _long(spec.reason, REASON_LENGTH)


def _word_fault(spec: WordSpec) -> str | None:
    if not spec.name:
        return _("Enter a word or a name.")
    if long := _long(spec.name, NAME_LENGTH):
        return long
    read = folded(spec.name)
    if len(read) > FOLDED_LENGTH:
        return _("This cannot be compared with texts. Write it in letters.")
    if not can_be_found(read):
        return _("A word has at least one letter or digit.")
    return None


def _long(text: str, most: int) -> str | None:
    if len(text) <= most:
        return None
    return _("This has %(number)s characters; at most %(most)s fit.", number=len(text), most=most)
