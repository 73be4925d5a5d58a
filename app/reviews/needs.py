"""Read what needs a person's attention, for the home page."""

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, TypeVar

from sqlalchemy import (
    ColumnElement,
    and_,
    exists,
    func,
    or_,
    select,
    true,
)
from sqlalchemy.orm import Session, aliased, joinedload

from app.models import (
    Act,
    AuditEvent,
    Comment,
    Decision,
    Image,
    ImageSet,
    Mention,
    Role,
    State,
    Subject,
    User,
    Verdict,
)
from app.reviews.pending import waits_for
from app.sets.queries import TO_REVIEW, mosaics
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
    bytes: int | None = None  # for ready sets: the size of the approved pictures


def of_user(session: Session, user: User, limit: int = 6) -> list[Need]:
    """What waits for `user`: mentions, pictures to review, and news of their own sets.

    That is change requests, failures and deliveries. At most `limit` of each kind, from the newest sets.
    """
    mine = Image.owner_id == user.id
    found = _mentions(session, user, limit)
    if user.can(Role.REVIEWER):
        found += _needs(session, "review", waits_for(user), limit)
    to_change = and_(Image.shown, Image.decision == Verdict.CHANGES_REQUESTED, ~BEING_MADE_AGAIN, mine)
    found += _changes(session, user, to_change, limit)
    found += _needs(session, "failed", and_(Image.state == State.FAILED, ~Image.superseded, mine), limit)
    found += _ready(session, user, limit)
    found = _held(session, user, limit) + found
    return found if user.active else []


def _held(session: Session, user: User, limit: int) -> list[Need]:
    """What the engine stopped at several times: of `user`, and of everyone for an administrator."""
    every = user.role == Role.ADMIN
    trainings = session.execute(
        select(Subject.id, Subject.handle, User.name)
        .join(User, User.id == Subject.owner_id)
        .where(Subject.state == State.HELD, true() if every else Subject.owner_id == user.id)
        .order_by(Subject.id.desc())
        .limit(limit)
    )
    pictures = _needs(
        session, "held", and_(Image.state == State.HELD, true() if every else Image.owner_id == user.id), limit
    )
    return pictures + [Need("training", id, f"@{handle}", owner, 1, None, []) for id, handle, owner in trainings]


def _mentions(session: Session, user: User, limit: int) -> list[Need]:
    """Unseen comments that mention `user`, on any version of a shown picture, the newest for each."""
    shown = aliased(Image)
    newest = (
        select(func.max(Comment.id).label("id"), func.count().label("number"), shown.id.label("shown_id"))
        .join(Mention, Mention.comment_id == Comment.id)
        .join(Image, Image.id == Comment.image_id)
        .join(shown, and_(shown.set_id == Image.set_id, shown.position == Image.position, shown.shown))
        .where(Mention.user_id == user.id, Mention.seen_at.is_(None))
        .group_by(shown.id)
        .subquery()
    )
    rows = session.execute(
        select(Comment, ImageSet.id, ImageSet.name, newest.c.number, newest.c.shown_id)
        .join(newest, newest.c.id == Comment.id)
        .join(Image, Image.id == Comment.image_id)
        .join(ImageSet, ImageSet.id == Image.set_id)
        .options(joinedload(Comment.user))
        .order_by(Comment.id.desc())
        .limit(limit)
    )
    return [
        Need("mention", set_id, name, said.user.name, number, said.created_at, [image_id], said.body)
        for said, set_id, name, number, image_id in rows
    ]


def _needs(
    session: Session,
    kind: Literal["review", "changes", "failed", "held", "ready"],
    which: ColumnElement[bool],
    limit: int,
) -> list[Need]:
    # Sets first: an index has them in order, so the search ends with the newest few.
    newest = select(Image.set_id).where(which).group_by(Image.set_id).order_by(Image.set_id.desc()).limit(limit)
    set_ids = list(session.scalars(newest))
    if not set_ids:  # as usual; building statements for nothing takes longer than the search
        return []
    at = func.coalesce(Image.finished_at, ImageSet.created_at)
    rows = session.execute(
        select(ImageSet.id, ImageSet.name, User.name, func.count(), func.max(at), func.sum(Image.bytes))
        .join(Image, Image.set_id == ImageSet.id)
        .join(User, User.id == ImageSet.owner_id)
        .where(Image.set_id.in_(set_ids), which)
        .group_by(ImageSet.id)
        .order_by(ImageSet.id.desc())
    ).all()
    examples = defaultdict(list)
    for set_id, image_id in mosaics(session, set_ids, 4, which):
        examples[set_id].append(image_id)
    return [
        Need(kind, id, name, owner, number, at, examples[id], bytes=size if kind == "ready" else None)
        for id, name, owner, number, at, size in rows
    ]


def _changes(session: Session, user: User, which: ColumnElement[bool], limit: int) -> list[Need]:
    """With who requested them last, "" if no decision says so, and the newest comment on one by someone else."""
    found = _needs(session, "changes", which, limit)
    if not found:
        return []
    set_ids = [need.set_id for need in found]
    asked = _newest_by_set(session, Decision, set_ids, and_(Decision.verdict == Verdict.CHANGES_REQUESTED, which))
    said = _newest_by_set(session, Comment, set_ids, and_(Comment.user_id != user.id, which))
    return [
        replace(
            need,
            who=asked[need.set_id].user.name if need.set_id in asked else "",
            at=asked[need.set_id].created_at if need.set_id in asked else need.at,
            comment=said[need.set_id].body if need.set_id in said else None,
        )
        for need in found
    ]


def _ready(session: Session, user: User, limit: int) -> list[Need]:
    """Sets with all pictures decided, some approved, and not downloaded since the last decision."""
    whose = true() if user.can(Role.MANAGER) else ImageSet.owner_id == user.id
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
    approved = and_(Image.shown, Image.decision == Verdict.APPROVED, Image.set_id.in_(ready))
    return _needs(session, "ready", approved, limit)


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
