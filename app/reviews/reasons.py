"""The team's list of reasons for rejections. Managers edit it; a decision keeps the reason's wording at the time."""

from sqlalchemy.orm import Session

from app.audit.service import record
from app.errors import Conflict, Forbidden, Invalid, NotFound
from app.models import Act, RejectReason, Role, User
from app.reviews import queries
from app.text import clean_line

REASON_LENGTH = 120  # characters
MOST_REASONS = 20


def add(session: Session, user: User, words: str) -> RejectReason:
    """Add a reason to the end of the list."""
    known = _list(session, user)
    if len(known) >= MOST_REASONS:
        raise Conflict(f"The list already has {MOST_REASONS} reasons, the most allowed. Remove one first.")
    reason = RejectReason(words=_words(words, known), position=len(known) + 1)
    session.add(reason)
    record(session, user, Act.REASONS_CHANGE, reason, added=reason.words)
    return reason


def rename(session: Session, user: User, reason_id: int, words: str) -> RejectReason:
    """Reword a reason; earlier rejections keep the old words."""
    known = _list(session, user)
    reason = _find(known, reason_id)
    before, after = reason.words, _words(words, [each for each in known if each is not reason])
    if before != after:
        reason.words = after
        record(session, user, Act.REASONS_CHANGE, reason, renamed=f"{before} → {after}")
    return reason


def remove(session: Session, user: User, reason_id: int) -> None:
    known = _list(session, user)
    reason = _find(known, reason_id)
    record(session, user, Act.REASONS_CHANGE, reason, removed=reason.words)
    session.delete(reason)
    _number([each for each in known if each is not reason])


def move(session: Session, user: User, reason_id: int, by: int) -> None:
    """Move one place up (-1) or down (1); does nothing at the end of the list."""
    known = _list(session, user)
    reason = _find(known, reason_id)
    before = known.index(reason)
    after = min(max(before + by, 0), len(known) - 1)
    if after != before:
        known.insert(after, known.pop(before))
        _number(known)
        record(session, user, Act.REASONS_CHANGE, reason, moved=reason.words, place=after + 1)


def _list(session: Session, user: User) -> list[RejectReason]:
    if not user.can(Role.MANAGER):
        raise Forbidden("Only managers can change the reasons. Ask one of them.")
    return queries.reasons(session)


def _find(known: list[RejectReason], reason_id: int) -> RejectReason:
    for each in known:
        if each.id == reason_id:
            return each
    raise NotFound("This reason does not exist; it may have been removed.")


def _words(words: str, others: list[RejectReason]) -> str:
    words = clean_line(words)
    if not words:
        raise Invalid("words", "Enter a reason.")
    if len(words) > REASON_LENGTH:
        raise Invalid("words", f"The reason has {len(words)} characters; at most {REASON_LENGTH} fit.")
    if words.casefold() in {each.words.casefold() for each in others}:
        raise Invalid("words", f"{words!r} is already in the list.")
    return words


def _number(ordered: list[RejectReason]) -> None:
    for place, reason in enumerate(ordered, start=1):
        reason.position = place
