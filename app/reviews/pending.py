"""Read what waits for a person's decision, and a picture's position among the others.

A person's queue contains the shown pictures of unlocked sets that have no outcome yet and no current decision of
theirs: where two people must approve, one who has is done. It leaves out their own pictures in campaigns where nobody
approves their own. A review goes set by set, and in each position by position. Every query uses an index, however many
pictures there are.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    exists,
    func,
    literal,
    literal_column,
    not_,
    or_,
    select,
    tuple_,
)
from sqlalchemy.orm import Session, aliased

from app.models import (
    Campaign,
    Decision,
    Image,
    User,
    Verdict,
)
from app.reviews.four_eyes import own
from app.reviews.scoping import OPEN, UNLOCKED, Scope, pictures_of
from app.sets.queries import TO_REVIEW

_mine, _back = aliased(Decision), aliased(Decision)  # once: their columns take longer to set up than a count


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


def count(session: Session, user: User, scope: Scope | None = None) -> int:
    """How many pictures wait for `user`'s decision, including those with a withdrawn decision."""
    pictures = pictures_of(user, scope or Scope()).where(UNLOCKED).with_only_columns(func.count())
    waiting = sum(session.scalar(pictures.where(open_)) or 0 for open_ in OPEN)
    # A literal, so that SQLite recognises its small index of such pictures.
    partly = pictures.where(OPEN[0], literal_column("images.approvals > 0"), _decided_by(user), not_(own(user)))
    return waiting - own_count(session, user, scope) - (session.scalar(partly) or 0)


def own_count(session: Session, user: User, scope: Scope | None = None) -> int:
    """How many of `user`'s own pictures wait for someone else's approval."""
    # Set owners and makers of versions separately: an index finds either.
    mine = Image.owner_id == user.id
    again = and_(Image.made_by_id == user.id, Image.owner_id != user.id)
    pictures = pictures_of(user, scope or Scope()).where(UNLOCKED, TO_REVIEW, own(user)).with_only_columns(func.count())
    return sum(session.scalar(pictures.where(which)) or 0 for which in (mine, again))


def first_own(session: Session, user: User, scope: Scope) -> int | None:
    """The first picture of a review that waits for a decision and is `user`'s own; None if there is none."""
    place = Image.set_id, Image.position
    pictures = pictures_of(user, scope).where(UNLOCKED, TO_REVIEW, own(user)).order_by(*place).limit(1)
    return session.scalar(pictures.with_only_columns(Image.id))


def strip(session: Session, user: User, set_id: int, around: int, limit: int = 200) -> list[StripRow]:
    """The pictures of a set in order; for a long one, those around the position `around`."""
    half = limit // 2
    of_set = pictures_of(user, Scope(set_id))
    before = of_set.where(Image.position < around).order_by(Image.position.desc()).limit(half)
    after = of_set.where(Image.position >= around).order_by(Image.position).limit(limit - half)
    return _rows(session, before)[::-1] + _rows(session, after)


def neighbours(session: Session, user: User, scope: Scope, image_id: int) -> Neighbours:
    """The position of `image_id` among the pictures of a review."""
    pictures = pictures_of(user, scope)
    here, place = _place_of(session, image_id), _place(scope)
    earlier, later = pictures.where(place < here), pictures.where(place > here)

    def count(statement: Select[Image]) -> int:
        return session.scalar(statement.with_only_columns(func.count())) or 0

    def first(statement: Select[Image], *order: Any) -> int | None:
        return session.scalar(statement.with_only_columns(Image.id).order_by(*order).limit(1))

    return Neighbours(
        place=count(earlier) + 1 if count(pictures.where(place == here)) else None,
        total=count(pictures),
        previous_id=first(earlier, Image.set_id.desc(), Image.position.desc()),
        next_id=first(later, Image.set_id, Image.position),
        next_open_id=next_open(session, user, scope, image_id),
    )


def next_open(session: Session, user: User, scope: Scope, after: int | None = None) -> int | None:
    """The next picture in a person's queue, wrapping around; None if they are done.

    Never returns the picture `after` itself.
    """
    if after is None:
        return _first_open(session, user, scope)
    here, place = _place_of(session, after), _place(scope)
    later = _first_open(session, user, scope, place > here)
    return later or _first_open(session, user, scope, place <= here, Image.id != after)


def waits_for(user: User) -> ColumnElement[bool]:
    """A condition for the pictures in `user`'s queue."""
    undecided = or_(Image.approvals == 0, not_(_decided_by(user)))
    return and_(Image.shown, TO_REVIEW, UNLOCKED, undecided, not_(own(user)))


def _first_open(session: Session, user: User, scope: Scope, *which: ColumnElement[bool]) -> int | None:
    """In position order."""
    unlocked = pictures_of(user, scope).where(UNLOCKED, *which)
    mine = unlocked.where(or_(Image.approvals == 0, not_(_decided_by(user))), not_(own(user)))
    ordered = mine.with_only_columns(Image.set_id, Image.position, Image.id).order_by(Image.set_id, Image.position)
    firsts = (session.execute(ordered.where(open_).limit(1)).first() for open_ in OPEN)
    found = min(map(tuple, filter(None, firsts)), default=None)
    return found[-1] if found else None


def _place(scope: Scope) -> ColumnElement[Any]:
    """The sort key of a review's pictures, for an index in that order.

    Not for a single set: its few pictures are found directly, while a range of positions would include all sets before
    it.
    """
    return tuple_(Image.set_id if scope.set_id is None else Image.set_id + 0, Image.position)


def _place_of(session: Session, image_id: int) -> ColumnElement[Any]:
    """A picture's sort key, to compare with `_place`."""
    row = session.execute(select(Image.set_id, Image.position).where(Image.id == image_id)).one()
    return tuple_(*map(literal, row))


def _decided_by(user: User) -> ColumnElement[bool]:
    """Whether a decision of `user` on an image is current; `app.reviews.standing` in SQL."""
    newest = (
        select(func.max(_mine.id))
        .where(_mine.image_id == Image.id, _mine.user_id == user.id, _mine.verdict != Verdict.WITHDRAWN)
        .correlate(Image)
        .scalar_subquery()
    )
    taken_back = (
        select(_back.id)
        .where(_back.image_id == Image.id, _back.verdict == Verdict.WITHDRAWN, _back.id > newest)
        .where(or_(_back.withdraws_id == newest, _back.withdraws_id.is_(None)))
        .correlate(Image)
    )
    return and_(newest.is_not(None), ~exists(taken_back))


def _rows(session: Session, statement: Select[Image]) -> list[StripRow]:
    columns = Image.id, Image.set_id, Image.position, Image.prompt, Image.decision, Image.approvals
    chosen = statement.join(Campaign).with_only_columns(*columns, Campaign.approvals_needed)
    return [StripRow(*row) for row in session.execute(chosen)]
