"""The team's list of reasons for rejections. Managers edit it; a decision keeps the reason's wording at the time."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import undo
from app.audit.service import record
from app.effects import Happened
from app.errors import Conflict, Forbidden, Invalid, NotFound
from app.languages import N_, translated
from app.languages import gettext as _
from app.models import Act, RejectReason, Role, User
from app.reviews import queries
from app.text import clean_line
from app.undo import Undone

REASON_LENGTH = 120  # characters
MOST_REASONS = 20
# What a new database has
FIRST = (
    N_("Off the look"),
    N_("Wrong thing shown"),
    N_("Shape or anatomy is wrong"),
    N_("Colours are off"),
    N_("Too close to the reference"),
)


def translate_first(session: Session, event: Happened) -> None:
    """With the first account, put the first list into the language of that person. Later, it is the team's own."""
    known = queries.reasons(session)
    alone = session.scalar(select(func.count()).select_from(User)) == 1
    if alone and tuple(reason.words for reason in known) == FIRST:
        for reason in known:
            reason.words = translated(reason.words)


def add(session: Session, user: User, words: str) -> RejectReason:
    """Add a reason to the end of the list."""
    known = _list(session, user)
    if len(known) >= MOST_REASONS:
        raise Conflict(
            _("The list already has %(number)s reasons, the most allowed. Remove one first.", number=MOST_REASONS)
        )
    reason = RejectReason(words=_words(words, known), position=len(known) + 1)
    session.add(reason)
    record(session, user, Act.REASONS_CHANGE, reason, added=reason.words)
    undo.offer(session, user, "reasons", before=_snapshot(known), after=_snapshot([*known, reason]))
    return reason


def rename(session: Session, user: User, reason_id: int, words: str) -> RejectReason:
    """Reword a reason; earlier rejections keep the old words."""
    known = _list(session, user)
    reason = _find(known, reason_id)
    before, after = reason.words, _words(words, [each for each in known if each is not reason])
    if before != after:
        listed = _snapshot(known)
        reason.words = after
        undo.offer(session, user, "reasons", before=listed, after=_snapshot(known))
        record(session, user, Act.REASONS_CHANGE, reason, renamed=f"{before} → {after}")
    return reason


def remove(session: Session, user: User, reason_id: int) -> None:
    known = _list(session, user)
    reason = _find(known, reason_id)
    record(session, user, Act.REASONS_CHANGE, reason, removed=reason.words)
    others = [each for each in known if each is not reason]
    undo.offer(session, user, "reasons", before=_snapshot(known), after=_snapshot(others))
    session.delete(reason)
    _number(others)


def move(session: Session, user: User, reason_id: int, by: int) -> None:
    """Move one place up (-1) or down (1); does nothing at the end of the list."""
    known = _list(session, user)
    reason = _find(known, reason_id)
    before = known.index(reason)
    after = min(max(before + by, 0), len(known) - 1)
    if after != before:
        listed = _snapshot(known)
        known.insert(after, known.pop(before))
        undo.offer(session, user, "reasons", before=listed, after=_snapshot(known))
        _number(known)
        record(session, user, Act.REASONS_CHANGE, reason, moved=reason.words, place=after + 1)


def put_back(session: Session, user: User, before: list[tuple[int, str]], after: list[tuple[int, str]]) -> Undone:
    """Undo a change of the list. Raises Conflict if it was changed since."""
    known = _list(session, user)
    if _snapshot(known) != [tuple(each) for each in after]:
        raise Conflict(_("The list of reasons was changed since, so it was not undone. Reload the page."))
    wanted = dict(before)
    for reason in known:
        if reason.id not in wanted:
            session.delete(reason)
    there = {reason.id: reason for reason in known}
    session.flush()
    for place, (reason_id, words) in enumerate(before, start=1):
        reason = there.get(reason_id) or RejectReason(id=reason_id)
        reason.words, reason.position = words, place
        session.add(reason)
    session.flush()
    record(session, user, Act.REASONS_CHANGE, next(iter(queries.reasons(session)), user), undone=True)
    return Undone(_("The reasons are as before."))


def _snapshot(known: list[RejectReason]) -> list[tuple[int, str]]:
    return [(reason.id, reason.words) for reason in known]


def _list(session: Session, user: User) -> list[RejectReason]:
    if not user.can(Role.MANAGER):
        raise Forbidden(_("Only managers can change the reasons. Ask one of them."))
    return queries.reasons(session)


def _find(known: list[RejectReason], reason_id: int) -> RejectReason:
    for each in known:
        if each.id == reason_id:
            return each
    raise NotFound(_("This reason does not exist; it may have been removed."))


def _words(words: str, others: list[RejectReason]) -> str:
    words = clean_line(words)
    if not words:
        raise Invalid("words", _("Enter a reason."))
    if len(words) > REASON_LENGTH:
        raise Invalid(
            "words",
            _("The reason has %(number)s characters; at most %(most)s fit.", number=len(words), most=REASON_LENGTH),
        )
    if words.casefold() in {each.words.casefold() for each in others}:
        raise Invalid("words", _("%(words)s is already in the list.", words=repr(words)))
    return words


def _number(ordered: list[RejectReason]) -> None:
    for place, reason in enumerate(ordered, start=1):
        reason.position = place
