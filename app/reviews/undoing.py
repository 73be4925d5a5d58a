"""Undo decisions, and the rules and locks of a review."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from app.accounts.service import may_change
from app.audit.service import record, record_all
from app.campaign_names import folder
from app.errors import Conflict, Forbidden
from app.languages import N_, translated
from app.languages import gettext as _
from app.models import Act, Decision, Image, Role, User, Verdict
from app.reviews import queries, service
from app.reviews.standing import counted, standing
from app.sets import queries as sets
from app.undo import Undone, changed_since

LOCKED = N_("their set is locked")
AGAIN = N_("they were decided on again, or the decision was withdrawn")


def decisions(session: Session, user: User, decisions: Collection[int]) -> Undone:
    """Undo one's own decisions or withdrawals, as if they had never been made: earlier ones count again.

    Reviewers and above. Those that were replaced since, and those of locked sets, stay.
    """
    _need_reviewer(user)
    mine = Decision.id.in_(decisions), Decision.user_id == user.id
    rows = {row.image_id: row for row in session.scalars(select(Decision).where(*mine))}
    images = session.scalars(select(Image).where(Image.id.in_(rows)).options(joinedload(Image.image_set))).all()
    histories = queries.histories(session, list(rows))
    done, able = Undone(), []
    for image in images:
        if reason := _stays(rows[image.id], histories[image.id], image):
            done.refused[translated(reason)] += 1
        else:
            able.append(image)
    back = {"user_id": user.id, "verdict": Verdict.WITHDRAWN, "undoes": True}
    session.add_all(Decision(image_id=image.id, withdraws_id=rows[image.id].id, **back) for image in able)
    service.settle(session, able)
    record_all(session, user, Act.DECIDE, able, verdict="undone")
    done.pictures = len(able)
    return done


def decision(session: Session, user: User, decision_id: int) -> Decision:
    """Undo one's own decision on a picture. Raises NotFound, Forbidden and Conflict."""
    _need_reviewer(user)
    found = queries.decision(session, user, decision_id)
    if found.user_id != user.id:
        raise Conflict(_("Only %(name)s can undo this decision. A manager can withdraw it.", name=found.user.name))
    done = decisions(session, user, [decision_id])
    if not done.pictures:
        locked = service.locked_words(sets.image(session, user, found.image_id).image_set)
        raise Conflict(locked or _("This decision was just withdrawn or replaced. Reload the page."))
    return found


def _need_reviewer(user: User) -> None:
    if not user.can(Role.REVIEWER):
        raise Forbidden(_("Only reviewers decide on pictures."))


def _stays(decision: Decision, history: list[Decision], image: Image) -> str:
    """Why a decision cannot be undone, as the end of a sentence; "" if it can."""
    if image.image_set.locked_at:
        return LOCKED
    counts = counted(history)
    if decision.verdict != Verdict.WITHDRAWN:
        return "" if decision in standing(history) else AGAIN
    whose = next((each.user_id for each in history if each.id == decision.withdraws_id), decision.user_id)
    later = [each for each in counts if each.id > decision.id and each.user_id in (whose, decision.user_id)]
    return AGAIN if later or decision not in counts else ""


def approvals(session: Session, user: User, campaign: int, before: int, after: int) -> Undone:
    row = sets.campaign(session, user, campaign)
    if row.approvals_needed != after:
        raise changed_since(session, user, row, _("the approvals needed in %(campaign)s", campaign=folder(row.name)))
    service.set_approvals(session, user, campaign, before)
    return Undone(_("%(campaign)s needs as many approvals as before.", campaign=folder(row.name)))


def four_eyes(session: Session, user: User, campaign: int, before: bool) -> Undone:
    row = sets.campaign(session, user, campaign)
    if row.four_eyes == before:
        raise changed_since(
            session, user, row, _("who may approve their own pictures in %(campaign)s", campaign=folder(row.name))
        )
    service.set_four_eyes(session, user, campaign, before)
    return Undone(_("The rule for own pictures in %(campaign)s is as before.", campaign=folder(row.name)))


def lock(session: Session, user: User, set_id: int, at: str) -> Undone:
    """Unlock what the person has just locked, even if only others may unlock it later."""
    image_set = sets.get(session, user, set_id)
    if image_set.locked_at != datetime.fromisoformat(at) or not may_change(user, image_set):
        raise changed_since(session, user, image_set, _("the lock of %(set)s", set=image_set.name))
    service.free(session, user, image_set)
    return Undone(_("Decisions unlocked."))


def unlock(session: Session, user: User, set_id: int, at: str, by: int | None, role: str | None) -> Undone:
    """Lock again as it was, by the same person."""
    image_set = sets.get(session, user, set_id)
    if image_set.locked_at is not None:
        raise changed_since(session, user, image_set, _("the lock of %(set)s", set=image_set.name))
    if not may_change(user, image_set):
        raise Forbidden(_("Only %(name)s or a manager can lock the decisions of this set.", name=image_set.owner.name))
    image_set.locked_at, image_set.locked_by_id = datetime.fromisoformat(at), by
    image_set.locked_as = Role(role) if role else None
    record(session, user, Act.SET_LOCK, image_set)
    return Undone(_("Decisions locked."))
