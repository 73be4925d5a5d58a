"""Reading sets and their pictures. Everybody who is signed in sees all of them: it is a team's tool.

Pages of a list are cut by id (keyset), so that the thousandth costs what the first costs and nothing shifts while new
rows come in at the top. Lists are read in a fixed number of statements, whatever their length.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

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
    Subject,
    SubjectPicture,
    Unit,
    User,
    Verdict,
)
from app.text import whole_number

NOT_REVIEWED = "none"  # how filters and counts name the lack of a decision
MOSAIC = 6  # pictures on a set's card
TO_REVIEW = or_(Image.decision.is_(None), Image.decision == Verdict.WITHDRAWN)


@dataclass
class Counts:
    """How many images of a set are where."""

    total: int = 0
    queued: int = 0
    generating: int = 0
    finished: int = 0
    failed: int = 0
    cancelled: int = 0
    approved: int = 0
    changes: int = 0
    rejected: int = 0
    to_review: int = 0  # finished, not decided or the decision withdrawn

    @property
    def done(self) -> bool:
        """Nothing is waiting or being made."""
        return not (self.queued or self.generating)

    @property
    def state(self) -> State:
        """Of the set as a whole. One that has begun stays generating between two of its units."""
        if self.generating or (self.queued and self.finished):
            return State.GENERATING
        if self.queued:
            return State.QUEUED
        if self.failed:
            return State.FAILED
        return State.CANCELLED if self.cancelled else State.FINISHED

    def add(self, state: str, decision: str | None, number: int) -> None:
        """Count `number` images that are in `state` and have `decision`."""
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
class SetCard(Counts):
    """A set as a list shows it."""

    id: int
    name: str
    campaign: str
    owner: str
    created_at: datetime
    image_ids: list[int] = field(default_factory=list)  # up to MOSAIC finished ones, the approved first


@dataclass(kw_only=True)
class Progress(Counts):
    """How far a set is."""

    set_id: int
    line: int | None  # sets and trainings that are served before it; None: it is being made, or nothing of it waits


@dataclass(kw_only=True)
class QueueRow(Counts):
    """A set that is being made or waits."""

    set_id: int
    name: str
    owner: str
    image_id: int | None  # a finished one
    reference_id: int
    line: int | None  # 1: next; None: it is being made


@dataclass
class TrainingRow:
    """A subject that is being trained or waits for it."""

    subject_id: int
    handle: str
    owner: str
    state: State
    step: int
    steps: int
    has_picture: bool
    line: int | None  # as a set's


@dataclass(frozen=True)
class CampaignRow:
    id: int
    name: str
    approved: int
    total: int  # finished pictures


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


def images(session: Session, user: User, set_id: int, only: Collection[int] | None = None) -> list[Image]:
    """The images of a set in their order, with their units; of those ids `only`, when they are given."""
    statement = (
        select(Image)
        .where(Image.set_id == set_id, signed_in(user))
        .options(joinedload(Image.unit))
        .order_by(Image.position)
    )
    return list(session.scalars(statement if only is None else statement.where(Image.id.in_(only))))


def image(session: Session, user: User, image_id: int) -> Image:
    """An image with its set, and that set's owner, campaign and style. Raises NotFound."""
    image_set = joinedload(Image.image_set)
    found = session.scalar(
        select(Image)
        .where(Image.id == image_id, signed_in(user))
        .options(
            image_set.joinedload(ImageSet.owner),
            image_set.joinedload(ImageSet.campaign),
            image_set.joinedload(ImageSet.style_version).joinedload(StyleVersion.style),
        )
    )
    if not found:
        raise NotFound("There is no such picture.")
    return found


def campaign(session: Session, user: User, campaign_id: int) -> Campaign:
    """Raises NotFound."""
    found = session.scalar(select(Campaign).where(Campaign.id == campaign_id, signed_in(user)))
    if not found:
        raise NotFound("There is no such campaign.")
    return found


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
    """Sets, the newest first; `after` is the id of the last one shown."""
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
    """How many sets `cards` would list in all."""
    statement = _sets(user, owner_id, campaign_id, style_code)
    return session.scalar(statement.with_only_columns(func.count())) or 0


def campaigns(session: Session, user: User) -> list[CampaignRow]:
    """All campaigns, those with the newest sets first."""
    # By set first: joined to the images themselves, SQLite would walk all finished ones for each set.
    made = (
        select(
            Image.set_id,
            func.count().label("total"),
            func.count().filter(Image.decision == Verdict.APPROVED).label("approved"),
        )
        .where(Image.state == State.FINISHED)
        .group_by(Image.set_id)
        .subquery()
    )
    rows = session.execute(
        select(
            Campaign.id,
            Campaign.name,
            func.coalesce(func.sum(made.c.approved), 0),
            func.coalesce(func.sum(made.c.total), 0),
        )
        .join(ImageSet, ImageSet.campaign_id == Campaign.id)
        .outerjoin(made, made.c.set_id == ImageSet.id)
        .where(signed_in(user))
        .group_by(Campaign.id)
        .order_by(func.max(ImageSet.id).desc())
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
    _count(session, by_id)
    for set_id, image_id in mosaics(session, by_id, MOSAIC):
        by_id[set_id].image_ids.append(image_id)
    return found


def _count(session: Session, counts: Mapping[int, Counts]) -> None:
    """Fill the counts of sets, by their ids."""
    rows = session.execute(
        select(Image.set_id, Image.state, Image.decision, func.count())
        .where(Image.set_id.in_(counts))
        .group_by(Image.set_id, Image.state, Image.decision)
    )
    for set_id, state, decision, number in rows:
        counts[set_id].add(state, decision, number)


def mosaics(
    session: Session, set_ids: Iterable[int], most: int, of: ColumnElement[bool] | None = None
) -> list[tuple[int, int]]:
    """Up to `most` finished images of each set, as (set id, image id): those that are `of`, the approved first."""
    order = func.row_number().over(
        partition_by=Image.set_id, order_by=(func.coalesce(Image.decision != Verdict.APPROVED, true()), Image.position)
    )
    ranked = (
        select(Image.set_id, Image.id, order.label("place"))
        .where(Image.set_id.in_(set_ids), Image.state == State.FINISHED, true() if of is None else of)
        .subquery()
    )
    rows = session.execute(
        select(ranked.c.set_id, ranked.c.id).where(ranked.c.place <= most).order_by(ranked.c.set_id, ranked.c.place)
    )
    return [(set_id, image_id) for set_id, image_id in rows]


# The queue


def progress(session: Session, user: User, set_id: int) -> Progress:
    """Raises NotFound."""
    made = Progress(set_id=set_id, line=None)
    _count(session, {set_id: made})
    if not made.total or not user.active:
        raise NotFound("There is no such set.")
    if made.queued and not made.generating:
        made.line = line(session, set_id)
    return made


def line(session: Session, set_id: int | None = None, subject_id: int | None = None) -> int | None:
    """How many sets and trainings come before this one; None when nothing of it is waiting or being made."""
    order = _served_order(session)
    return order.index((set_id, subject_id)) if (set_id, subject_id) in order else None


def queue(session: Session, user: User, limit: int = 50) -> list[QueueRow | TrainingRow]:
    """What is being made or trained, then what waits, in about the order in which it will be served."""
    order = _served_order(session)[:limit]
    sets = _queued_sets(session, user, [set_id for set_id, _ in order if set_id])
    trainings = _queued_trainings(session, user, [subject_id for _, subject_id in order if subject_id])
    rows = [sets.get(set_id or 0) or trainings.get(subject_id or 0) for set_id, subject_id in order]
    ordered = [row for row in rows if row]
    for place, row in enumerate((row for row in ordered if not _runs(row)), start=1):
        row.line = place
    return ordered


def _runs(row: QueueRow | TrainingRow) -> bool:
    return bool(row.generating) if isinstance(row, QueueRow) else row.state == State.GENERATING


def _queued_trainings(session: Session, user: User, ids: list[int]) -> dict[int, TrainingRow]:
    if not ids:
        return {}
    pictured = select(SubjectPicture.position).where(SubjectPicture.subject_id == Subject.id).exists()
    found = session.execute(
        select(Subject.id, Subject.handle, User.name, Subject.state, Subject.step, Subject.steps, pictured)
        .join(User, User.id == Subject.owner_id)
        .where(Subject.id.in_(ids), signed_in(user))
    )
    return {row[0]: TrainingRow(*row, line=None) for row in found}


def _queued_sets(session: Session, user: User, ids: list[int]) -> dict[int, QueueRow]:
    found = session.execute(
        select(ImageSet.id, ImageSet.name, User.name, StyleReference.reference_id)
        .join(User, User.id == ImageSet.owner_id)
        .join(StyleReference, StyleReference.version_id == ImageSet.style_version_id)
        .where(ImageSet.id.in_(ids), StyleReference.position == 1, signed_in(user))
    )
    rows = {
        id: QueueRow(set_id=id, name=name, owner=owner, image_id=None, reference_id=reference_id, line=None)
        for id, name, owner, reference_id in found
    }
    _count(session, rows)
    for set_id, image_id in mosaics(session, rows, 1):
        rows[set_id].image_id = image_id
    return rows


def _served_order(session: Session) -> list[tuple[int | None, int | None]]:
    """Of what runs or waits, (set id, subject id): first what runs, then by priority and age.

    (Owners who take turns blur it.)
    """
    running = func.count().filter(Unit.state == State.GENERATING) > 0
    rows = session.execute(
        select(Unit.set_id, Unit.subject_id)
        .where(Unit.state.in_([State.QUEUED, State.GENERATING]))
        .group_by(Unit.set_id, Unit.subject_id)
        .order_by(running.desc(), func.max(Unit.priority).desc(), func.min(Unit.id))
    )
    return [(set_id, subject_id) for set_id, subject_id in rows]


def mean_unit_seconds(session: Session, set_id: int, latest: int = 20) -> float | None:
    """How long the latest finished units of a set took; None when there is none."""
    units = session.execute(
        select(Unit.started_at, Unit.ended_at)
        .where(Unit.set_id == set_id, Unit.state == State.FINISHED)
        .order_by(Unit.id.desc())
        .limit(latest)
    )
    seconds = [(ended - started).total_seconds() for started, ended in units if started and ended]
    return sum(seconds) / len(seconds) if seconds else None


# All pictures


@dataclass(frozen=True)
class PictureFilter:
    """What the gallery shows: an empty field leaves all in, several values are alternatives."""

    decision: Sequence[str] = ()  # verdicts, or NOT_REVIEWED
    style: Sequence[str] = ()  # codes
    campaign: Sequence[int] = ()
    owner: Sequence[int] = ()
    set: int | None = None
    q: str = ""  # words that the prompt must have, or a seed


@dataclass(frozen=True)
class Cell:
    """A picture as the gallery shows it."""

    id: int
    set_id: int
    prompt: str
    width: int  # px
    height: int
    decision: Verdict | None
    style_name: str
    style_code: str
    owner: str


@dataclass(frozen=True)
class Option:
    """A value that the gallery can be filtered by, with how many pictures it would show."""

    value: str | int
    name: str
    count: int
    reference_id: int | None = None  # of a style


@dataclass(frozen=True)
class PictureOptions:
    decisions: dict[str, int]  # by verdict or NOT_REVIEWED
    styles: list[Option]  # most pictures first, as the others
    campaigns: list[Option]
    owners: list[Option]


def pictures(
    session: Session, user: User, wanted: PictureFilter, after: int | None = None, limit: int = 60
) -> list[Cell]:
    """Finished pictures, the newest first; `after` is the id of the last one shown."""
    statement = _pictures(user, wanted).with_only_columns(
        Image.id,
        Image.set_id,
        Image.prompt,
        ImageSet.width,
        ImageSet.height,
        Image.decision,
        Style.name,
        Style.code,
        User.name,
    )
    if after is not None:
        statement = statement.where(Image.id < after)
    return [Cell(*row) for row in session.execute(statement.order_by(Image.id.desc()).limit(limit))]


def pictures_count(session: Session, user: User, wanted: PictureFilter | None = None) -> int:
    """How many pictures the filter leaves in."""
    statement = _pictures(user, wanted or PictureFilter())
    return session.scalar(statement.with_only_columns(func.count())) or 0


def picture_options(session: Session, user: User, wanted: PictureFilter) -> PictureOptions:
    """What else could be chosen: each field counts under the other fields' filters, so that no choice surprises."""

    def counted(others: PictureFilter, *columns: Any) -> list[Any]:
        statement = _pictures(user, others).with_only_columns(*columns, func.count())
        return list(session.execute(statement.group_by(*columns).order_by(func.count().desc(), columns[-1])))

    reference = (
        select(StyleReference.reference_id)
        .join(StyleVersion, StyleVersion.id == StyleReference.version_id)
        .where(StyleVersion.style_id == Style.id)
        .order_by(StyleVersion.number.desc(), StyleReference.position)
        .limit(1)
        .correlate(Style)
        .scalar_subquery()
    )
    styles = counted(replace(wanted, style=()), Style.code, Style.name, reference)
    return PictureOptions(
        decisions={
            decision or NOT_REVIEWED: number
            for decision, number in counted(replace(wanted, decision=()), Image.decision)
        },
        styles=[Option(code, name, number, reference_id) for code, name, reference_id, number in styles],
        campaigns=[Option(*row) for row in counted(replace(wanted, campaign=()), Campaign.id, Campaign.name)],
        owners=[Option(*row) for row in counted(replace(wanted, owner=()), User.id, User.name)],
    )


def _pictures(user: User, wanted: PictureFilter) -> Select[Image]:
    """Finished images that the filter leaves in, joined to all that they are filtered by."""
    statement = (
        select(Image)
        .join(ImageSet, ImageSet.id == Image.set_id)
        .join(StyleVersion, StyleVersion.id == ImageSet.style_version_id)
        .join(Style, Style.id == StyleVersion.style_id)
        .join(Campaign, Campaign.id == ImageSet.campaign_id)
        .join(User, User.id == ImageSet.owner_id)
        .where(Image.state == State.FINISHED, signed_in(user))
    )
    chosen = {Style.code: wanted.style, Campaign.id: wanted.campaign, User.id: wanted.owner}
    for column, values in chosen.items():
        if values:
            statement = statement.where(column.in_(values))
    if wanted.decision:
        statement = statement.where(_decided(wanted.decision))
    if wanted.set is not None:
        statement = statement.where(Image.set_id == wanted.set)
    for word in wanted.q.split():
        statement = statement.where(_mentions(word))
    return statement


def _decided(decisions: Sequence[str]) -> ColumnElement[bool]:
    verdicts = [decision for decision in decisions if decision != NOT_REVIEWED]
    found = Image.decision.in_(verdicts)
    return or_(found, Image.decision.is_(None)) if NOT_REVIEWED in decisions else found


def _mentions(word: str) -> ColumnElement[bool]:
    found = Image.prompt.icontains(word, autoescape=True)
    seed = whole_number(word)
    return found if seed is None else or_(found, Image.seed == seed)
