"""Decide on pictures and discuss them. Nothing that was said is ever changed: a new decision follows."""

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import ColumnElement, insert, select, update
from sqlalchemy.orm import Session

from app import days, undo
from app.accounts import authority
from app.accounts.service import may_change, need_active
from app.audit.service import record, record_all
from app.customs import sheets
from app.customs.sheets import Sheet, Unanswered
from app.errors import Conflict, Forbidden, Invalid
from app.languages import N_, formats, translated
from app.languages import gettext as _
from app.models import (
    Act,
    Campaign,
    ChecklistSheet,
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
from app.reviews import counting, four_eyes, queries, scoping
from app.reviews.four_eyes import OwnPicture
from app.reviews.mentions import mentioned
from app.reviews.standing import approvals, outcome
from app.sets import queries as sets
from app.sets import safety
from app.text import clean_line, clean_text, shorten

COMMENT_LENGTH = 2000  # characters
MOST_APPROVALS = 5  # maximum for a campaign
VERDICTS = (Verdict.APPROVED, Verdict.CHANGES_REQUESTED, Verdict.REJECTED)
SET_IN_BIN = N_("This set is in the bin. Restore it first.")

# What the person, or somebody else, decided before a decision could be saved.
YOU_JUST = {
    Verdict.APPROVED: N_("You just approved this picture. Check it before you decide."),
    Verdict.CHANGES_REQUESTED: N_("You just asked for changes to this picture. Check it before you decide."),
    Verdict.REJECTED: N_("You just rejected this picture. Check it before you decide."),
    Verdict.WITHDRAWN: N_("You just withdrew a decision on this picture. Check it before you decide."),
}
SOMEONE_JUST = {
    Verdict.APPROVED: N_("%(name)s just approved this picture. Check it before you decide."),
    Verdict.CHANGES_REQUESTED: N_("%(name)s just asked for changes to this picture. Check it before you decide."),
    Verdict.REJECTED: N_("%(name)s just rejected this picture. Check it before you decide."),
    Verdict.WITHDRAWN: N_("%(name)s just withdrew a decision on this picture. Check it before you decide."),
}


# Decisions


def decide(session: Session, user: User, image_id: int, verdict: str, seen: int | None, reason: str = "") -> Decision:
    """Decide on a shown picture. Reviewers and above. Replaces the person's earlier decision.

    `seen` is the id of the latest decision that `user` was shown, None for none: a decision in between raises Conflict,
    which says what happened, instead of being lost. A rejection needs one of the team's reasons, if there are any.
    Approving one's own picture raises OwnPicture where the campaign forbids it, and Unanswered where it requires
    checklists that `user` has not answered, or not all as fine. Requested changes take such answers as their `reason`.
    """
    _need_reviewer(user)
    image = sets.image(session, user, image_id)
    if words := closed_words(image):
        raise Conflict(words)
    chosen = _verdict(verdict)
    present = queries.latest(session, image_id)
    if present and present.id != seen:
        just = YOU_JUST if present.user_id == user.id else SOMEONE_JUST
        raise Conflict(translated(just[Verdict(present.verdict)]) % {"name": present.user.name})
    if chosen is Verdict.APPROVED and (words := four_eyes.refusal(session, user, image)):
        raise OwnPicture(words)
    if chosen is Verdict.APPROVED and safety.flagged(session, [image.id]):
        raise Conflict(safety.refusal())
    answered = sheets.of(session, user, [image])
    if chosen is Verdict.APPROVED and image.id in answered and (words := answered[image.id].refusal):
        raise Unanswered(words)
    reason = _reason(session, reason, chosen, answered.get(image.id))
    kept = sheets.keep(session, answered).get(image.id)
    decision = Decision(
        image_id=image.id,
        user_id=user.id,
        verdict=chosen,
        reason=reason,
        sheet_id=kept.id if kept else None,
        campaign_id=image.campaign_id,
    )
    session.add(decision)
    said = {"reason": reason} if reason else {}
    settle(session, [image])
    more = sheets.details(answered[image.id], kept) if kept else {}
    record(session, user, Act.DECIDE, image, verdict=chosen, **said, **more)
    undo.offer(session, user, "decisions", decisions=[decision.id])
    return decision


def decide_many(
    session: Session,
    user: User,
    images: Sequence[Image],
    verdict: str,
    seen: int | None,
    reason: str = "",
    answered: Mapping[int, Sheet] | None = None,
) -> dict[int, Decision]:
    """Decide the same on shown pictures of unlocked sets; as `decide`, for all of them at once.

    `seen` is the id of the newest decision on any picture when `user` was shown these, None for none. Pictures that
    someone else decided on after it stay as they are; returns those decisions, by picture id. Raises OwnPicture for an
    approval of their own picture where its campaign forbids it, and Unanswered as `decide`. `answered` are the sheets
    of those that need one, if they are not what `user` saved.
    """
    _need_reviewer(user)
    chosen = _verdict(verdict)
    reason = _reason(session, reason, chosen)
    answered = sheets.of(session, user, images) if answered is None else answered
    if chosen is Verdict.APPROVED:
        refusals = (answered[image.id].refusal for image in images if image.id in answered)
        if words := next(filter(None, refusals), ""):
            raise Unanswered(words)
    barred = (image for image in images if chosen is Verdict.APPROVED and four_eyes.bars(user, image))
    if first := next(barred, None):
        raise OwnPicture(four_eyes.refusal(session, user, first))
    if chosen is Verdict.APPROVED and safety.flagged(session, [image.id for image in images]):
        raise Conflict(safety.refusal())
    by_others = queries.by_others(session, user, [image.id for image in images], seen or 0)
    open_ = [image for image in images if image.id not in by_others]
    if open_:
        kept = sheets.keep(session, {image.id: answered[image.id] for image in open_ if image.id in answered})
        rows = [
            {
                "image_id": image.id,
                "user_id": user.id,
                "verdict": chosen,
                "reason": reason or _said(chosen, answered.get(image.id)),
                "sheet_id": kept[image.id].id if image.id in kept else None,
                "campaign_id": image.campaign_id,
            }
            for image in open_
        ]
        ids = session.scalars(insert(Decision).returning(Decision.id), rows).all()
        settle(session, open_)
        _record(session, user, open_, chosen, reason, answered, kept)
        undo.offer(session, user, "decisions", decisions=sorted(ids))
    return by_others


def _record(
    session: Session,
    user: User,
    images: Sequence[Image],
    verdict: Verdict,
    reason: str,
    answered: Mapping[int, Sheet],
    kept: Mapping[int, ChecklistSheet],
) -> None:
    """Record decisions on pictures, together for those with the same answers."""
    alike: dict[int | None, list[Image]] = {}
    for image in images:
        alike.setdefault(kept[image.id].id if image.id in kept else None, []).append(image)
    for some in alike.values():
        first = some[0].id
        told = reason or _said(verdict, answered.get(first))
        said = {"reason": told} if told else {}
        more = sheets.details(answered[first], kept[first]) if first in kept else {}
        record_all(session, user, Act.DECIDE, some, verdict=verdict, **said, **more)


def withdraw(session: Session, user: User, decision_id: int) -> Decision:
    """Withdraw a decision: one's own, for current reviewers; anyone's for managers.

    Raises Conflict if it is no longer current, and OwnPicture for another's decision on one's own picture where the
    campaign asks for four eyes.
    """
    decision = queries.decision(session, user, decision_id)
    image = sets.image(session, user, decision.image_id)
    if decision.user_id == user.id:
        _need_reviewer(user)
    elif not user.can(Role.MANAGER):
        raise Forbidden(_("Only %(name)s or a manager can withdraw this decision.", name=decision.user.name))
    elif words := four_eyes.withdrawal_refusal(user, image, decision):
        raise OwnPicture(words)
    _need_open(image.image_set)
    if decision.id not in {each.id for each in queries.standing(session, user, image.id)}:
        raise Conflict(_("This decision was just withdrawn or replaced. Reload the page."))
    taken_back = Decision(image_id=image.id, user_id=user.id, verdict=Verdict.WITHDRAWN, withdraws_id=decision.id)
    session.add(taken_back)
    settle(session, [image])
    whose = {} if decision.user_id == user.id else {"of": decision.user.name}
    record(session, user, Act.DECIDE, image, verdict=Verdict.WITHDRAWN, **whose)
    undo.offer(session, user, "decisions", decisions=[taken_back.id])
    return taken_back


def settle(session: Session, images: Sequence[Image]) -> None:
    """Update the outcome of images from their decisions and their campaigns' requirements."""
    session.flush()
    histories = queries.histories(session, [image.id for image in images])
    rules = queries.rules(session, {image.campaign_id for image in images})
    uncounted = counting.uncounted(session, images, histories, rules)
    for image in images:
        decisions, rule = histories[image.id], rules[image.campaign_id]
        image.decision = outcome(decisions, rule.needed, uncounted[image.id])
        image.approvals = approvals(decisions, uncounted[image.id])


def set_approvals(session: Session, user: User, campaign_id: int, needed: int | None) -> Campaign:
    """Set how many people must approve a picture of a campaign. Managers and above.

    Undecided and approved pictures get their outcome by the new number immediately, except in locked sets.
    """
    _need_manager(user, _("Only managers say how many approvals a campaign needs. Ask one of them."))
    campaign = sets.campaign(session, user, campaign_id)
    if needed is None or not 1 <= needed <= MOST_APPROVALS:
        raise Invalid(
            "approvals",
            _("A campaign needs a whole number of approvals from 1 to %(number)s.", number=MOST_APPROVALS),
        )
    if needed != campaign.approvals_needed:
        before = campaign.approvals_needed
        record(session, user, Act.CAMPAIGN_CHANGE, campaign, approvals=f"{before} → {needed}")
        campaign.approvals_needed = needed
        undo.offer(session, user, "approvals", campaign=campaign.id, before=before, after=needed)
        session.flush()
        locked = select(ImageSet.id).where(ImageSet.locked_at.is_not(None))
        _settle_approvals(session, Image.campaign_id == campaign.id, Image.set_id.not_in(locked))
    return campaign


def set_four_eyes(session: Session, user: User, campaign_id: int, on: bool) -> Campaign:
    """Set whether nobody approves their own pictures of a campaign. Managers and above.

    Earlier approvals by makers stay, and count or stop counting immediately, except in locked sets.
    """
    _need_manager(user, _("Only managers say who may approve their own pictures. Ask one of them."))
    campaign = sets.campaign(session, user, campaign_id)
    if on != campaign.four_eyes:
        campaign.four_eyes = on
        undo.offer(session, user, "four eyes", campaign=campaign.id, before=not on)
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
        raise Forbidden(_("Only %(name)s or a manager can lock the decisions of this set.", name=image_set.owner.name))
    if image_set.deleted_at:
        raise Conflict(translated(SET_IN_BIN))
    _need_open(image_set)
    if not sets.progress(session, user, set_id).done:
        raise Conflict(_("Pictures of this set are still generating. Lock its decisions when they are done."))
    image_set.locked_at, image_set.locked_by_id, image_set.locked_as = now(), user.id, user.role
    record(session, user, Act.SET_LOCK, image_set)
    undo.offer(session, user, "lock", set_id=set_id, at=image_set.locked_at.isoformat())
    return image_set


def unlock(session: Session, user: User, set_id: int) -> ImageSet:
    """Unfreeze the decisions on a set. Managers and above. Raises Conflict if it is not locked."""
    _need_manager(user, _("Only managers unlock the decisions of a set. Ask one of them."))
    image_set = sets.get(session, user, set_id)
    if image_set.locked_at is None:
        raise Conflict(_("The decisions of this set are not locked."))
    if not authority.may_undo(user, image_set.locked_as):
        raise Forbidden(_locked_by_administrator(image_set))
    before = {"at": image_set.locked_at.isoformat(), "by": image_set.locked_by_id, "role": image_set.locked_as}
    free(session, user, image_set)
    undo.offer(session, user, "unlock", set_id=set_id, **before)
    return image_set


def free(session: Session, user: User, image_set: ImageSet) -> None:
    """Unlock a set on behalf of `user`, who may."""
    image_set.locked_at = image_set.locked_by_id = image_set.locked_as = None
    session.flush()
    # The campaign's requirements may have changed.
    made_by_them = queries.approved_by_makers(session, Image.set_id == image_set.id)
    elsewhere = queries.approved_elsewhere(session, Image.set_id == image_set.id)
    settle(session, [*{image.id: image for image in (*made_by_them, *elsewhere)}.values()])
    session.flush()
    _settle_approvals(session, Image.set_id == image_set.id)
    record(session, user, Act.SET_UNLOCK, image_set)


def locked_words(image_set: ImageSet) -> str:
    """Who locked a set, and who can unlock it; "" if it is not locked."""
    if image_set.locked_at is None:
        return ""
    on = days.written(days.local(image_set.locked_at))
    if image_set.locked_by:
        done = _("%(name)s locked the decisions of this set on %(day)s.", name=image_set.locked_by.name, day=on)
    else:
        done = _("Someone locked the decisions of this set on %(day)s.", day=on)
    admin = authority.power(image_set.locked_as) is Role.ADMIN
    return formats.sentences(
        (done, _("An administrator can unlock them.") if admin else _("A manager can unlock them."))
    )


def _locked_by_administrator(image_set: ImageSet) -> str:
    if image_set.locked_by:
        return _(
            "%(name)s locked the decisions of this set as an administrator; only administrators can unlock them. Ask "
            "one of them.",
            name=image_set.locked_by.name,
        )
    return _("An administrator locked the decisions of this set; only administrators can unlock them. Ask one of them.")


def may_unlock(user: User, image_set: ImageSet) -> bool:
    """Whether `user` can unlock a locked set."""
    return user.can(Role.MANAGER) and authority.may_undo(user, image_set.locked_as)


def closed_words(image: Image) -> str:
    """Why nobody can decide on a picture now; "" if reviewers can."""
    if image.deleted_at:
        return _("This picture is in the bin. Restore it first.")
    if image.state != State.FINISHED:
        return _("This picture is not finished yet. Decide when it is.")
    if image.superseded:
        return _("A newer version replaced this picture. Decide on that one.")
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
        raise Conflict(_("This picture is not finished yet. Comment when it is."))
    point = [part for part in (x, y) if part is not None]
    if len(point) == 1 or not all(0 <= part <= 1 for part in point):
        raise Invalid("point", _("The pin is outside the picture. Place it again."))
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
        raise Conflict(_("This conversation is already resolved."))
    thread.resolved_at, thread.resolved_by_id = now(), user.id
    record(session, user, Act.THREAD_RESOLVE, session.get_one(Image, thread.image_id))
    return thread


def reopen(session: Session, user: User, thread_id: int) -> Thread:
    """The opposite of `resolve`."""
    thread = queries.thread(session, user, thread_id)
    if not thread.resolved_at:
        raise Conflict(_("This conversation is already open."))
    thread.resolved_at = thread.resolved_by_id = None
    record(session, user, Act.THREAD_REOPEN, session.get_one(Image, thread.image_id))
    return thread


def comment_text(text: str) -> str:
    """The stored form of a comment. Raises Invalid if it is empty or too long."""
    body = clean_text(text)
    if not body:
        raise Invalid("body", _("Write a comment first."))
    if len(body) > COMMENT_LENGTH:
        raise Invalid(
            "body",
            _("The comment has %(number)s characters; at most %(most)s fit.", number=len(body), most=COMMENT_LENGTH),
        )
    return body


def see_mentions(session: Session, user: User, image: Image, comment_ids: Collection[int]) -> None:
    """Note that `user` has seen these comments on a picture and its other versions, which mention them."""
    seen = {*comment_ids} & {*queries.unseen_mentions(session, user, image)}
    mine = Mention.user_id == user.id, Mention.comment_id.in_(seen)
    session.execute(update(Mention).where(*mine).values(seen_at=now()))


def _say(session: Session, user: User, thread: Thread, body: str) -> Comment:
    need_active(user)
    image = session.get_one(Image, thread.image_id)
    if image.image_set.deleted_at:  # nobody would see it
        raise Conflict(translated(SET_IN_BIN))
    body = comment_text(body)
    said = Comment(image_id=thread.image_id, user_id=user.id, body=body, thread=thread)
    session.add(said)
    session.flush()
    named = [person for person in mentioned(body, queries.people(session, user)) if person.id != user.id]
    session.add_all(Mention(comment_id=said.id, user_id=person.id) for person in named)
    names = {"mentioned": [person.name for person in named]} if named else {}
    record(session, user, Act.COMMENT, image, **names)
    return said


# Checks


def _need_manager(user: User, sentence: str) -> None:
    if not user.can(Role.MANAGER):
        raise Forbidden(sentence)


def _need_reviewer(user: User) -> None:
    if not user.can(Role.REVIEWER):
        raise Forbidden(_("Only reviewers decide on pictures. You can write a comment instead."))


def _need_open(image_set: ImageSet) -> None:
    if words := locked_words(image_set):
        raise Conflict(words)


def _verdict(verdict: str) -> Verdict:
    if verdict in VERDICTS:
        return Verdict(verdict)
    raise Invalid(
        "verdict",
        _(
            "The verdict must be one of %(verdicts)s; %(given)s was given.",
            verdicts=", ".join(VERDICTS),
            given=repr(verdict[:40]),
        ),
    )


def _said(verdict: Verdict, sheet: Sheet | None) -> str:
    """The reason for requested changes: what of the checklists is not fine; "" for nothing."""
    return sheet.reason if sheet and verdict is Verdict.CHANGES_REQUESTED else ""


def _reason(session: Session, reason: str, verdict: Verdict, sheet: Sheet | None = None) -> str:
    """The stored form of the reason. Raises Invalid if a rejection has none from the team's list.

    For requested changes it is what was typed in place of the prefilled one, if something is not fine.
    """
    if said := _said(verdict, sheet):
        return shorten(clean_line(reason), sheets.REASON_LENGTH) or said
    known = [each.words for each in queries.reasons(session)]
    if verdict is not Verdict.REJECTED or not known:
        return ""
    if reason not in known:
        raise Invalid("reason", _("Choose a reason for the rejection."))
    return reason
