"""Read sets and their pictures. Everyone who is signed in sees all of them: it is a team's tool.

Pages of a list are cut by id (keyset), so that the thousandth costs what the first costs and nothing shifts while new
rows arrive at the top. Lists of any length take a fixed number of statements.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from typing import NamedTuple

from sqlalchemy import ColumnElement, Select, func, or_, select, true
from sqlalchemy.orm import Session, joinedload

from app.accounts.queries import signed_in
from app.errors import NotFound
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
    now,
)
from app.sets.stack import FACE, ON_PAGE
from app.work import line
from app.work.topics import Topic

NOT_REVIEWED = "none"  # the value for "no decision" in filters and counts
KEPT_DAYS = 30  # a deleted picture can be restored this long
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

    @property
    def waiting(self) -> int:
        """Pictures in the queue, new or redone."""
        return self.queued + self.redo_queued

    @property
    def making(self) -> int:
        """Pictures in the engine, new or redone."""
        return self.generating + self.redo_generating

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
    image_ids: list[int] = field(default_factory=list)  # up to MOSAIC finished ones, approved first


@dataclass(kw_only=True)
class Progress(PictureCounts):
    """The progress of a set."""

    set_id: int
    line: int | None  # sets and trainings before it in the queue; None: it is running, or nothing of it waits


@dataclass(frozen=True)
class CampaignRow:
    id: int
    name: str
    approved: int
    total: int  # pictures that are shown


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


def get(session: Session, user: User, set_id: int) -> ImageSet:
    """A set with its owner, campaign, style and references. Raises NotFound."""
    version = joinedload(ImageSet.style_version)
    found = session.scalar(
        select(ImageSet)
        .where(ImageSet.id == set_id, signed_in(user))
        .options(
            joinedload(ImageSet.owner),
            joinedload(ImageSet.campaign),
            version.joinedload(StyleVersion.style),
            version.selectinload(StyleVersion.references).joinedload(StyleReference.reference),
        )
    )
    if not found:
        raise NotFound("There is no such set.")
    return found


def places(session: Session, user: User, set_id: int, positions: Collection[int] | None = None) -> list[Place]:
    """The non-empty positions of a set in order, with units and campaigns; only those `positions`, if given."""
    statement = (
        select(Image)
        .where(Image.set_id == set_id, ON_PAGE, signed_in(user))
        .options(joinedload(Image.unit), joinedload(Image.campaign))
        .order_by(Image.position, Image.shown.desc(), Image.version.desc())
    )
    found = session.scalars(statement if positions is None else statement.where(Image.position.in_(positions)))
    return [
        Place(position, face, tuple(others))
        for position, (face, *others) in groupby(found, key=lambda image: image.position)
    ]


def positions(
    session: Session, user: User, set_id: int, only: Collection[int] | None = None, span: Span | None = None
) -> list[int]:
    """The positions of a set, including empty ones; `only` those of some images, within a `span`."""
    statement = select(Image.position).where(Image.set_id == set_id, signed_in(user)).distinct()
    if only is not None:
        statement = statement.where(Image.id.in_(only))
    return list(session.scalars(statement.where(Image.position.between(*span)) if span else statement))


def part(session: Session, user: User, set_id: int, wanted: WantedPlaces) -> PlacesFound:
    """The next positions of a set's page in one direction. Raises NotFound."""
    image_set = get(session, user, set_id)
    total = len(image_set.prompts) * image_set.count
    on_page = Image.set_id == set_id, ON_PAGE, FACE, signed_in(user)
    statement = select(Image.position).where(*on_page)
    if wanted.show is not None:
        statement = statement.where(Image.state == wanted.show)
    if wanted.before is not None:
        statement = statement.where(Image.position < wanted.before).order_by(Image.position.desc())
    else:
        statement = statement.where(Image.position > wanted.after).order_by(Image.position)
    found = list(session.scalars(statement.limit(wanted.limit + 1 if wanted.limit else None)))
    more = wanted.limit is not None and len(found) > wanted.limit
    found = sorted(found[: wanted.limit])
    if wanted.before is not None:
        span = Span(found[0] if more else 1, wanted.before - 1)
    else:
        span = Span(wanted.after + 1, found[-1] if more else total)
    return PlacesFound(found, span, total)


def image(session: Session, user: User, image_id: int) -> Image:
    """An image with its campaign and set, and that set's owner, campaign and style. Raises NotFound."""
    image_set = joinedload(Image.image_set)
    found = session.scalar(
        select(Image)
        .where(Image.id == image_id, signed_in(user))
        .options(
            joinedload(Image.campaign),
            image_set.joinedload(ImageSet.owner),
            image_set.joinedload(ImageSet.campaign),
            image_set.joinedload(ImageSet.style_version).joinedload(StyleVersion.style),
        )
    )
    if not found:
        raise NotFound("There is no such picture.")
    return found


def picture(session: Session, user: User, image_id: int) -> str | None:
    """The name of an image's files, its SHA-256; None until it is finished. Raises NotFound."""
    found = session.execute(select(Image.sha256).where(Image.id == image_id, signed_in(user))).one_or_none()
    if not found:
        raise NotFound("There is no such picture.")
    return found[0]


def campaign(session: Session, user: User, campaign_id: int) -> Campaign:
    """The campaign. Raises NotFound."""
    found = session.scalar(select(Campaign).where(Campaign.id == campaign_id, signed_in(user)))
    if not found:
        raise NotFound("There is no such campaign.")
    return found


def progress(session: Session, user: User, set_id: int) -> Progress:
    """The progress of a set. Raises NotFound."""
    made = Progress(set_id=set_id, line=None)
    if session.scalar(select(ImageSet.id).where(ImageSet.id == set_id, signed_in(user))) is None:
        raise NotFound("There is no such set.")
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
    after: int | None = None,
    limit: int = 24,
) -> list[SetCard]:
    """Sets, newest first; `after` is the id of the last one shown."""
    statement = _sets(user, owner_id, campaign_id, style_code).order_by(ImageSet.id.desc()).limit(limit)
    return _cards(session, statement.where(ImageSet.id < after) if after else statement)


def count(
    session: Session,
    user: User,
    *,
    owner_id: int | None = None,
    campaign_id: int | None = None,
    style_code: str | None = None,
) -> int:
    """How many sets `cards` would list in total."""
    statement = _sets(user, owner_id, campaign_id, style_code)
    return session.scalar(statement.with_only_columns(func.count())) or 0


def campaigns(session: Session, user: User) -> list[CampaignRow]:
    """All campaigns with a set or a picture, those with the newest sets first."""
    made = (
        select(
            Image.campaign_id,
            func.count().label("total"),
            func.count().filter(Image.decision == Verdict.APPROVED).label("approved"),
        )
        .where(Image.shown)
        .group_by(Image.campaign_id)
        .subquery()
    )
    newest = (
        select(ImageSet.campaign_id, func.max(ImageSet.id).label("set_id")).group_by(ImageSet.campaign_id).subquery()
    )
    rows = session.execute(
        select(Campaign.id, Campaign.name, func.coalesce(made.c.approved, 0), func.coalesce(made.c.total, 0))
        .outerjoin(made, made.c.campaign_id == Campaign.id)
        .outerjoin(newest, newest.c.campaign_id == Campaign.id)
        .where(or_(made.c.total.is_not(None), newest.c.set_id.is_not(None)), signed_in(user))
        .order_by(newest.c.set_id.desc().nulls_last(), Campaign.id.desc())
    )
    return [CampaignRow(*row) for row in rows]


def _sets(
    user: User, owner_id: int | None = None, campaign_id: int | None = None, style_code: str | None = None
) -> Select[int, str, str, str, datetime]:
    statement = (
        select(ImageSet.id, ImageSet.name, Campaign.name, User.name, ImageSet.created_at)
        .join(Campaign, Campaign.id == ImageSet.campaign_id)
        .join(User, User.id == ImageSet.owner_id)
        .where(signed_in(user))
    )
    if owner_id is not None:
        statement = statement.where(ImageSet.owner_id == owner_id)
    if campaign_id is not None:
        statement = statement.where(ImageSet.campaign_id == campaign_id)
    if style_code is not None:
        versions = select(StyleVersion.id).join(Style).where(Style.code == style_code)
        statement = statement.where(ImageSet.style_version_id.in_(versions))
    return statement


def _cards(session: Session, statement: Select[int, str, str, str, datetime]) -> list[SetCard]:
    found = [
        SetCard(id=id, name=name, campaign=campaign, owner=owner, created_at=created_at)
        for id, name, campaign, owner, created_at in session.execute(statement)
    ]
    by_id = {card.id: card for card in found}
    count_places(session, by_id)
    for set_id, image_id in mosaics(session, by_id, MOSAIC):
        by_id[set_id].image_ids.append(image_id)
    return found


def count_places(session: Session, counts: Mapping[int, PictureCounts]) -> None:
    """Fill in the counts of sets, by id."""
    face = FACE.label("face")
    rows = session.execute(
        select(Image.set_id, Image.state, Image.decision, func.count(), face)
        .where(Image.set_id.in_(counts), ON_PAGE)
        .group_by(Image.set_id, Image.state, Image.decision, face)
    )
    for set_id, state, decision, number, is_face in rows:
        counts[set_id].add(state, decision, number, is_face)
    if emptied := [set_id for set_id, each in counts.items() if not each.total]:
        _count_binned(session, counts, emptied)


def _count_binned(session: Session, counts: Mapping[int, PictureCounts], set_ids: Collection[int]) -> None:
    rows = session.execute(
        select(Image.set_id, func.count()).where(Image.set_id.in_(set_ids), *restorable()).group_by(Image.set_id)
    )
    for set_id, number in rows:
        counts[set_id].binned = number


def restorable() -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Conditions that a picture is in the bin and can be restored."""
    return Image.deleted_at > now() - timedelta(days=KEPT_DAYS), Image.purged_at.is_(None)


def mosaics(
    session: Session, set_ids: Iterable[int], most: int, of: ColumnElement[bool] | None = None
) -> list[tuple[int, int]]:
    """Up to `most` shown images of each set, as (set id, image id): those that match `of`, approved first."""
    order = func.row_number().over(
        partition_by=Image.set_id, order_by=(func.coalesce(Image.decision != Verdict.APPROVED, true()), Image.position)
    )
    ranked = (
        select(Image.set_id, Image.id, order.label("place"))
        .where(Image.set_id.in_(set_ids), Image.shown, true() if of is None else of)
        .subquery()
    )
    rows = session.execute(
        select(ranked.c.set_id, ranked.c.id).where(ranked.c.place <= most).order_by(ranked.c.set_id, ranked.c.place)
    )
    return [(set_id, image_id) for set_id, image_id in rows]
