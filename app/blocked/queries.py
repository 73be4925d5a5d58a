"""Read the list of blocked words, and find them in texts."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from app.accounts.queries import signed_in
from app.blocked.matching import BlockedEntry, Find, Matcher
from app.errors import Forbidden, NotFound
from app.languages import gettext as _
from app.models import BlockedWord, Role, User
from app.prompts.syntax import without_breaks, without_loras
from app.text import shorten
from app.weighted import weighted

PAGE = 100
QUOTED = 40  # characters of a word that a sentence quotes

_WORDS = select(BlockedWord.name, BlockedWord.folded, BlockedWord.reason, BlockedWord.whole).order_by(BlockedWord.id)


def need_manager(user: User) -> None:
    if not user.can(Role.MANAGER):
        raise Forbidden(_("Only managers can see and change blocked words. Ask one of them."))


def listed(session: Session, user: User, after: int | None = None, most: int = PAGE) -> Sequence[BlockedWord]:
    """The words, oldest first. Managers only."""
    need_manager(user)
    statement = select(BlockedWord).where(BlockedWord.id > (after or 0), signed_in(user)).order_by(BlockedWord.id)
    return session.scalars(statement.limit(most).options(joinedload(BlockedWord.added_by))).all()


def count(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(BlockedWord)) or 0


def get(session: Session, user: User, word_id: int) -> BlockedWord:
    """A word. Managers only. Raises NotFound."""
    need_manager(user)
    found = session.get(BlockedWord, word_id)
    if not found:
        raise NotFound(_("This word is not in the list; it may have been removed."))
    return found


def matcher(session: Session, user: User | None) -> Matcher:
    """What finds the words that `user` may not write; None: someone without an account, who may write none."""
    statement = _WORDS
    if user and user.can(Role.MANAGER):
        statement = statement.where(BlockedWord.managers_may.is_(False))
    return _matcher(tuple(BlockedEntry(*row) for row in session.execute(statement)))


_matcher = lru_cache(8)(Matcher)


def finds(found: Matcher, text: str) -> list[Find]:
    """The words in a text as it is written, and in what the model reads of it: without weights, LoRA tags and BREAK."""
    if here := found.find(text):
        return here
    plain = weighted(text).plain if any(sign in text for sign in "()[]\\") else text
    plain = without_breaks(without_loras(plain))
    return [Find(each.word, 0, 0) for each in found.find(plain)] if plain != text else []


def problem(
    session: Session, user: User | None, texts: Iterable[str], drawn_as: Mapping[str, str] | None = None
) -> str | None:
    """Why `user` may not use one of these texts, in one sentence; None if they may use all.

    `drawn_as` is what is drawn for texts in Japanese.
    """
    known = matcher(session, user)
    for text in texts:
        if here := finds(known, text):
            return said(here[0].word)
        english = (drawn_as or {}).get(text, "")
        if english and (here := finds(known, english)):
            return said_drawn(here[0].word, text)
    return None


def problem_of_line(
    session: Session, user: User | None, texts: Sequence[str], drawn_as: Mapping[str, str] | None = None
) -> str | None:
    """`problem` of prompts, with the number of the first that has one if there are several."""
    known = matcher(session, user)
    for number, text in enumerate(texts, start=1):
        english = (drawn_as or {}).get(text, "")
        here, there = finds(known, text), finds(known, english) if english else []
        if here or there:
            why = said(here[0].word) if here else said_drawn(there[0].word, text)
            return why if len(texts) == 1 else _("Prompt %(number)s: %(problem)s", number=number, problem=why)
    return None


def said(word: BlockedEntry) -> str:
    """Why a word cannot be used."""
    return _("“%(word)s” is blocked here: %(reason)s", word=shorten(word.name, QUOTED), reason=word.reason)


def said_drawn(word: BlockedEntry, text: str) -> str:
    """Why a text cannot be used whose translation has a word."""
    return _(
        "“%(word)s”, as which “%(text)s” is drawn, is blocked here: %(reason)s",
        word=shorten(word.name, QUOTED),
        text=shorten(text, QUOTED),
        reason=word.reason,
    )
