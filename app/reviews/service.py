"""Decide on pictures and discuss them. Nothing that was said is ever changed: a new decision follows."""

from collections.abc import Collection, Sequence

from sqlalchemy import ColumnElement, insert, select, update
from sqlalchemy.orm import Session

from app import days
from app.accounts import authority
from app.accounts.service import may_change, need_active
from app.audit.service import record, record_all
from app.errors import Conflict, Forbidden, Invalid
from app.models import (
    Act,
    Campaign,
    Comment,
    Decision,
    Image,
    ImageSet,
    Mention,
    Role,
    State,
    Thread,
    User,
    Verdict,
    now,
)
from app.reviews import four_eyes, queries, scoping
from app.reviews.four_eyes import OwnPicture
from app.reviews.mentions import mentioned
from app.reviews.standing import approvals, outcome
from app.sets import queries as sets
from app.text import clean_text

COMMENT_LENGTH = 2000  # characters
MOST_APPROVALS = 5  # maximum for a campaign
VERDICTS = (Verdict.APPROVED, Verdict.CHANGES_REQUESTED, Verdict.REJECTED)

# "Ito Kenji ... this picture"
DID = {
    Verdict.APPROVED: "approved",
    Verdict.CHANGES_REQUESTED: "asked for changes to",
    Verdict.REJECTED: "rejected",
    Verdict.WITHDRAWN: "withdrew a decision on",
}


# Decisions


def decide(session: Session, user: User, image_id: int, verdict: str, seen: int | None, reason: str = "") -> Decision:
    """Decide on a shown picture. Reviewers and above. Replaces the person's earlier decision.

    `seen` is the id of the latest decision that `user` was shown, None for none: a decision in between raises Conflict,
    which says what happened, instead of being lost. A rejection needs one of the team's reasons, if there are any.
    Approving one's own picture raises OwnPicture where the campaign forbids it.
    """
    _need_reviewer(user)
    image = sets.image(session, user, image_id)
    if words := closed_words(image):
        raise Conflict(words)
    chosen = _verdict(verdict)
    present = queries.latest(session, image_id)
    if present and present.id != seen:
        who = "You" if present.user_id == user.id else present.user.name
        raise Conflict(f"{who} just {DID[Verdict(present.verdict)]} this picture. Check it before you decide.")
    if chosen is Verdict.APPROVED and (words := four_eyes.refusal(session, user, image)):
        raise OwnPicture(words)
    reason = _reason(session, reason, chosen)
    decision = Decision(image_id=image.id, user_id=user.id, verdict=chosen, reason=reason)
    session.add(decision)
    _decided(session, user, [image], chosen, reason)
    return decision


def decide_many(
    session: Session, user: User, images: Sequence[Image], verdict: str, seen: int | None, reason: str = ""
) -> dict[int, Decision]:
    """Decide the same on shown pictures of unlocked sets; as `decide`, for all of them at once.

    `seen` is the id of the newest decision on any picture when `user` was shown these, None for none. Pictures that
    someone else decided on after it stay as they are; returns those decisions, by picture id. Raises OwnPicture for an
    approval of their own picture where its campaign forbids it.
    """
    _need_reviewer(user)
    chosen = _verdict(verdict)
    reason = _reason(session, reason, chosen)
    barred = (image for image in images if chosen is Verdict.APPROVED and four_eyes.bars(user, image))
    if first := next(barred, None):
        raise OwnPicture(four_eyes.refusal(session, user, first))
    by_others = queries.by_others(session, user, [image.id for image in images], seen or 0)
    open_ = [image for image in images if image.id not in by_others]
    if open_:
        shared = {"user_id": user.id, "verdict": chosen, "reason": reason}
        session.execute(insert(Decision), [{"image_id": image.id, **shared} for image in open_])
        _decided(session, user, open_, chosen, reason)
    return by_others


def _decided(session: Session, user: User, images: Sequence[Image], verdict: Verdict, reason: str) -> None:
    """Settle and record decisions that were just added."""
    settle(session, images)
    said = {"reason": reason} if reason else {}
    record_all(session, user, Act.DECIDE, images, verdict=verdict, **said)


def withdraw(session: Session, user: User, decision_id: int) -> Decision:
    """Withdraw a decision: one's own, for current reviewers; anyone's for managers.

    Raises Conflict if it is no longer current.
    """
    decision = queries.decision(session, user, decision_id)
    image = sets.image(session, user, decision.image_id)
    if decision.user_id == user.id:
        _need_reviewer(user)
    elif not user.can(Role.MANAGER):
        raise Forbidden(f"Only {decision.user.name} or a manager can withdraw this decision.")
    _need_open(image.image_set)
    if decision.id not in {each.id for each in queries.standing(session, user, image.id)}:
        raise Conflict("This decision was just withdrawn or replaced. Reload the page.")
    taken_back = Decision(image_id=image.id, user_id=user.id, verdict=Verdict.WITHDRAWN, withdraws_id=decision.id)
    session.add(taken_back)
    settle(session, [image])
    whose = {} if decision.user_id == user.id else {"of": decision.user.name}
    record(session, user, Act.DECIDE, image, verdict=Verdict.WITHDRAWN, **whose)
    return taken_back


def settle(session: Session, images: Sequence[Image]) -> None:
    """Update the outcome of images from their decisions and their campaigns' requirements."""
    session.flush()
    histories = queries.histories(session, [image.id for image in images])
    rules = queries.rules(session, {image.campaign_id for image in images})
    for image in images:
        decisions, rule = histories[image.id], rules[image.campaign_id]
        uncounted = four_eyes.uncounted(image, rule.four_eyes)
        image.decision = outcome(decisions, rule.needed, uncounted)
        image.approvals = approvals(decisions, uncounted)


def set_approvals(session: Session, user: User, campaign_id: int, needed: int | None) -> Campaign:
    """Set how many people must approve a picture of a campaign. Managers and above.

    Undecided and approved pictures get their outcome by the new number immediately, except in locked sets.
    """
    _need_manager(user, "say how many approvals a campaign needs")
    campaign = sets.campaign(session, user, campaign_id)
    if needed is None or not 1 <= needed <= MOST_APPROVALS:
        raise Invalid("approvals", f"A campaign needs a whole number of approvals from 1 to {MOST_APPROVALS}.")
    if needed != campaign.approvals_needed:
        record(session, user, Act.CAMPAIGN_CHANGE, campaign, approvals=f"{campaign.approvals_needed} → {needed}")
        campaign.approvals_needed = needed
        session.flush()
        locked = select(ImageSet.id).where(ImageSet.locked_at.is_not(None))
        _settle_approvals(session, Image.campaign_id == campaign.id, Image.set_id.not_in(locked))
    return campaign


def set_four_eyes(session: Session, user: User, campaign_id: int, on: bool) -> Campaign:
    """Set whether nobody approves their own pictures of a campaign. Managers and above.

    Earlier approvals by makers stay, and count or stop counting immediately, except in locked sets.
    """
    _need_manager(user, "say who may approve their own pictures")
    campaign = sets.campaign(session, user, campaign_id)
    if on != campaign.four_eyes:
        campaign.four_eyes = on
        told = "not allowed" if on else "allowed"
        record(session, user, Act.CAMPAIGN_CHANGE, campaign, approving_own_pictures=told)
        session.flush()
        settle(session, queries.approved_by_makers(session, Image.campaign_id == campaign.id, scoping.UNLOCKED))
    return campaign


def _settle_approvals(session: Session, *which: ColumnElement[bool]) -> None:
    """What `settle` does, for many images with unchanged decisions, in two statements."""
    needed = select(Campaign.approvals_needed).where(Campaign.id == Image.campaign_id).scalar_subquery()
    enough = update(Image).where(Image.decision.is_(None), Image.approvals >= needed, *which)
    too_few = update(Image).where(Image.decision == Verdict.APPROVED, Image.approvals < needed, *which)
    session.execute(enough.values(decision=Verdict.APPROVED).execution_options(synchronize_session="fetch"))
    session.execute(too_few.values(decision=None).execution_options(synchronize_session="fetch"))


# Locks


def lock(session: Session, user: User, set_id: int) -> ImageSet:
    """Freeze the decisions on a set. For its owner and managers."""
    image_set = sets.get(session, user, set_id)
    if not may_change(user, image_set):
        raise Forbidden(f"Only {image_set.owner.name} or a manager can lock the decisions of this set.")
    _need_open(image_set)
    if not sets.progress(session, user, set_id).done:
        raise Conflict("Pictures of this set are still generating. Lock its decisions when they are done.")
    image_set.locked_at, image_set.locked_by_id, image_set.locked_as = now(), user.id, user.role
    record(session, user, Act.SET_LOCK, image_set)
    return image_set


def unlock(session: Session, user: User, set_id: int) -> ImageSet:
    """Unfreeze the decisions on a set. Managers and above. Raises Conflict if it is not locked."""
    _need_manager(user, "unlock the decisions of a set")
    image_set = sets.get(session, user, set_id)
    if image_set.locked_at is None:
        raise Conflict("The decisions of this set are not locked.")
    who = image_set.locked_by.name if image_set.locked_by else ""
    authority.need_power(user, image_set.locked_as, "locked the decisions of this set", "unlock them", who)
    image_set.locked_at = image_set.locked_by_id = image_set.locked_as = None
    session.flush()
    # The campaign's requirements may have changed.
    settle(session, queries.approved_by_makers(session, Image.set_id == set_id))
    session.flush()
    _settle_approvals(session, Image.set_id == set_id)
    record(session, user, Act.SET_UNLOCK, image_set)
    return image_set


def locked_words(image_set: ImageSet) -> str:
    """Who locked a set, and who can unlock it; "" if it is not locked."""
    if image_set.locked_at is None:
        return ""
    who = image_set.locked_by.name if image_set.locked_by else "Someone"
    on = days.written(days.local(image_set.locked_at))
    whom = authority.ONE[authority.power(image_set.locked_as) or Role.MANAGER].capitalize()
    return f"{who} locked the decisions of this set on {on}. {whom} can unlock them."


def may_unlock(user: User, image_set: ImageSet) -> bool:
    """Whether `user` can unlock a locked set."""
    return user.can(Role.MANAGER) and authority.may_undo(user, image_set.locked_as)


def closed_words(image: Image) -> str:
    """Why nobody can decide on a picture now; "" if reviewers can."""
    if image.deleted_at:
        return "This picture is in the bin. Restore it first."
    if image.state != State.FINISHED:
        return "This picture is not finished yet. Decide when it is."
    if image.superseded:
        return "A newer version replaced this picture. Decide on that one."
    return locked_words(image.image_set)


# Conversations


def comment(
    session: Session, user: User, image_id: int, body: str, x: float | None = None, y: float | None = None
) -> Comment:
    """Start a conversation on a picture. For everyone who is signed in.

    `x` and `y` are a point, as fractions of the picture's width and height, 0 to 1, from its top left corner; both
    None for the whole picture.
    """
    image = sets.image(session, user, image_id)
    if image.state != State.FINISHED:
        raise Conflict("This picture is not finished yet. Comment when it is.")
    point = [part for part in (x, y) if part is not None]
    if len(point) == 1 or not all(0 <= part <= 1 for part in point):
        raise Invalid("point", "The pin is outside the picture. Place it again.")
    return _say(session, user, Thread(image_id=image.id, x=x, y=y), body)


def reply(session: Session, user: User, thread_id: int, body: str) -> Comment:
    """Reply to a conversation. Reopens a resolved one."""
    thread = queries.thread(session, user, thread_id)
    said = _say(session, user, thread, body)
    if thread.resolved_at:
        reopen(session, user, thread_id)
    return said


def resolve(session: Session, user: User, thread_id: int) -> Thread:
    """Mark a conversation as resolved. For everyone who is signed in."""
    thread = queries.thread(session, user, thread_id)
    if thread.resolved_at:
        raise Conflict("This conversation is already resolved.")
    thread.resolved_at, thread.resolved_by_id = now(), user.id
    record(session, user, Act.THREAD_RESOLVE, session.get_one(Image, thread.image_id))
    return thread


def reopen(session: Session, user: User, thread_id: int) -> Thread:
    """The opposite of `resolve`."""
    thread = queries.thread(session, user, thread_id)
    if not thread.resolved_at:
        raise Conflict("This conversation is already open.")
    thread.resolved_at = thread.resolved_by_id = None
    record(session, user, Act.THREAD_REOPEN, session.get_one(Image, thread.image_id))
    return thread


def see_mentions(session: Session, user: User, image: Image, comment_ids: Collection[int]) -> None:
    """Note that `user` has seen these comments on a picture and its other versions, which mention them."""
    seen = {*comment_ids} & {*queries.unseen_mentions(session, user, image)}
    mine = Mention.user_id == user.id, Mention.comment_id.in_(seen)
    session.execute(update(Mention).where(*mine).values(seen_at=now()))


def _say(session: Session, user: User, thread: Thread, body: str) -> Comment:
    need_active(user)
    body = clean_text(body)
    if not body:
        raise Invalid("body", "Write a comment first.")
    if len(body) > COMMENT_LENGTH:
        raise Invalid("body", f"The comment has {len(body)} characters; at most {COMMENT_LENGTH} fit.")
    said = Comment(image_id=thread.image_id, user_id=user.id, body=body, thread=thread)
    session.add(said)
    session.flush()
    named = [person for person in mentioned(body, queries.people(session, user)) if person.id != user.id]
    session.add_all(Mention(comment_id=said.id, user_id=person.id) for person in named)
    names = {"mentioned": [person.name for person in named]} if named else {}
    record(session, user, Act.COMMENT, session.get_one(Image, thread.image_id), **names)
    return said


# Checks


def _need_manager(user: User, what: str) -> None:
    if not user.can(Role.MANAGER):
        raise Forbidden(f"Only managers {what}. Ask one of them.")


def _need_reviewer(user: User) -> None:
    if not user.can(Role.REVIEWER):
        raise Forbidden("Only reviewers decide on pictures. You can write a comment instead.")


def _need_open(image_set: ImageSet) -> None:
    if words := locked_words(image_set):
        raise Conflict(words)


def _verdict(verdict: str) -> Verdict:
    if verdict in VERDICTS:
        return Verdict(verdict)
    raise Invalid("verdict", f"The verdict must be one of {', '.join(VERDICTS)}; {verdict[:40]!r} was given.")


def _reason(session: Session, reason: str, verdict: Verdict) -> str:
    """The stored form of the reason. Raises Invalid if a rejection has none from the team's list."""
    known = [each.words for each in queries.reasons(session)]
    if verdict is not Verdict.REJECTED or not known:
        return ""
    if reason not in known:
        raise Invalid("reason", "Choose a reason for the rejection.")
    return reason
