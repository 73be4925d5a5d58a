"""Combine decisions: which are current, and their outcome. Plain functions of rows, without a database."""

from collections.abc import Collection, Sequence

from app.models import Decision, Verdict

# The outcome of several: any of the first, else any of the second.
OUTWEIGH = (Verdict.REJECTED, Verdict.CHANGES_REQUESTED)


def counted(decisions: Sequence[Decision]) -> list[Decision]:
    """Without those that were undone, and without what undid them."""
    undone = {each.withdraws_id for each in decisions if each.undoes}
    return [each for each in decisions if not each.undoes and each.id not in undone]


def standing(decisions: Sequence[Decision]) -> list[Decision]:
    """Each person's newest decision, unless it was withdrawn. `decisions` are those on one image, oldest first."""
    by_person: dict[int, Decision] = {}
    for each in counted(decisions):
        if each.verdict != Verdict.WITHDRAWN:
            by_person.pop(each.user_id, None)  # so that a changed decision comes last
            by_person[each.user_id] = each
        elif each.withdraws_id is None:  # an old withdrawal took back all before it
            by_person.clear()
        else:
            by_person = {who: one for who, one in by_person.items() if one.id != each.withdraws_id}
    return list(by_person.values())


def approvals(decisions: Sequence[Decision], uncounted: Collection[int] = ()) -> int:
    """The number of current approvals, without those of `uncounted` (ids), the picture's makers."""
    stands = (each for each in standing(decisions) if each.user_id not in uncounted)
    return sum(each.verdict == Verdict.APPROVED for each in stands)


def outcome(decisions: Sequence[Decision], needed: int, uncounted: Collection[int] = ()) -> Verdict | None:
    """The verdict of all current decisions, if `needed` people must approve; None while too few have.

    It is withdrawn if the last act left no current decision.
    """
    verdicts = {Verdict(each.verdict) for each in standing(decisions)}
    for verdict in OUTWEIGH:
        if verdict in verdicts:
            return verdict
    if approvals(decisions, uncounted) >= needed:
        return Verdict.APPROVED
    last = counted(decisions)[-1:]
    gone = last and last[0].verdict == Verdict.WITHDRAWN and not verdicts
    return Verdict.WITHDRAWN if gone else None
