"""Reading what is to be reviewed, and what people said of a picture."""

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, TypeVar

from sqlalchemy import ColumnElement, Select, and_, exists, func, select, true
from sqlalchemy.orm import Session, joinedload

from app.accounts.queries import signed_in
from app.models import (
    Act,
    AuditEvent,
    Comment,
    Decision,
    Image,
    ImageSet,
    Role,
    State,
    Style,
    StyleVersion,
    User,
    Verdict,
)
from app.sets.queries import NOT_REVIEWED, TO_REVIEW, mosaics


@dataclass(frozen=True)
class Scope:
    """Which pictures a review goes through: all that are finished, or those of a set, a style or a campaign."""

    set_id: int | None = None
    style_code: str = ""
    campaign_id: int | None = None


@dataclass(frozen=True)
class StripRow:
    """A picture as the review's strip shows it."""

    id: int
    set_id: int
    position: int
    prompt: str
    decision: Verdict | None


@dataclass(frozen=True)
class Neighbours:
    """Where a picture stands in a review. Ids, None where there is none."""

    place: int  # 1, 2, ...
    total: int
    previous_id: int | None
    next_id: int | None
    next_open_id: int | None  # the next one to review, from the start again after the last


def pending_count(session: Session, user: User, scope: Scope | None = None) -> int:
    """How many finished pictures wait for a decision, those whose decision was withdrawn among them."""
    statement = _finished(user, scope or Scope()).where(TO_REVIEW)
    return session.scalar(statement.with_only_columns(func.count())) or 0


def strip(session: Session, user: User, scope: Scope, around: int | None = None, limit: int = 200) -> list[StripRow]:
    """The pictures of a review in order; of a long one, those before and after the picture `around`."""
    half = limit // 2
    if around is None:
        return _rows(session, _finished(user, scope).order_by(Image.id).limit(limit))
    before = _rows(session, _finished(user, scope).where(Image.id < around).order_by(Image.id.desc()).limit(half))
    after = _rows(session, _finished(user, scope).where(Image.id >= around).order_by(Image.id).limit(limit - half))
    return before[::-1] + after


def neighbours(session: Session, user: User, scope: Scope, image_id: int) -> Neighbours:
    """Where `image_id` stands among the pictures of a review."""
    pictures = _finished(user, scope)
    earlier, later, open_ = Image.id < image_id, Image.id > image_id, TO_REVIEW
    first, last = func.min(Image.id), func.max(Image.id)

    def one(statement: Select[Image], value: ColumnElement[int]) -> int | None:
        return session.scalar(statement.with_only_columns(value))

    return Neighbours(
        place=(one(pictures.where(earlier), func.count()) or 0) + 1,
        total=one(pictures, func.count()) or 0,
        previous_id=one(pictures.where(earlier), last),
        next_id=one(pictures.where(later), first),
        next_open_id=one(pictures.where(open_, later), first) or one(pictures.where(open_, earlier), first),
    )


def first_open(session: Session, user: User, scope: Scope) -> int | None:
    """The first picture of a review that waits for a decision; None when all are decided."""
    return session.scalar(_finished(user, scope).where(TO_REVIEW).with_only_columns(func.min(Image.id)))


def tally(session: Session, user: User, scope: Scope) -> dict[str, int]:
    """How many pictures of a review have each verdict, or NOT_REVIEWED."""
    counted = _finished(user, scope).with_only_columns(Image.decision, func.count()).group_by(Image.decision)
    found = dict.fromkeys((*Verdict, NOT_REVIEWED), 0)
    return found | {decision or NOT_REVIEWED: number for decision, number in session.execute(counted)}


def decisions(session: Session, user: User, image_id: int) -> list[Decision]:
    """What was decided of a picture, the oldest first, with who decided."""
    return list(
        session.scalars(
            select(Decision)
            .where(Decision.image_id == image_id, signed_in(user))
            .options(joinedload(Decision.user))
            .order_by(Decision.id)
        )
    )


def latest(session: Session, image_id: int) -> Decision | None:
    """The decision that counts, with who decided; a withdrawal too is one."""
    return session.scalar(
        select(Decision)
        .where(Decision.image_id == image_id)
        .options(joinedload(Decision.user))
        .order_by(Decision.id.desc())
        .limit(1)
    )


def comments(session: Session, user: User, image_id: int) -> list[Comment]:
    """What was said of a picture, the oldest first, with who said it."""
    return list(
        session.scalars(
            select(Comment)
            .where(Comment.image_id == image_id, signed_in(user))
            .options(joinedload(Comment.user))
            .order_by(Comment.id)
        )
    )


# What needs a person


@dataclass(frozen=True)
class Need:
    """Something in one set that waits for somebody."""

    kind: Literal["review", "changes", "failed", "ready"]
    set_id: int
    set_name: str
    who: str  # the set's owner; of changes, who asked for them
    count: int  # pictures
    at: datetime | None  # the latest of them
    image_ids: list[int]  # up to four of them
    comment: str | None = None  # of changes: the newest in the set
    bytes: int | None = None  # of ready: the approved pictures' size


def needs(session: Session, user: User, limit: int = 6) -> list[Need]:
    """What waits for `user`: pictures to review, changes asked in their sets, failures in them, and sets to hand over.

    At most `limit` of each kind, those of the newest sets.
    """
    mine = ImageSet.owner_id == user.id
    found: list[Need] = []
    if user.can(Role.REVIEWER):
        found += _needs(session, "review", and_(Image.state == State.FINISHED, TO_REVIEW), limit)
    found += _changes(
        session, user, _needs(session, "changes", Image.decision == Verdict.CHANGES_REQUESTED, limit, mine)
    )
    found += _needs(session, "failed", Image.state == State.FAILED, limit, mine)
    found += _ready(session, user, limit)
    return found if user.active else []


def _needs(
    session: Session,
    kind: Literal["review", "changes", "failed", "ready"],
    which: ColumnElement[bool],
    limit: int,
    *sets: ColumnElement[bool],
) -> list[Need]:
    at = func.coalesce(Image.finished_at, ImageSet.created_at)
    rows = session.execute(
        select(ImageSet.id, ImageSet.name, User.name, func.count(), func.max(at), func.sum(Image.bytes))
        .join(Image, Image.set_id == ImageSet.id)
        .join(User, User.id == ImageSet.owner_id)
        .where(which, *sets)
        .group_by(ImageSet.id)
        .order_by(ImageSet.id.desc())
        .limit(limit)
    ).all()
    examples = defaultdict(list)
    for set_id, image_id in mosaics(session, [row[0] for row in rows], 4, which):
        examples[set_id].append(image_id)
    return [
        Need(kind, id, name, owner, number, at, examples[id], bytes=size if kind == "ready" else None)
        for id, name, owner, number, at, size in rows
    ]


def _changes(session: Session, user: User, found: list[Need]) -> list[Need]:
    """With who asked for them last, and the newest comment that is not `user`'s own."""
    set_ids = [need.set_id for need in found]
    asked = _newest_by_set(session, Decision, set_ids, Decision.verdict == Verdict.CHANGES_REQUESTED)
    said = _newest_by_set(session, Comment, set_ids, Comment.user_id != user.id)
    return [
        replace(
            need,
            who=asked[need.set_id].user.name,
            at=asked[need.set_id].created_at,
            comment=said[need.set_id].body if need.set_id in said else None,
        )
        for need in found
    ]


def _ready(session: Session, user: User, limit: int) -> list[Need]:
    """Sets that are decided to the last picture, some approved, and not downloaded since the last decision."""
    whose = true() if user.can(Role.MANAGER) else ImageSet.owner_id == user.id
    open_ = and_(Image.state == State.FINISHED, TO_REVIEW) | Image.state.in_([State.QUEUED, State.GENERATING])
    newest = select(ImageSet.id).where(whose).order_by(ImageSet.id.desc()).limit(200)
    decided = (
        select(Image.set_id, func.max(Decision.created_at).label("at"))
        .join(Decision, Decision.image_id == Image.id)
        .where(Image.set_id.in_(newest))
        .group_by(Image.set_id)
        .subquery()
    )
    undecided = select(Image.id).where(Image.set_id == ImageSet.id, open_).correlate(ImageSet)
    downloaded = (
        select(AuditEvent.id)
        .where(AuditEvent.subject == ImageSet.__tablename__, AuditEvent.subject_id == ImageSet.id)
        .where(AuditEvent.act == Act.EXPORT, AuditEvent.at > decided.c.at)
        .correlate(ImageSet, decided)
    )
    ready = (
        select(ImageSet.id)
        .join(decided, decided.c.set_id == ImageSet.id)
        .where(~exists(undecided), ~exists(downloaded))
    )
    return _needs(session, "ready", Image.decision == Verdict.APPROVED, limit, ImageSet.id.in_(ready))


N = TypeVar("N", Decision, Comment)


def _newest_by_set(session: Session, of: type[N], set_ids: list[int], which: ColumnElement[bool]) -> dict[int, N]:
    newest = (
        select(func.max(of.id)).join(Image, Image.id == of.image_id).where(Image.set_id.in_(set_ids), which)
    ).group_by(Image.set_id)
    rows = session.execute(
        select(Image.set_id, of)
        .join(Image, Image.id == of.image_id)
        .where(of.id.in_(newest))
        .options(joinedload(of.user))
    )
    return dict(rows.all())


def _finished(user: User, scope: Scope) -> Select[Image]:
    statement = select(Image).where(Image.state == State.FINISHED, signed_in(user))
    if scope.set_id is not None:
        statement = statement.where(Image.set_id == scope.set_id)
    if scope.style_code or scope.campaign_id is not None:
        statement = statement.join(ImageSet, ImageSet.id == Image.set_id)
    if scope.style_code:
        versions = select(StyleVersion.id).join(Style).where(Style.code == scope.style_code)
        statement = statement.where(ImageSet.style_version_id.in_(versions))
    if scope.campaign_id is not None:
        statement = statement.where(ImageSet.campaign_id == scope.campaign_id)
    return statement


def _rows(session: Session, statement: Select[Image]) -> list[StripRow]:
    columns = Image.id, Image.set_id, Image.position, Image.prompt, Image.decision
    return [StripRow(*row) for row in session.execute(statement.with_only_columns(*columns))]
