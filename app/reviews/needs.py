"""Read what needs a person's attention, for the home page."""

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    bindparam,
    exists,
    func,
    or_,
    select,
    true,
)
from sqlalchemy.orm import Session, aliased

from app.accounts.queries import MY_ID, asks
from app.models import (
    Act,
    AuditEvent,
    Comment,
    Decision,
    Image,
    ImageSet,
    Mention,
    Role,
    Sample,
    State,
    Subject,
    User,
    Verdict,
)
from app.reviews.pending import WAITS_FOR_ME
from app.sets.mosaics import mosaic, mosaics
from app.sets.queries import TO_REVIEW
from app.sets.stack import BEING_MADE_AGAIN


@dataclass(frozen=True)
class Need:
    """Something in one set that waits for someone."""

    kind: Literal["mention", "review", "changes", "failed", "held", "training", "ready"]
    set_id: int  # of a held training: the subject
    set_name: str
    who: str  # the set's owner; for changes, who requested them, if known; for a mention, its author
    count: int  # pictures
    at: datetime | None  # of the latest
    image_ids: list[int]  # up to four
    comment: str | None = None  # for changes: the newest on one of the pictures; for a mention: its text
    comment_by: str = ""  # who wrote it
    bytes: int | None = None  # for ready sets: the size of the approved pictures


Kind = Literal["review", "changes", "failed", "held", "ready"]

_MINE = Image.owner_id == MY_ID
_HELD = Image.state == State.HELD


def of_user(session: Session, user: User, limit: int = 6) -> list[Need]:
    """What waits for `user`: mentions, pictures to review, and news of their own sets.

    That is change requests, failures and deliveries. At most `limit` of each kind, from the newest sets.
    """
    if not user.active:
        return []
    found = _held(session, user, limit) + _mentions(session, user, limit)
    if user.can(Role.REVIEWER):
        found += _needs(session, user, "review", _REVIEW, limit)
    found += _changes(session, user, limit)
    found += _needs(session, user, "failed", _FAILED, limit)
    return found + _needs(session, user, "ready", _ALL_READY if user.can(Role.MANAGER) else _READY, limit)


def _held(session: Session, user: User, limit: int) -> list[Need]:
    """What the engine stopped at several times: of `user`, and of everyone for an administrator."""
    every = user.role == Role.ADMIN
    trainings = session.execute(_ALL_HELD_TRAININGS if every else _HELD_TRAININGS, asks(user) | {"limit": limit})
    pictures = _needs(session, user, "held", _ALL_HELD if every else _OWN_HELD, limit)
    return pictures + [Need("training", id, f"@{handle}", owner, 1, None, []) for id, handle, owner in trainings]


_ALL_HELD_TRAININGS = (
    select(Subject.id, Subject.handle, User.name)
    .join(User, User.id == Subject.owner_id)
    .where(Subject.state == State.HELD)
    .order_by(Subject.id.desc())
    .limit(bindparam("limit"))
)
_HELD_TRAININGS = _ALL_HELD_TRAININGS.where(Subject.owner_id == MY_ID)


_shown = aliased(Image)
_newest_mentions = (
    select(func.max(Comment.id).label("id"), func.count().label("number"), _shown.id.label("shown_id"))
    .join(Mention, Mention.comment_id == Comment.id)
    .join(Image, Image.id == Comment.image_id)
    .join(_shown, and_(_shown.set_id == Image.set_id, _shown.position == Image.position, _shown.shown))
    .where(Mention.user_id == MY_ID, Mention.seen_at.is_(None), Comment.deleted_at.is_(None))
    .group_by(_shown.id)
    .subquery()
)
_MENTIONS = (
    select(
        Comment.body,
        Comment.created_at,
        User.name,
        ImageSet.id,
        ImageSet.name,
        _newest_mentions.c.number,
        _newest_mentions.c.shown_id,
    )
    .join(_newest_mentions, _newest_mentions.c.id == Comment.id)
    .join(User, User.id == Comment.user_id)
    .join(Image, Image.id == Comment.image_id)
    .join(ImageSet, ImageSet.id == Image.set_id)
    .order_by(Comment.id.desc())
    .limit(bindparam("limit"))
)


def _mentions(session: Session, user: User, limit: int) -> list[Need]:
    """Unseen comments that mention `user`, on any version of a shown picture, the newest for each."""
    rows = session.execute(_MENTIONS, asks(user) | {"limit": limit})
    return [
        Need("mention", set_id, name, author, number, at, [image_id], body, author)
        for body, at, author, set_id, name, number, image_id in rows
    ]


@dataclass(frozen=True)
class NeedQuery:
    """The statements that find pictures of one kind of need."""

    newest: Select[int]  # the newest sets with any. An index has them in order, so the search ends with a few.
    sets: Select[int, str, str, int, datetime, int | None]  # what is said of each
    examples: Select[int, int]

    @classmethod
    def of(cls, which: ColumnElement[bool]) -> "NeedQuery":
        at = func.coalesce(Image.finished_at, ImageSet.created_at)
        return cls(
            select(Image.set_id)
            .where(which)
            .group_by(Image.set_id)
            .order_by(Image.set_id.desc())
            .limit(bindparam("limit")),
            select(ImageSet.id, ImageSet.name, User.name, func.count(), func.max(at), func.sum(Image.bytes))
            .join(Image, Image.set_id == ImageSet.id)
            .join(User, User.id == ImageSet.owner_id)
            .where(Image.set_id.in_(bindparam("set_ids", expanding=True)), which)
            .group_by(ImageSet.id)
            .order_by(ImageSet.id.desc()),
            mosaic(which),
        )


def _needs(session: Session, user: User, kind: Kind, query: NeedQuery, limit: int) -> list[Need]:
    values = asks(user)
    set_ids = list(session.scalars(query.newest, values | {"limit": limit}))
    if not set_ids:  # as usual
        return []
    rows = session.execute(query.sets, values | {"set_ids": set_ids}).all()
    examples = defaultdict(list)
    for set_id, image_id in mosaics(session, set_ids, 4, query.examples, values):
        examples[set_id].append(image_id)
    return [
        Need(kind, id, name, owner, number, at, examples[id], bytes=size if kind == "ready" else None)
        for id, name, owner, number, at, size in rows
    ]


_to_change = and_(Image.shown, Image.decision == Verdict.CHANGES_REQUESTED, ~BEING_MADE_AGAIN, _MINE)


def _changes(session: Session, user: User, limit: int) -> list[Need]:
    """With who requested them last, "" if no decision says so, and the newest comment on one by someone else."""
    found = _needs(session, user, "changes", _CHANGES, limit)
    if not found:
        return []
    values = asks(user) | {"set_ids": [need.set_id for need in found]}
    asked = {row.set_id: row for row in session.execute(_ASKED, values)}
    said = {row.set_id: row for row in session.execute(_SAID, values)}
    return [
        replace(
            need,
            who=asked[need.set_id].name if need.set_id in asked else "",
            at=asked[need.set_id].created_at if need.set_id in asked else need.at,
            comment=said[need.set_id].body if need.set_id in said else None,
            comment_by=said[need.set_id].name if need.set_id in said else "",
        )
        for need in found
    ]


def _newest_by_set(of: type[Decision] | type[Comment], *columns: Any, which: ColumnElement[bool]) -> Select[Any]:
    """The newest row in each set on a picture to change, with its author's name."""
    newest = (
        select(func.max(of.id))
        .join(Image, Image.id == of.image_id)
        .where(Image.set_id.in_(bindparam("set_ids", expanding=True)), which, _to_change)
        .group_by(Image.set_id)
    )
    chosen = select(Image.set_id, User.name, *columns).join_from(of, Image, Image.id == of.image_id)
    return chosen.join(User, User.id == of.user_id).where(of.id.in_(newest))


_later = aliased(Decision)
_undone = exists(select(_later.id).where(_later.withdraws_id == Decision.id, _later.undoes).correlate(Decision))
_ASKED = _newest_by_set(
    Decision, Decision.created_at, which=and_(Decision.verdict == Verdict.CHANGES_REQUESTED, ~_undone)
)
_SAID = _newest_by_set(Comment, Comment.body, which=and_(Comment.user_id != MY_ID, Comment.deleted_at.is_(None)))


def _ready(whose: ColumnElement[bool]) -> ColumnElement[bool]:
    """Approved pictures of sets with all pictures decided, and not downloaded since the last decision."""
    open_ = and_(Image.shown, TO_REVIEW) | Image.state.in_([State.QUEUED, State.GENERATING, State.HELD])
    newest = select(ImageSet.id).where(whose).order_by(ImageSet.id.desc()).limit(200)
    decided = (
        select(Image.set_id, func.max(Decision.created_at).label("at"))
        .join(Decision, Decision.image_id == Image.id)
        .where(Image.set_id.in_(newest))
        .group_by(Image.set_id)
        .subquery()
    )
    undecided = select(Image.id).where(Image.set_id == ImageSet.id, open_).correlate(ImageSet)
    # A download still counts when the export has expired: the event lists its sets. Older events are about one set
    # each.
    named = func.json_each(AuditEvent.details, "$.sets").table_valued("value").alias("named")
    set_id = func.coalesce(named.c.value, AuditEvent.subject_id)
    downloaded = (
        select(set_id.label("set_id"), func.max(AuditEvent.at).label("at"))
        .select_from(AuditEvent)
        .outerjoin(named, true())
        .where(AuditEvent.act == Act.EXPORT, or_(named.c.value.is_not(None), AuditEvent.subject == "image_sets"))
        .group_by(set_id)
        .subquery()
    )
    ready = (
        select(ImageSet.id)
        .join(decided, decided.c.set_id == ImageSet.id)
        .outerjoin(downloaded, downloaded.c.set_id == ImageSet.id)
        .where(~exists(undecided), or_(downloaded.c.at.is_(None), downloaded.c.at <= decided.c.at))
    )
    return and_(Image.shown, Image.decision == Verdict.APPROVED, Image.set_id.in_(ready))


_REVIEW = NeedQuery.of(WAITS_FOR_ME)
_CHANGES = NeedQuery.of(_to_change)
_FAILED = NeedQuery.of(and_(Image.state == State.FAILED, ~Image.superseded, Image.deleted_at.is_(None), _MINE))
_OWN_HELD = NeedQuery.of(and_(_HELD, _MINE))
_ALL_HELD = NeedQuery.of(_HELD)
_READY = NeedQuery.of(_ready(ImageSet.owner_id == MY_ID))
_ALL_READY = NeedQuery.of(_ready(ImageSet.id.not_in(select(Sample.set_id).where(Sample.user_id != MY_ID))))
