"""Read what people decided and said about a picture."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    ColumnElement,
    func,
    literal,
    or_,
    select,
    tuple_,
)
from sqlalchemy.orm import Session, joinedload, selectinload

from app.accounts.queries import signed_in
from app.errors import NotFound
from app.languages import gettext as _
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

CAMPAIGNS_PAGE = 50  # listed at a time


@dataclass(frozen=True)
class Rule:
    """A campaign's requirements for approval."""

    needed: int  # people who must approve it
    four_eyes: bool  # none of them its maker
    checklists: list[int]  # ids of those to answer before


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
    outcome: Verdict | None  # of the picture, which other people's decisions may outweigh
    approvals: int  # of the picture
    needed: int
    by: str  # the other person whose decision is the outcome; "": the outcome is as decided


def campaigns(session: Session, user: User, after: int | None = None, limit: int = CAMPAIGNS_PAGE) -> list[Campaign]:
    """Campaigns by name; `after` is the id of the last one shown."""
    order = Campaign.name, Campaign.id
    statement = select(Campaign).where(Campaign.deleted_at.is_(None), signed_in(user)).order_by(*order).limit(limit)
    if last := session.get(Campaign, after) if after is not None else None:
        statement = statement.where(tuple_(*order) > tuple_(literal(last.name), last.id))
    return list(session.scalars(statement))


def with_opened(session: Session, user: User, campaigns: Sequence[Campaign], opened: int | None) -> Sequence[Campaign]:
    """The campaigns, after the one with the id `opened` if that is in another part of the list."""
    if opened is None or opened in [campaign.id for campaign in campaigns]:
        return campaigns
    found = session.scalars(
        select(Campaign).where(Campaign.id == opened, Campaign.deleted_at.is_(None), signed_in(user))
    )
    return [*found, *campaigns]


# Decisions


def decision(session: Session, user: User, decision_id: int) -> Decision:
    """The decision. Raises NotFound."""
    found = session.scalar(
        select(Decision).where(Decision.id == decision_id, signed_in(user)).options(joinedload(Decision.user))
    )
    if not found:
        raise NotFound(_("There is no such decision."))
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


def rule_of(campaign: Campaign) -> Rule:
    """The requirements of a campaign that is loaded."""
    return Rule(campaign.approvals_needed, campaign.four_eyes, campaign.checklists)


def rules(session: Session, campaign_ids: Collection[int]) -> dict[int, Rule]:
    """The requirements of campaigns, by id."""
    columns = Campaign.id, Campaign.approvals_needed, Campaign.four_eyes, Campaign.checklists
    rows = session.execute(select(*columns).where(Campaign.id.in_(campaign_ids)))
    return {row[0]: Rule(row[1], row[2], row[3]) for row in rows}


def approved_by_makers(session: Session, *which: ColumnElement[bool]) -> list[Image]:
    """The pictures of `which` that one of their makers approved."""
    by_maker = or_(Decision.user_id == Image.owner_id, Decision.user_id == Image.made_by_id)
    own = select(Decision.image_id).join(Image, Image.id == Decision.image_id)
    found = own.where(Decision.verdict == Verdict.APPROVED, by_maker, *which)
    return list(session.scalars(select(Image).where(Image.id.in_(found))))


def approved_elsewhere(session: Session, *which: ColumnElement[bool]) -> list[Image]:
    """The pictures of `which` with approvals from another campaign than theirs."""
    found = select(Decision.image_id).join(Image, Image.id == Decision.image_id)
    foreign = Decision.verdict == Verdict.APPROVED, Decision.campaign_id != Image.campaign_id
    return list(session.scalars(select(Image).where(Image.id.in_(found.where(*foreign, *which)))))


def undoable(session: Session, user: User, decision_id: int | None) -> DecisionUndo | None:
    """`user`'s own decision with that id, if it is current and they can undo it."""
    if decision_id is None or not user.can(Role.REVIEWER):
        return None
    mine = Decision.id == decision_id, Decision.user_id == user.id, UNLOCKED, signed_in(user)
    joined = select(Decision, Image).join(Image, Image.id == Decision.image_id).options(joinedload(Image.campaign))
    found = session.execute(joined.where(*mine)).first()
    if not found:
        return None
    decision, image = found
    stands = standing(session, user, image.id)
    if decision.id not in {each.id for each in stands}:
        return None
    others = [each for each in stands if each.verdict == image.decision and each.user_id != user.id]
    by = others[-1].user.name if others and image.decision != decision.verdict else ""
    return DecisionUndo(decision.id, image.prompt, image.decision, image.approvals, image.campaign.approvals_needed, by)


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
    """All threads on a picture and its other versions, including deleted ones, oldest first, with authors.

    Without those of which every comment was deleted.
    """
    said = select(Comment.id).where(Comment.thread_id == Thread.id, Comment.deleted_at.is_(None)).exists()
    rows = session.execute(
        select(Thread, Image.id, Image.version, Image.deleted_at.is_not(None))
        .join(Image, Image.id == Thread.image_id)
        .where(*_at_place(image), said, signed_in(user))
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
        raise NotFound(_("There is no such conversation."))
    return found


def comment(session: Session, user: User, comment_id: int) -> Comment:
    """The comment, with its writer. Raises NotFound."""
    wanted = select(Comment).where(Comment.id == comment_id, signed_in(user)).options(joinedload(Comment.user))
    found = session.scalar(wanted)
    if not found:
        raise NotFound(_("There is no such comment."))
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
