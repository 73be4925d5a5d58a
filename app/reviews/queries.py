"""Read what to review, and what people said about a picture.

A person's queue contains the shown pictures of unlocked sets that have no outcome yet and no current decision of
theirs: where two people must approve, one who has is done. It leaves out their own pictures in campaigns where nobody
approves their own. A review goes set by set, and in each position by position. Every query uses an index, however many
pictures there are.
"""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, TypeVar

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
    true,
    tuple_,
)
from sqlalchemy.orm import Session, aliased, joinedload, selectinload

from app.accounts.queries import signed_in
from app.errors import NotFound
from app.models import (
    Act,
    AuditEvent,
    Campaign,
    Comment,
    Decision,
    Image,
    ImageSet,
    Mention,
    RejectReason,
    Role,
    State,
    Style,
    Thread,
    User,
    Verdict,
)
from app.reviews import standing as told
from app.reviews.four_eyes import own
from app.sets.queries import NOT_REVIEWED, TO_REVIEW, mosaics
from app.sets.stack import BEING_MADE_AGAIN

OPEN = (Image.decision.is_(None), Image.decision == Verdict.WITHDRAWN)  # one at a time, so that an index can find them
UNLOCKED = Image.set_id.not_in(select(ImageSet.id).where(ImageSet.locked_at.is_not(None)))


@dataclass(frozen=True)
class Scope:
    """The pictures of a review: all that are shown, or those of a set, a style, a campaign, an owner."""

    set_id: int | None = None
    style_code: str = ""
    campaign_id: int | None = None
    owner_id: int | None = None


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


@dataclass(frozen=True)
class Rule:
    """A campaign's requirements for approval."""

    name: str  # of the campaign
    needed: int  # people who must approve it
    four_eyes: bool  # none of them its maker


@dataclass(frozen=True)
class Conversation:
    """A thread, and the version of the picture on which it started."""

    thread: Thread
    image_id: int
    version: int
    deleted: bool  # whether that version was deleted
    number: int | None  # of its pin: 1, 2, ...; None without a pin

    def said_by(self, user: User) -> int:
        """The number of comments by `user`."""
        return sum(comment.user_id == user.id for comment in self.thread.comments)


@dataclass(frozen=True)
class DecisionUndo:
    """A decision that can be undone."""

    id: int
    prompt: str  # of its picture
    verdict: Verdict


@dataclass(frozen=True)
class ScopeOptions:
    """The available limits for a review, by name."""

    campaigns: list[tuple[int, str]]
    sets: list[tuple[int, str]]  # newest first
    styles: list[tuple[str, str]]  # code, name
    owners: list[tuple[int, str]]


def in_campaign(session: Session, user: User, campaign_id: int) -> dict[int, list[int]]:
    """The shown pictures of a campaign by set. Ids."""
    found: defaultdict[int, list[int]] = defaultdict(list)
    shown = _pictures(user, Scope(campaign_id=campaign_id)).with_only_columns(Image.set_id, Image.id)
    for set_id, image_id in session.execute(shown):
        found[set_id].append(image_id)
    return found


# The queue


def pending_count(session: Session, user: User, scope: Scope | None = None) -> int:
    """How many pictures wait for `user`'s decision, including those with a withdrawn decision."""
    pictures = _pictures(user, scope or Scope()).where(UNLOCKED).with_only_columns(func.count())
    waiting = sum(session.scalar(pictures.where(open_)) or 0 for open_ in OPEN)
    # A literal, so that SQLite recognises its small index of such pictures.
    partly = pictures.where(OPEN[0], literal_column("images.approvals > 0"), _decided_by(user), not_(own(user)))
    return waiting - own_count(session, user, scope) - (session.scalar(partly) or 0)


def own_count(session: Session, user: User, scope: Scope | None = None) -> int:
    """How many of `user`'s own pictures wait for somebody else's approval."""
    # Set owners and makers of versions separately: an index finds either.
    mine = Image.owner_id == user.id
    again = and_(Image.made_by_id == user.id, Image.owner_id != user.id)
    pictures = _pictures(user, scope or Scope()).where(UNLOCKED, TO_REVIEW, own(user)).with_only_columns(func.count())
    return sum(session.scalar(pictures.where(which)) or 0 for which in (mine, again))


def first_own(session: Session, user: User, scope: Scope) -> int | None:
    """The first picture of a review that waits for a decision and is `user`'s own; None if there is none."""
    place = Image.set_id, Image.position
    pictures = _pictures(user, scope).where(UNLOCKED, TO_REVIEW, own(user)).order_by(*place).limit(1)
    return session.scalar(pictures.with_only_columns(Image.id))


def strip(session: Session, user: User, set_id: int, around: int, limit: int = 200) -> list[StripRow]:
    """The pictures of a set in order; for a long one, those around the position `around`."""
    half = limit // 2
    of_set = _pictures(user, Scope(set_id))
    before = of_set.where(Image.position < around).order_by(Image.position.desc()).limit(half)
    after = of_set.where(Image.position >= around).order_by(Image.position).limit(limit - half)
    return _rows(session, before)[::-1] + _rows(session, after)


def neighbours(session: Session, user: User, scope: Scope, image_id: int) -> Neighbours:
    """The position of `image_id` among the pictures of a review."""
    pictures = _pictures(user, scope)
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


def tally(session: Session, user: User, scope: Scope) -> dict[str, int]:
    """How many pictures of a review have each verdict, or NOT_REVIEWED."""
    counted = _pictures(user, scope).with_only_columns(Image.decision, func.count()).group_by(Image.decision)
    found = dict.fromkeys((*Verdict, NOT_REVIEWED), 0)
    return found | {decision or NOT_REVIEWED: number for decision, number in session.execute(counted)}


def scope_options(session: Session, user: User, scope: Scope, most_sets: int = 100) -> ScopeOptions:
    """Campaigns, styles and people with sets, by name; the newest sets with something to review, and the chosen one."""
    owned = select(ImageSet.owner_id)
    waiting = exists().where(Image.set_id == ImageSet.id, Image.shown, TO_REVIEW)
    open_sets = select(ImageSet.id).where(ImageSet.locked_at.is_(None), waiting).order_by(ImageSet.id.desc())
    offered = or_(ImageSet.id == scope.set_id, ImageSet.id.in_(open_sets.limit(most_sets)))
    rows = (
        session.execute(statement.where(signed_in(user)))
        for statement in (
            select(Campaign.id, Campaign.name).order_by(Campaign.name),
            select(ImageSet.id, ImageSet.name).where(offered).order_by(ImageSet.id.desc()),
            select(Style.code, Style.name).order_by(Style.name, Style.code),
            select(User.id, User.name).where(User.id.in_(owned)).order_by(User.name, User.id),
        )
    )
    return ScopeOptions(*([(key, name) for key, name in found] for found in rows))


def campaigns(session: Session, user: User) -> list[Campaign]:
    """All campaigns, by name."""
    return list(session.scalars(select(Campaign).where(signed_in(user)).order_by(Campaign.name)))


def waits_for(user: User) -> ColumnElement[bool]:
    """A condition for the pictures in `user`'s queue."""
    undecided = or_(Image.approvals == 0, not_(_decided_by(user)))
    return and_(Image.shown, TO_REVIEW, UNLOCKED, undecided, not_(own(user)))


def _first_open(session: Session, user: User, scope: Scope, *which: ColumnElement[bool]) -> int | None:
    """In position order."""
    unlocked = _pictures(user, scope).where(UNLOCKED, *which)
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
    mine, back = aliased(Decision), aliased(Decision)
    newest = (
        select(func.max(mine.id))
        .where(mine.image_id == Image.id, mine.user_id == user.id, mine.verdict != Verdict.WITHDRAWN)
        .correlate(Image)
        .scalar_subquery()
    )
    taken_back = (
        select(back.id)
        .where(back.image_id == Image.id, back.verdict == Verdict.WITHDRAWN, back.id > newest)
        .where(or_(back.withdraws_id == newest, back.withdraws_id.is_(None)))
        .correlate(Image)
    )
    return and_(newest.is_not(None), ~exists(taken_back))


# One picture


def decision(session: Session, user: User, decision_id: int) -> Decision:
    """The decision. Raises NotFound."""
    found = session.scalar(
        select(Decision).where(Decision.id == decision_id, signed_in(user)).options(joinedload(Decision.user))
    )
    if not found:
        raise NotFound("There is no such decision.")
    return found


def decisions(session: Session, user: User, image_id: int) -> list[Decision]:
    """The decisions on a picture, oldest first, with their authors."""
    return list(
        session.scalars(
            select(Decision)
            .where(Decision.image_id == image_id, signed_in(user))
            .options(joinedload(Decision.user))
            .order_by(Decision.id)
        )
    )


def standing(session: Session, user: User, image_id: int) -> list[Decision]:
    """A picture's current decisions, oldest first, with their authors."""
    return told.standing(decisions(session, user, image_id))


def histories(session: Session, image_ids: Collection[int]) -> defaultdict[int, list[Decision]]:
    """The decisions on pictures, by image id, oldest first."""
    found = defaultdict(list)
    rows = session.scalars(select(Decision).where(Decision.image_id.in_(image_ids)).order_by(Decision.id))
    for each in rows:
        found[each.image_id].append(each)
    return found


def by_others(session: Session, user: User, image_ids: Collection[int], after: int) -> dict[int, Decision]:
    """The latest decision of others on each picture after the decision `after`, with its author."""
    rows = session.scalars(
        select(Decision)
        .where(Decision.image_id.in_(image_ids), Decision.user_id != user.id, Decision.id > after)
        .options(joinedload(Decision.user))
        .order_by(Decision.id)
    )
    return {each.image_id: each for each in rows}


def newest(session: Session, user: User) -> int:
    """The id of the latest decision on any picture, 0 for none: a page that shows it has seen everything before."""
    return session.scalar(select(func.max(Decision.id)).where(signed_in(user))) or 0


def rules(session: Session, campaign_ids: Collection[int]) -> dict[int, Rule]:
    """The requirements of campaigns, by id."""
    columns = Campaign.id, Campaign.name, Campaign.approvals_needed, Campaign.four_eyes
    rows = session.execute(select(*columns).where(Campaign.id.in_(campaign_ids)))
    return {row[0]: Rule(row[1], row[2], row[3]) for row in rows}


def approved_by_makers(session: Session, *which: ColumnElement[bool]) -> list[Image]:
    """The pictures of `which` that one of their makers approved."""
    by_maker = or_(Decision.user_id == Image.owner_id, Decision.user_id == Image.made_by_id)
    own = select(Decision.image_id).join(Image, Image.id == Decision.image_id)
    found = own.where(Decision.verdict == Verdict.APPROVED, by_maker, *which)
    return list(session.scalars(select(Image).where(Image.id.in_(found))))


def undoable(session: Session, user: User, decision_id: int | None) -> DecisionUndo | None:
    """`user`'s own decision with that id, if it is current and they can undo it."""
    if not user.can(Role.REVIEWER):
        return None
    mine = Decision.id == decision_id, Decision.user_id == user.id, UNLOCKED, signed_in(user)
    joined = select(Decision, Image.prompt).join(Image, Image.id == Decision.image_id)
    found = session.execute(joined.where(*mine)).first()
    if not found or found[0].id not in {each.id for each in standing(session, user, found[0].image_id)}:
        return None
    return DecisionUndo(found[0].id, found[1], found[0].verdict)


def latest(session: Session, image_id: int) -> Decision | None:
    """The last decision, with its author; a withdrawal is also a decision."""
    return session.scalar(
        select(Decision)
        .where(Decision.image_id == image_id)
        .options(joinedload(Decision.user))
        .order_by(Decision.id.desc())
        .limit(1)
    )


def reasons(session: Session) -> list[RejectReason]:
    """The team's reasons for rejections, in order."""
    return list(session.scalars(select(RejectReason).order_by(RejectReason.position)))


# Conversations


def conversations(session: Session, user: User, image: Image) -> list[Conversation]:
    """All threads on a picture and its other versions, including deleted ones, oldest first, with authors."""
    rows = session.execute(
        select(Thread, Image.id, Image.version, Image.deleted_at.is_not(None))
        .join(Image, Image.id == Thread.image_id)
        .where(*_at_place(image), signed_in(user))
        .options(selectinload(Thread.comments).joinedload(Comment.user), joinedload(Thread.resolved_by))
        .order_by(Thread.id)
    ).all()
    pinned = [thread.id for thread, *_ in rows if thread.x is not None]
    numbers = {id: number for number, id in enumerate(pinned, start=1)}
    return [
        Conversation(thread, image_id, version, deleted, numbers.get(thread.id))
        for thread, image_id, version, deleted in rows
    ]


def thread(session: Session, user: User, thread_id: int) -> Thread:
    """The thread. Raises NotFound."""
    found = session.scalar(select(Thread).where(Thread.id == thread_id, signed_in(user)))
    if not found:
        raise NotFound("There is no such conversation.")
    return found


def people(session: Session, user: User) -> list[User]:
    """Who can be mentioned: everybody with an open account, by name."""
    return list(session.scalars(select(User).where(User.active, signed_in(user)).order_by(User.name, User.id)))


def unseen_mentions(session: Session, user: User, image: Image) -> list[int]:
    """The comments on a picture and its other versions that mention `user` and that they have not seen. Ids."""
    return list(
        session.scalars(
            select(Mention.comment_id)
            .join(Comment, Comment.id == Mention.comment_id)
            .join(Image, Image.id == Comment.image_id)
            .where(Mention.user_id == user.id, Mention.seen_at.is_(None), *_at_place(image), signed_in(user))
        )
    )


def _at_place(image: Image) -> tuple[ColumnElement[bool], ...]:
    return Image.set_id == image.set_id, Image.position == image.position


# What needs attention


@dataclass(frozen=True)
class Need:
    """Something in one set that waits for somebody."""

    kind: Literal["mention", "review", "changes", "failed", "ready"]
    set_id: int
    set_name: str
    who: str  # the set's owner; for changes, who requested them, if known; for a mention, its author
    count: int  # pictures
    at: datetime | None  # of the latest
    image_ids: list[int]  # up to four
    comment: str | None = None  # for changes: the newest in the set; for a mention: its text
    bytes: int | None = None  # for ready sets: the size of the approved pictures


def needs(session: Session, user: User, limit: int = 6) -> list[Need]:
    """What waits for `user`: mentions, pictures to review, and in their own sets change requests, failures and
    deliveries.

    At most `limit` of each kind, from the newest sets.
    """
    mine = Image.owner_id == user.id
    found = _mentions(session, user, limit)
    if user.can(Role.REVIEWER):
        found += _needs(session, "review", waits_for(user), limit)
    to_change = and_(Image.shown, Image.decision == Verdict.CHANGES_REQUESTED, ~BEING_MADE_AGAIN, mine)
    found += _changes(session, user, to_change, limit)
    found += _needs(session, "failed", and_(Image.state == State.FAILED, ~Image.superseded, mine), limit)
    found += _ready(session, user, limit)
    return found if user.active else []


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
    kind: Literal["review", "changes", "failed", "ready"],
    which: ColumnElement[bool],
    limit: int,
) -> list[Need]:
    # Sets first: an index has them in order, so the search ends with the newest few.
    newest = select(Image.set_id).where(which).group_by(Image.set_id).order_by(Image.set_id.desc()).limit(limit)
    set_ids = list(session.scalars(newest))
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
    """With who requested them last, "" if no decision says so, and the newest comment by somebody else."""
    found = _needs(session, "changes", which, limit)
    set_ids = [need.set_id for need in found]
    asked = _newest_by_set(session, Decision, set_ids, and_(Decision.verdict == Verdict.CHANGES_REQUESTED, which))
    said = _newest_by_set(session, Comment, set_ids, Comment.user_id != user.id)
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
    open_ = and_(Image.shown, TO_REVIEW) | Image.state.in_([State.QUEUED, State.GENERATING])
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


def _pictures(user: User, scope: Scope) -> Select[Image]:
    statement = select(Image).where(Image.shown, signed_in(user))
    if scope.set_id is not None:
        statement = statement.where(Image.set_id == scope.set_id)
    if scope.style_code:
        style = select(Style.id).where(Style.code == scope.style_code).scalar_subquery()
        statement = statement.where(Image.style_id == style)
    if scope.campaign_id is not None:
        statement = statement.where(Image.campaign_id == scope.campaign_id)
    if scope.owner_id is not None:
        statement = statement.where(Image.owner_id == scope.owner_id)
    return statement


def _rows(session: Session, statement: Select[Image]) -> list[StripRow]:
    columns = Image.id, Image.set_id, Image.position, Image.prompt, Image.decision, Image.approvals
    chosen = statement.join(Campaign).with_only_columns(*columns, Campaign.approvals_needed)
    return [StripRow(*row) for row in session.execute(chosen)]
