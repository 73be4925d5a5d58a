"""Find things by name: a few of each kind, the best matches first.

What is in the bin is not found; what is archived is, after what is not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, Integer, Select, bindparam, func, literal, or_, select
from sqlalchemy.orm import Session

from app.accounts.queries import I_AM_ACTIVE, asks
from app.campaign_names import folder
from app.gallery import queries as gallery
from app.gallery.matching import Search
from app.gallery.search import WORDS_LENGTH, PictureFilter
from app.gallery.search import words as typed
from app.models import Campaign, ImageSet, Role, Style, Subject, User
from app.ranking import NOTHING
from app.text import clean_line

FEW = 5  # of each kind
Kind = Literal["set", "style", "campaign", "subject", "person"]


@dataclass(frozen=True)
class Match:
    """One thing, as results show it."""

    id: int
    name: str
    code: str  # a style's code, a subject's handle
    about: str  # what else tells it from others of this name
    archived: bool  # for a person: deactivated


@dataclass(frozen=True)
class Matches:
    """The best matches of a kind, and how many there are."""

    kind: Kind
    best: Sequence[Match]
    present: int  # that are not archived
    archived: int


@dataclass(frozen=True)
class FoundPictures:
    """The best matching pictures, and how many there are."""

    best: Sequence[gallery.Cell]
    total: int


def query_of(text: str) -> str:
    """Typed words as they are searched for."""
    return clean_line(text[:WORDS_LENGTH])


def things(session: Session, user: User, words: str, few: int = FEW) -> list[Matches]:
    """The best matches for `words` of each kind that has any. Only administrators find people by their address."""
    found = []
    for kind, statement in _KINDS.items():
        if kind == "person" and user.can(Role.ADMIN):
            statement = _ADDRESSES
        rows: Sequence[Any] = session.execute(statement, asks(user) | {"words": words, "few": few}).all()
        if rows:
            best = [_match(kind, *row[:5]) for row in rows]
            found.append(Matches(kind, best, present=rows[0].present, archived=rows[0].total - rows[0].present))
    return found


def pictures(session: Session, user: User, words: str, few: int) -> FoundPictures:
    """The best matching pictures; as in the gallery, a seed and a style's code match too."""
    search = Search.of(session, user, PictureFilter(q=words), to_count=True)
    if not typed(words):
        return FoundPictures((), 0)
    return FoundPictures(gallery.pictures(session, search, limit=few), gallery.count(session, search))


def _match(kind: Kind, id: int, name: str, code: str, about: str, archived: bool) -> Match:
    if kind == "campaign":
        name = folder(name)
    return Match(id, name, code, folder(about) if kind == "set" else about, archived)


def _matches(row: Any, text: Any, code: Any, about: Any, archived: ColumnElement[bool]) -> Select[Any]:
    """The best of one kind, with the number of all its matches."""
    rank: ColumnElement[int] = func.match_rank(text, bindparam("words"), type_=Integer)
    present = func.count().filter(~archived).over().label("present")
    return (
        select(row.id, row.name, code, about, archived, present, func.count().over().label("total"))
        .where(rank > NOTHING, I_AM_ACTIVE)
        .order_by(archived, rank.desc(), row.id.desc())
        .limit(bindparam("few"))
    )


_in_archive = or_(ImageSet.archived_at.is_not(None), Campaign.archived_at.is_not(None))
_SETS = (
    _matches(ImageSet, ImageSet.name, literal(""), Campaign.name, _in_archive)
    .join(Campaign, Campaign.id == ImageSet.campaign_id)
    .where(ImageSet.deleted_at.is_(None))
)
_STYLES = _matches(
    Style, Style.name.concat(" ").concat(Style.code), Style.code, literal(""), Style.archived_at.is_not(None)
).where(Style.deleted_at.is_(None))
_CAMPAIGNS = _matches(Campaign, Campaign.name, literal(""), literal(""), Campaign.archived_at.is_not(None)).where(
    Campaign.deleted_at.is_(None)
)
_SUBJECTS = _matches(
    Subject,
    Subject.name.concat(" @").concat(Subject.handle),
    Subject.handle,
    literal(""),
    Subject.archived_at.is_not(None),
).where(Subject.deleted_at.is_(None))
_PEOPLE = _matches(User, User.name, literal(""), literal(""), ~User.active)
_ADDRESSES = _matches(User, User.name.concat(" ").concat(User.email), literal(""), User.email, ~User.active)
_KINDS: dict[Kind, Select[Any]] = {
    "set": _SETS,
    "style": _STYLES,
    "campaign": _CAMPAIGNS,
    "subject": _SUBJECTS,
    "person": _PEOPLE,
}
