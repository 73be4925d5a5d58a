"""Which checklists a campaign requires before its pictures are approved."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.orm import Session

from app import undo as undos
from app.audit.service import record
from app.campaign_names import folder
from app.customs import queries as customs
from app.errors import Forbidden, Invalid
from app.languages import gettext as _
from app.models import Act, Campaign, Image, ImageSet, KeptApproval, Role, User, Verdict
from app.reviews import counting, queries, service
from app.sets import queries as sets
from app.undo import Undone, changed_since

MOST = 12  # lists of a campaign


def require(session: Session, user: User, campaign_id: int, ids: Sequence[int]) -> Campaign:
    """Set the lists that a campaign requires, in their order. Managers and above. Raises Forbidden and Invalid.

    What is approved stays approved, and what is approved from now on needs answers.
    """
    if not user.can(Role.MANAGER):
        raise Forbidden(_("Only managers say which checklists a campaign requires. Ask one of them."))
    campaign = sets.campaign(session, user, campaign_id)
    known = {each.id: each for each in customs.listed(session, user)}
    wanted = [each for each in known if each in set(ids)]
    wanted += [each for each in campaign.checklists if each in set(ids) and each not in known]  # deleted since
    if len(wanted) < len(set(ids)):
        raise Invalid("checklists", _("A checklist was just deleted. Choose again."))
    if len(wanted) > MOST:
        raise Invalid("checklists", _("A campaign requires at most %(number)s checklists.", number=MOST))
    empty = next((known[each] for each in wanted if each in known and not known[each].items), None)
    if empty:
        raise Invalid("checklists", _("%(name)s has no items yet. Add some first.", name=empty.name))
    if wanted != campaign.checklists:
        _change(session, user, campaign, wanted)
    return campaign


def _change(session: Session, user: User, campaign: Campaign, wanted: list[int]) -> None:
    before = list(campaign.checklists)
    foreign = queries.approved_elsewhere(session, Image.campaign_id == campaign.id)
    _keep(session, campaign, foreign)
    campaign.checklists = wanted
    session.flush()
    locked = set(session.scalars(select(ImageSet.id).where(ImageSet.locked_at.is_not(None))))
    service.settle(session, [image for image in foreign if image.set_id not in locked])
    lists = customs.required(session, [*before, *wanted])
    told = [", ".join(lists[each].recorded for each in ids if each in lists) or "none" for ids in (before, wanted)]
    record(session, user, Act.CAMPAIGN_CHANGE, campaign, checklists=" → ".join(told))
    undos.offer(session, user, "checklists", campaign=campaign.id, before=before, after=wanted)


def _keep(session: Session, campaign: Campaign, images: Sequence[Image]) -> None:
    """Let approvals from elsewhere that count until now keep counting."""
    histories = queries.histories(session, [image.id for image in images])
    rules = queries.rules(session, {campaign.id})
    short = counting.uncounted(session, images, histories, rules)
    rows = [
        {"decision_id": each.id, "campaign_id": campaign.id}
        for image in images
        for each in histories[image.id]
        if each.verdict == Verdict.APPROVED and each.campaign_id != campaign.id and each.user_id not in short[image.id]
    ]
    if rows:
        session.execute(insert(KeptApproval).on_conflict_do_nothing(), rows)


def undo(session: Session, user: User, campaign: int, before: list[int], after: list[int]) -> Undone:
    row = sets.campaign(session, user, campaign)
    if row.checklists != after:
        raise changed_since(session, user, row, _("the checklists of %(campaign)s", campaign=folder(row.name)))
    require(session, user, campaign, before)
    return Undone(_("%(campaign)s requires the same checklists as before.", campaign=folder(row.name)))
