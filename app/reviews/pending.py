"""Read what waits for a person's decision, and a picture's position among the others.

A person's queue contains the shown pictures of unlocked sets that have no outcome yet and no current decision of
theirs: where two people must approve, one who has is done. It leaves out their own pictures in campaigns where nobody
approves their own. A review goes set by set, and in each position by position. Every query uses an index, however many
pictures there are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    and_,
    bindparam,
    exists,
    func,
    literal_column,
    not_,
    or_,
    select,
    true,
    tuple_,
    union_all,
)
from sqlalchemy.orm import Session, aliased

from app.accounts.queries import MY_ID
from app.models import (
    Campaign,
    Decision,
    Image,
    PictureMeasures,
    User,
    Verdict,
)
from app.reviews.four_eyes import OWN
from app.reviews.scoping import NO_SAMPLE_OF_OTHERS, OPEN, UNLOCKED, Scope, pictures_of
from app.sets.queries import TO_REVIEW

_mine, _back, _undo = aliased(Decision), aliased(Decision), aliased(Decision)
_undone = select(_undo.withdraws_id).where(_undo.image_id == Image.id, _undo.undoes).correlate(Image)
_newest = (
    select(func.max(_mine.id))
    .where(_mine.image_id == Image.id, _mine.user_id == MY_ID, _mine.verdict != Verdict.WITHDRAWN)
    .where(_mine.id.not_in(_undone))
    .correlate(Image)
    .scalar_subquery()
)
_taken_back = (
    select(_back.id)
    .where(_back.image_id == Image.id, _back.verdict == Verdict.WITHDRAWN, _back.id > _newest)
    .where(_back.id.not_in(_undone))
    .where(or_(_back.withdraws_id == _newest, _back.withdraws_id.is_(None)))
    .correlate(Image)
)
# Whether a decision of the person who asks on an image is current; `app.reviews.standing` in SQL.
_DECIDED = and_(_newest.is_not(None), ~exists(_taken_back))

WAITS_FOR_ME = and_(
    Image.shown, TO_REVIEW, UNLOCKED, NO_SAMPLE_OF_OTHERS, or_(Image.approvals == 0, not_(_DECIDED)), not_(OWN)
)
"""A condition for the pictures in the queue of the person who asks."""

EVERYTHING = Scope()
Firsts = tuple[Select[int, int, int], ...]

_HERE = tuple_(
    bindparam("here_set", type_=Integer()), bindparam("here_position", type_=Integer())
)  # a picture's sort key, to compare with `_place`

_strip = (
    pictures_of(frozenset({"set_id"}))
    .join(Campaign)
    .with_only_columns(
        Image.id,
        Image.set_id,
        Image.position,
        Image.prompt,
        Image.decision,
        Image.approvals,
        Campaign.approvals_needed,
    )
    .limit(bindparam("most"))
)
_STRIP = union_all(
    *(
        select(*part.subquery().c)
        for part in (
            _strip.where(Image.position < bindparam("around")).order_by(Image.position.desc()),
            _strip.where(Image.position >= bindparam("around")).order_by(Image.position),
        )
    )
)


@dataclass(frozen=True)
class StripRow:
    """A picture as shown in the review's strip."""

    id: int
    set_id: int
    position: int
    prompt: str
    decision: Verdict | None
    approvals: int
    needed: int  # from its own campaign


@dataclass(frozen=True)
class Neighbours:
    """A picture's position in a review, by place, so that all versions are where the shown one is.

    Ids; None if there is none.
    """

    place: int | None  # 1, 2, ...; None for a position outside the review
    total: int
    previous_id: int | None
    next_id: int | None
    next_open_id: int | None  # the next one in the person's queue, wrapping around


def count(session: Session, user: User, scope: Scope = EVERYTHING) -> int:
    """How many pictures wait for `user`'s decision, including those with a withdrawn decision."""
    return session.scalar(_count(scope.shape), scope.asks(user)) or 0


@cache
def _count(shape: frozenset[str]) -> Select[int]:
    pictures = _counted(pictures_of(shape).where(UNLOCKED, NO_SAMPLE_OF_OTHERS))
    one, two = (pictures.where(open_).scalar_subquery() for open_ in OPEN)
    return select(one + two - _others(shape))


def others_count(session: Session, user: User, scope: Scope = EVERYTHING) -> int:
    """How many pictures wait for other reviewers alone: `user` made them, or has decided on them."""
    return session.scalar(_counted_others(scope.shape), scope.asks(user)) or 0


@cache
def _counted_others(shape: frozenset[str]) -> Select[int]:
    return select(_others(shape))


def _others(shape: frozenset[str]) -> ColumnElement[int]:
    return _own(shape) + _partly(shape).where(not_(OWN)).scalar_subquery()


def own_count(session: Session, user: User, scope: Scope = EVERYTHING) -> int:
    """How many of `user`'s own pictures wait for someone else's approval."""
    return session.scalar(select(_own(scope.shape)), scope.asks(user)) or 0


@cache
def _own(shape: frozenset[str]) -> ColumnElement[int]:
    # Set owners and makers of versions separately: an index finds either.
    mine = Image.owner_id == MY_ID
    again = and_(Image.made_by_id == MY_ID, Image.owner_id != MY_ID)
    pictures = _counted(pictures_of(shape).where(UNLOCKED, NO_SAMPLE_OF_OTHERS, TO_REVIEW, OWN))
    return pictures.where(mine).scalar_subquery() + pictures.where(again).scalar_subquery()


def partly_count(session: Session, user: User, scope: Scope = EVERYTHING) -> int:
    """How many pictures `user` has decided on that need approvals of other people."""
    return session.scalar(_partly(scope.shape), scope.asks(user)) or 0


@cache
def _partly(shape: frozenset[str]) -> Select[int]:
    pictures = _counted(pictures_of(shape).where(UNLOCKED, NO_SAMPLE_OF_OTHERS))
    # A literal, so that SQLite recognises its small index of such pictures.
    return pictures.where(OPEN[0], literal_column("images.approvals > 0"), _DECIDED)


def first_own(session: Session, user: User, scope: Scope) -> int | None:
    """The first picture of a review that waits for a decision and is `user`'s own; None if there is none."""
    pictures = (
        pictures_of(scope.shape)
        .where(UNLOCKED, NO_SAMPLE_OF_OTHERS, TO_REVIEW, OWN)
        .order_by(Image.set_id, Image.position)
    )
    return session.scalar(pictures.with_only_columns(Image.id).limit(1), scope.asks(user))


def strip(session: Session, user: User, set_id: int, around: int, limit: int = 200) -> list[StripRow]:
    """The pictures of a set in order; for a long one, those around the position `around`."""
    values = Scope(set_id).asks(user) | {"around": around, "most": limit // 2}
    return sorted((StripRow(*row) for row in session.execute(_STRIP, values)), key=lambda row: row.position)


def neighbours(session: Session, user: User, scope: Scope, image_id: int) -> Neighbours:
    """The position of `image_id` among the pictures of a review."""
    here = _place_of(session, image_id)
    earlier, at, total, previous_id, next_id = session.execute(_neighbours(scope.shape), scope.asks(user) | here).one()
    return Neighbours(
        place=earlier + 1 if at else None,
        total=total,
        previous_id=previous_id,
        next_id=next_id,
        next_open_id=(scope.flagged_first and next_flagged(session, user, scope, image_id))
        or _next_open(session, user, scope, image_id, here),
    )


@cache
def _neighbours(shape: frozenset[str]) -> Select[int, int, int, int | None, int | None]:
    """How many are before a place and at it, how many there are, and the ones next to it."""
    pictures, place = pictures_of(shape), _place(shape)
    earlier, later = pictures.where(place < _HERE), pictures.where(place > _HERE)
    counts = (_counted(each).scalar_subquery() for each in (earlier, pictures.where(place == _HERE), pictures))
    before = earlier.order_by(Image.set_id.desc(), Image.position.desc())
    after = later.order_by(Image.set_id, Image.position)
    ids = (each.with_only_columns(Image.id).limit(1).scalar_subquery() for each in (before, after))
    return select(*counts, *ids)


def next_open(session: Session, user: User, scope: Scope, after: int | None = None) -> int | None:
    """The next picture in a person's queue, wrapping around; None if they are done.

    Never returns the picture `after` itself.
    """
    if scope.flagged_first and (flagged := next_flagged(session, user, scope, after)):
        return flagged
    if after is None:
        return _first(session, _open(scope.shape), scope.asks(user))
    return _next_open(session, user, scope, after, _place_of(session, after))


def next_flagged(session: Session, user: User, scope: Scope, after: int | None = None) -> int | None:
    """The next picture in a person's queue that is flagged by its measures, wrapping around; never `after` itself."""
    here = _place_of(session, after) if after is not None else {"here_set": 0, "here_position": 0}
    return session.scalar(select(next_flagged_of(scope.shape)), scope.asks(user) | here | {"after": after or 0})


@cache
def next_flagged_of(shape: frozenset[str]) -> ColumnElement[int | None]:
    """`next_flagged` as a part of a statement that has the values of `_HERE` and `after`."""
    flagged = select(PictureMeasures.image_id).where(PictureMeasures.flagged == true())
    waiting = pictures_of(shape).where(Image.id.in_(flagged), WAITS_FOR_ME, Image.id != bindparam("after"))
    ids = waiting.with_only_columns(Image.id).order_by(Image.set_id, Image.position).limit(1)
    return func.coalesce(ids.where(_place(shape) > _HERE).scalar_subquery(), ids.scalar_subquery())


def _next_open(session: Session, user: User, scope: Scope, after: int, here: dict[str, int]) -> int | None:
    values = scope.asks(user) | here | {"after": after}
    return _first(session, _later(scope.shape), values) or _first(session, _around(scope.shape), values)


def _first(session: Session, statements: Firsts, values: Mapping[str, Any]) -> int | None:
    """The one that comes first in order of position."""
    firsts = (session.execute(each, values).first() for each in statements)
    found = min(map(tuple, filter(None, firsts)), default=None)
    return found[-1] if found else None


@cache
def _later(shape: frozenset[str]) -> Firsts:
    return tuple(each.where(_place(shape) > _HERE) for each in _open(shape))


@cache
def _around(shape: frozenset[str]) -> Firsts:
    return tuple(each.where(_place(shape) <= _HERE, Image.id != bindparam("after")) for each in _open(shape))


@cache
def _open(shape: frozenset[str]) -> Firsts:
    """The first picture of a person's queue without a decision, and with a withdrawn one."""
    mine = pictures_of(shape).where(UNLOCKED, NO_SAMPLE_OF_OTHERS, or_(Image.approvals == 0, not_(_DECIDED)), not_(OWN))
    ordered = mine.with_only_columns(Image.set_id, Image.position, Image.id).order_by(Image.set_id, Image.position)
    return tuple(ordered.where(open_).limit(1) for open_ in OPEN)


def _place(shape: frozenset[str]) -> ColumnElement[Any]:
    """The sort key of a review's pictures, for an index in that order.

    Not for a single set: its few pictures are found directly, while a range of positions would include all sets before
    it.
    """
    return tuple_(Image.set_id + 0 if "set_id" in shape else Image.set_id, Image.position)


def _place_of(session: Session, image_id: int) -> dict[str, int]:
    """The values of `_HERE` for a picture, which the session has often read before."""
    image = session.get_one(Image, image_id)
    return {"here_set": image.set_id, "here_position": image.position}


def _counted(statement: Select[Image]) -> Select[int]:
    return statement.with_only_columns(func.count())
