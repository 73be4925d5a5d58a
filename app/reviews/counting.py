"""Whose approval of a picture does not count, by the rules of its campaign.

- A maker's, where nobody approves their own pictures.
- One from another campaign, where this one requires checklists that it was given without. An approval that was given
  here met the rules of its time, and keeps counting when they become stricter; so does one that counted here then.
"""

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.customs import queries as customs
from app.models import Decision, Image, KeptApproval, Verdict
from app.reviews import four_eyes
from app.reviews.queries import Rule
from app.reviews.standing import standing


def uncounted(
    session: Session, images: Sequence[Image], histories: Mapping[int, Sequence[Decision]], rules: Mapping[int, Rule]
) -> dict[int, set[int]]:
    """The ids of these people, by picture. `histories` are all decisions by picture, `rules` those of the campaigns."""
    strangers = {image.id: from_elsewhere(image, histories[image.id], rules[image.campaign_id]) for image in images}
    every = [each for some in strangers.values() for each in some]
    answered, kept = _lists_of(session, every), _kept(session, every)
    found = {}
    for image in images:
        rule = rules[image.campaign_id]
        short = (
            each.user_id
            for each in strangers[image.id]
            if (each.id, image.campaign_id) not in kept and not covers(answered, each, rule.checklists)
        )
        found[image.id] = four_eyes.uncounted(image, rule.four_eyes).union(short)
    return found


def from_elsewhere(image: Image, decisions: Sequence[Decision], rule: Rule) -> list[Decision]:
    """The current approvals of a picture that were given in another campaign, if its own requires checklists."""
    if not rule.checklists:
        return []
    return [
        each
        for each in standing(decisions)
        if each.verdict == Verdict.APPROVED and each.campaign_id not in (None, image.campaign_id)
    ]


def covers(answered: Mapping[int, Collection[int]], decision: Decision, checklists: Collection[int]) -> bool:
    """Whether a decision was made with answers to all of these lists. `answered`: the lists of each sheet."""
    return set(checklists) <= set(answered.get(decision.sheet_id or 0, ()))


def _kept(session: Session, decisions: Sequence[Decision]) -> set[tuple[int, int]]:
    """Which of these approvals other campaigns keep: the ids of both."""
    if not decisions:
        return set()
    of_these = KeptApproval.decision_id.in_([each.id for each in decisions])
    rows = session.execute(select(KeptApproval.decision_id, KeptApproval.campaign_id).where(of_these))
    return {(decision_id, campaign_id) for decision_id, campaign_id in rows}


def _lists_of(session: Session, decisions: Sequence[Decision]) -> dict[int, list[int]]:
    """The lists of the sheets of decisions, by sheet."""
    sheets = customs.sheets(session, {each.sheet_id for each in decisions if each.sheet_id})
    return {sheet_id: sheet.lists for sheet_id, sheet in sheets.items()}
