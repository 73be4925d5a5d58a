"""Read sets and their pictures. Everyone who is signed in sees all of them: it is a team's tool.

Pages of a list are cut by id (keyset), so that the thousandth costs what the first costs and nothing shifts while new
rows arrive at the top. Lists of any length take a fixed number of statements.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from itertools import groupby
from typing import NamedTuple

from sqlalchemy import ColumnElement, Integer, Select, and_, bindparam, func, literal, or_, select, true, union_all
from sqlalchemy.orm import Session, joinedload

from app import bin
from app.accounts.queries import I_AM_ACTIVE, asks, signed_in
from app.errors import NotFound
from app.languages import gettext as _
from app.models import (
    Campaign,
    Image,
    ImageSet,
    State,
    Style,
    StyleReference,
    StyleVersion,
    User,
    Verdict,
)
from app.ranking import NOTHING
from app.sets.mosaics import mosaics
from app.sets.stack import FACE, ON_PAGE
from app.work import line
from app.work.topics import Topic

NOT_REVIEWED = "none"  # the value for "no decision" in filters and counts
PAGE = 60  # pictures of a set that its page loads at a time
MOSAIC = 6  # pictures on a set's card
TO_REVIEW = or_(Image.decision.is_(None), Image.decision == Verdict.WITHDRAWN)


@dataclass
class PictureCounts:
    """The states of a set's positions.

    A position counts once: by its shown picture, so that four of four stay finished while one is redone; otherwise by
    the newest version that is to become it. Versions on top of a shown one count as `redo_`. Deleted versions, and
    cancelled ones over an older one, do not count.
    """

    total: int = 0
    queued: int = 0
    generating: int = 0
    finished: int = 0
    failed: int = 0
    cancelled: int = 0
    held: int = 0
    approved: int = 0
    changes: int = 0
    rejected: int = 0
    to_review: int = 0  # finished, not decided or the decision withdrawn
    redo_queued: int = 0
    redo_generating: int = 0
    redo_failed: int = 0
    redo_held: int = 0
    binned: int = 0  # pictures in the bin that can be restored; counted if nothing else is left
    under_way: float = 0.0  # how much of those in the engine is done, in pictures; only the engine knows

    @property
    def waiting(self) -> int:
        """Pictures in the queue, new or redone."""
        return self.queued + self.redo_queued

    @property
    def making(self) -> int:
        """Pictures in the engine, new or redone."""
        return self.generating + self.redo_generating

    @property
    def work(self) -> int:
        """Pictures to generate in total, with redone ones that are not finished."""
        return self.total + self.redo_queued + self.redo_generating

    @property
    def fraction(self) -> float:
        """How much of the work is done, 0 to 1."""
        return (self.finished + self.under_way) / self.work if self.work else 0.0

    @property
    def unmade(self) -> int:
        """Pictures that can be retried."""
        return self.failed + self.cancelled + self.redo_failed

    @property
    def held_back(self) -> int:
        """Pictures, new or redone, that someone must decide about because the engine stopped during them."""
        return self.held + self.redo_held

    @property
    def done(self) -> bool:
        """Whether nothing is waiting or running."""
        return not (self.waiting or self.making)

    @property
    def state(self) -> State:
        """The state of the whole set. Once started, it stays generating between two of its units."""
        if self.making or (self.waiting and self.finished):
            return State.GENERATING
        if self.waiting:
            return State.QUEUED
        if self.held_back:
            return State.HELD
        if self.failed:
            return State.FAILED
        return State.CANCELLED if self.cancelled else State.FINISHED

    def nothing_generates(self) -> None:
        """Count as queued what is generating: the engine that had it is gone."""
        self.queued, self.generating = self.queued + self.generating, 0
        self.redo_queued, self.redo_generating = self.redo_queued + self.redo_generating, 0
        self.under_way = 0.0

    def add(self, state: str, decision: str | None, number: int, face: bool = True) -> None:
        """Count `number` images in `state` with `decision`; those that are not a `face` are on top of a shown one."""
        if not face:
            name = f"redo_{State(state)}"
            setattr(self, name, getattr(self, name) + number)
            return
        self.total += number
        setattr(self, State(state), getattr(self, State(state)) + number)
        if state == State.FINISHED:
            name = _COUNTED.get(decision or "", "to_review")
            setattr(self, name, getattr(self, name) + number)


_COUNTED: dict[str, str] = {
    Verdict.APPROVED: "approved",
    Verdict.CHANGES_REQUESTED: "changes",
    Verdict.REJECTED: "rejected",
}


@dataclass(kw_only=True)
class SetCard(PictureCounts):
    """A set as shown in a list."""

    id: int
    name: str
    campaign: str
    owner: str
    created_at: datetime
    reference_id: int  # the first of its style
    image_ids: list[int] = field(default_factory=list)  # up to MOSAIC finished ones, approved first


@dataclass(kw_only=True)
class Progress(PictureCounts):
    """The progress of a set."""

    set_id: int
    line: int | None  # sets and trainings before it in the queue; None: it is running, or nothing of it waits


@dataclass(frozen=True)
class Place:
    """One position of a set as shown on its page."""

    position: int
    face: Image  # the shown picture, or the newest that is to become one
    others: tuple[Image, ...]  # newer versions that wait, run or failed; newest first


class Span(NamedTuple):
    """Positions of a set, both ends included."""

    first: int
    last: int


@dataclass(frozen=True)
class WantedPlaces:
    """A part of a set's page: those `after` a position, or those `before` one."""

    after: int = 0
    before: int | None = None
    show: State | None = None  # only pictures in this state
    limit: int | None = PAGE  # None: all of them


@dataclass(frozen=True)
class PlacesFound:
    positions: list[int]  # that have something to show
    span: Span  # what the part covers
    total: int  # positions of the set, including empty ones


def topic(set_id: int) -> Topic:
    """The topic that a set's pages watch, and that the queue lists."""
    return Topic("set", set_id)


# One set, one picture


_version = joinedload(ImageSet.style_version)
_SET = (
    select(ImageSet)
    .where(ImageSet.id == bindparam("set_id"), I_AM_ACTIVE)
    .options(
        joinedload(ImageSet.owner),
        joinedload(ImageSet.campaign),
        _version.joinedload(StyleVersion.style),
        _version.selectinload(StyleVersion.references).joinedload(StyleReference.reference),
    )
)


def get(session: Session, user: User, set_id: int) -> ImageSet:
    """A set with its owner, campaign, style and references. Raises NotFound."""
    found = session.scalar(_SET, asks(user) | {"set_id": set_id})
    if not found:
        raise NotFound(_("There is no such set."))
    return found


_NAME = select(ImageSet.name).where(ImageSet.id == bindparam("set_id"), I_AM_ACTIVE)


def name(session: Session, user: User, set_id: int) -> str:
    """The name of a set. Raises NotFound."""
    found = session.scalar(_NAME, asks(user) | {"set_id": set_id})
    if found is None:
        raise NotFound(_("There is no such set."))
    return found


_PLACES = (
    select(Image)
    .where(Image.set_id == bindparam("set_id"), ON_PAGE, I_AM_ACTIVE)
    .options(joinedload(Image.unit), joinedload(Image.campaign))
    .order_by(Image.position, Image.shown.desc(), Image.version.desc())
)
_SOME_PLACES = _PLACES.where(Image.position.in_(bindparam("positions", expanding=True)))


def places(session: Session, user: User, set_id: int, positions: Collection[int] | None = None) -> list[Place]:
    """The non-empty positions of a set in order, with units and campaigns; only those `positions`, if given."""
    values = asks(user) | {"set_id": set_id}
    if positions is None:
        found = session.scalars(_PLACES, values)
    else:
        found = session.scalars(_SOME_PLACES, values | {"positions": list(positions)})
    return [
        Place(position, face, tuple(others))
        for position, (face, *others) in groupby(found, key=lambda image: image.position)
    ]


@cache
def _positions(*, only: bool, span: bool) -> Select[int]:
    statement = select(Image.position).where(Image.set_id == bindparam("set_id"), I_AM_ACTIVE).distinct()
    if only:
        statement = statement.where(Image.id.in_(bindparam("only", expanding=True)))
    return statement.where(Image.position.between(bindparam("first"), bindparam("last"))) if span else statement


def positions(
    session: Session, user: User, set_id: int, only: Collection[int] | None = None, span: Span | None = None
) -> list[int]:
    """The positions of a set, including empty ones; `only` those of some images, within a `span`."""
    values = asks(user) | {"set_id": set_id} | (span._asdict() if span else {})
    if only is not None:
        values["only"] = list(only)
    return list(session.scalars(_positions(only=only is not None, span=span is not None), values))


_ON_PAGE = select(Image.position).where(Image.set_id == bindparam("set_id"), ON_PAGE, FACE, I_AM_ACTIVE)


@cache
def _part(*, before: bool, show: bool) -> Select[int]:
    if before:
        statement = _ON_PAGE.where(Image.position < bindparam("before")).order_by(Image.position.desc())
    else:
        statement = _ON_PAGE.where(Image.position > bindparam("after")).order_by(Image.position)
    return (statement.where(Image.state == bindparam("show")) if show else statement).limit(bindparam("most"))


def part(session: Session, user: User, image_set: ImageSet, wanted: WantedPlaces) -> PlacesFound:
    """The next positions of a set's page in one direction."""
    total = len(image_set.prompts) * image_set.count
    values = asks(user) | {"set_id": image_set.id, "before": wanted.before, "after": wanted.after, "show": wanted.show}
    statement = _part(before=wanted.before is not None, show=wanted.show is not None)
    found = list(session.scalars(statement, values | {"most": wanted.limit + 1 if wanted.limit else -1}))
    more = wanted.limit is not None and len(found) > wanted.limit
    found = sorted(found[: wanted.limit])
    if wanted.before is not None:
        span = Span(found[0] if more else 1, wanted.before - 1)
    else:
        span = Span(wanted.after + 1, found[-1] if more else total)
    return PlacesFound(found, span, total)


_image_set = joinedload(Image.image_set)
_IMAGE = (
    select(Image)
    .where(Image.id == bindparam("image_id"), I_AM_ACTIVE)
    .options(
        joinedload(Image.campaign),
        _image_set.joinedload(ImageSet.owner),
        _image_set.joinedload(ImageSet.campaign),
        _image_set.joinedload(ImageSet.style_version).joinedload(StyleVersion.style),
    )
)


def image(session: Session, user: User, image_id: int) -> Image:
    """An image with its campaign and set, and that set's owner, campaign and style. Raises NotFound."""
    found = session.scalar(_IMAGE, asks(user) | {"image_id": image_id})
    if not found:
        raise NotFound(_("There is no such picture."))
    return found


_PICTURE = select(Image.sha256).where(Image.id == bindparam("image_id"), I_AM_ACTIVE)


def picture(session: Session, user: User, image_id: int) -> str | None:
    """The name of an image's files, its SHA-256; None until it is finished. Raises NotFound."""
    found = session.execute(_PICTURE, asks(user) | {"image_id": image_id}).one_or_none()
    if not found:
        raise NotFound(_("There is no such picture."))
    return found[0]


def campaign(session: Session, user: User, campaign_id: int) -> Campaign:
    """The campaign. Raises NotFound."""
    found = session.scalar(select(Campaign).where(Campaign.id == campaign_id, signed_in(user)))
    if not found:
        raise NotFound(_("There is no such campaign."))
    return found


def progress(session: Session, user: User, set_id: int) -> Progress:
    """The progress of a set. Raises NotFound."""
    made = Progress(set_id=set_id, line=None)
    name(session, user, set_id)
    count_places(session, {set_id: made})
    if made.waiting and not made.making:
        made.line = line.place(session, topic(set_id))
    return made


# Lists of sets


def cards(
    session: Session,
    user: User,
    *,
    owner_id: int | None = None,
    campaign_id: int | None = None,
    style_code: str | None = None,
    archived: bool = False,
    words: str = "",
    after: int | None = None,
    limit: int = 24,
) -> list[SetCard]:
    """Sets that are not in the bin, newest first; `after` is the id of the last one shown.

    Those that are `archived`, or are in an archived campaign, or only the others. With `words`, those whose names have
    them, best matches first.
    """
    limits = _limits(owner_id=owner_id, campaign_id=campaign_id, style_code=style_code, words=words or None)
    if after is not None:
        last = session.scalar(_RANK, {"set_id": after, "words": words})
        limits |= {"after": after, "after_rank": last or NOTHING} if words else {"after": after}
    rows = session.execute(_listed(frozenset(limits), archived), asks(user) | limits | {"most": limit})
    by_id = {
        id: SetCard(id=id, name=name, campaign=campaign, owner=owner, created_at=created_at, reference_id=reference_id)
        for id, name, campaign, owner, created_at, reference_id in rows
    }
    count_places(session, by_id)
    for set_id, image_id in mosaics(session, by_id, MOSAIC):
        by_id[set_id].image_ids.append(image_id)
    return list(by_id.values())


def count(
    session: Session,
    user: User,
    *,
    owner_id: int | None = None,
    campaign_id: int | None = None,
    style_code: str | None = None,
    archived: bool = False,
    words: str = "",
) -> int:
    """How many sets `cards` would list in total."""
    limits = _limits(owner_id=owner_id, campaign_id=campaign_id, style_code=style_code, words=words or None)
    return session.scalar(_total(frozenset(limits), archived), asks(user) | limits) or 0


def _limits(**values: int | str | None) -> dict[str, int | str]:
    return {name: value for name, value in values.items() if value is not None}


_rank: ColumnElement[int] = func.match_rank(ImageSet.name, bindparam("words"), type_=Integer)
_RANK = select(_rank).where(ImageSet.id == bindparam("set_id"))


_FIRST_REFERENCE = and_(StyleReference.version_id == ImageSet.style_version_id, StyleReference.position == 1)


@cache
def _sets(limits: frozenset[str], archived: bool) -> Select[int, str, str, str, datetime, int]:
    """The sets that have these limits; built once for each combination."""
    earlier = ImageSet.id < bindparam("after")
    versions = select(StyleVersion.id).join(Style).where(Style.code == bindparam("style_code"))
    conditions = {
        "owner_id": ImageSet.owner_id == bindparam("owner_id"),
        "campaign_id": ImageSet.campaign_id == bindparam("campaign_id"),
        "style_code": ImageSet.style_version_id.in_(versions),
        "words": _rank > NOTHING,
        "after": earlier,
        "after_rank": or_(_rank < bindparam("after_rank"), and_(_rank == bindparam("after_rank"), earlier)),
    }
    if "after_rank" in limits:
        del conditions["after"]
    hidden = or_(ImageSet.archived_at.is_not(None), Campaign.archived_at.is_not(None))
    return (
        select(ImageSet.id, ImageSet.name, Campaign.name, User.name, ImageSet.created_at, StyleReference.reference_id)
        .join(Campaign, Campaign.id == ImageSet.campaign_id)
        .join(User, User.id == ImageSet.owner_id)
        .join(StyleReference, _FIRST_REFERENCE)
        .where(ImageSet.deleted_at.is_(None), hidden if archived else ~hidden)
        .where(I_AM_ACTIVE, *(conditions[each] for each in sorted(limits) if each in conditions))
    )


@cache
def _listed(limits: frozenset[str], archived: bool) -> Select[int, str, str, str, datetime, int]:
    order = (_rank.desc(),) if "words" in limits else ()
    return _sets(limits, archived).order_by(*order, ImageSet.id.desc()).limit(bindparam("most"))


@cache
def _total(limits: frozenset[str], archived: bool) -> Select[int]:
    return _sets(limits, archived).with_only_columns(func.count())


_face = FACE.label("face")
_among = Image.set_id.in_(bindparam("set_ids", expanding=True))
# Shown pictures, which are most, are counted in their index.
_COUNTS = union_all(
    select(Image.set_id, literal(State.FINISHED), Image.decision, func.count(), true())
    .where(Image.shown, _among)
    .group_by(Image.set_id, Image.decision),
    select(Image.set_id, Image.state, Image.decision, func.count(), _face)
    .where(~Image.shown, _among, ON_PAGE)
    .group_by(Image.set_id, Image.state, Image.decision, _face),
)


def count_places(session: Session, counts: Mapping[int, PictureCounts]) -> None:
    """Fill in the counts of sets, by id."""
    rows = session.execute(_COUNTS, {"set_ids": list(counts)})
    for set_id, state, decision, number, is_face in rows:
        counts[set_id].add(state, decision, number, is_face)
    if emptied := [set_id for set_id, each in counts.items() if not each.total]:
        _count_binned(session, counts, emptied)


def _count_binned(session: Session, counts: Mapping[int, PictureCounts], set_ids: Collection[int]) -> None:
    rows = session.execute(
        select(Image.set_id, func.count())
        .where(Image.set_id.in_(set_ids), *bin.restorable(Image))
        .group_by(Image.set_id)
    )
    for set_id, number in rows:
        counts[set_id].binned = number
