"""Read what people decided and said about a picture."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import (
    ColumnElement,
    func,
    or_,
    select,
)
from sqlalchemy.orm import Session, joinedload, selectinload

from app.accounts.queries import signed_in
from app.errors import NotFound
from app.models import (
    Campaign,
    Comment,
    Decision,
    Image,
    Mention,
    RejectReason,
    Role,
    Thread,
    User,
    Verdict,
)
from app.reviews import standing as told
from app.reviews.scoping import UNLOCKED


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


def campaigns(session: Session, user: User) -> list[Campaign]:
    """All campaigns, by name."""
    return list(session.scalars(select(Campaign).where(signed_in(user)).order_by(Campaign.name)))


# Decisions


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
    """Who can be mentioned: everyone with an active account, by name."""
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
