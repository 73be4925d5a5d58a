"""What acts on many pictures say: how many were changed, how many were not and why, or that none were."""

from collections.abc import Callable
from dataclasses import dataclass

from app.languages import N_, ngettext
from app.models import Verdict


@dataclass(frozen=True)
class Did:
    """The sentences of one act. What else they name, such as a tag, is given to each as a parameter."""

    done: Callable[..., str]  # with how many: "37 pictures were approved", which may go on
    refused: str  # a message with `number`, `total` and `reason`
    none: str  # a message


APPROVED = Did(
    lambda number: ngettext("%(number)s picture was approved", "%(number)s pictures were approved", number),
    N_("%(number)s of %(total)s could not be approved: %(reason)s."),
    N_("No pictures were approved."),
)
CHANGES_REQUESTED = Did(
    lambda number: ngettext(
        "%(number)s picture was marked as changes requested",
        "%(number)s pictures were marked as changes requested",
        number,
    ),
    N_("%(number)s of %(total)s could not be marked as changes requested: %(reason)s."),
    N_("No pictures were marked as changes requested."),
)
REJECTED = Did(
    lambda number: ngettext("%(number)s picture was rejected", "%(number)s pictures were rejected", number),
    N_("%(number)s of %(total)s could not be rejected: %(reason)s."),
    N_("No pictures were rejected."),
)
MOVED = Did(
    lambda number, campaign: ngettext(
        "%(number)s picture was moved to %(campaign)s",
        "%(number)s pictures were moved to %(campaign)s",
        number,
        campaign=campaign,
    ),
    N_("%(number)s of %(total)s could not be moved to %(campaign)s: %(reason)s."),
    N_("No pictures were moved to %(campaign)s."),
)
TAGGED = Did(
    lambda number, tag: ngettext(
        "%(number)s picture was tagged %(tag)s", "%(number)s pictures were tagged %(tag)s", number, tag=tag
    ),
    N_("%(number)s of %(total)s could not be tagged %(tag)s: %(reason)s."),
    N_("No pictures were tagged %(tag)s."),
)
UNTAGGED = Did(
    lambda number, tag: ngettext(
        "%(number)s picture was untagged %(tag)s", "%(number)s pictures were untagged %(tag)s", number, tag=tag
    ),
    N_("%(number)s of %(total)s could not be untagged %(tag)s: %(reason)s."),
    N_("No pictures were untagged %(tag)s."),
)
STARRED = Did(
    lambda number: ngettext("%(number)s picture was starred", "%(number)s pictures were starred", number),
    N_("%(number)s of %(total)s could not be starred: %(reason)s."),
    N_("No pictures were starred."),
)
UNSTARRED = Did(
    lambda number: ngettext(
        "%(number)s picture was removed from your stars", "%(number)s pictures were removed from your stars", number
    ),
    N_("%(number)s of %(total)s could not be removed from your stars: %(reason)s."),
    N_("No pictures were removed from your stars."),
)
DELETED = Did(
    lambda number: ngettext("%(number)s picture was deleted", "%(number)s pictures were deleted", number),
    N_("%(number)s of %(total)s could not be deleted: %(reason)s."),
    N_("No pictures were deleted."),
)
RESTORED = Did(
    lambda number: ngettext("%(number)s picture was restored", "%(number)s pictures were restored", number),
    N_("%(number)s of %(total)s could not be restored: %(reason)s."),
    N_("No pictures were restored."),
)

Otherwise = Verdict | int  # another outcome than requested, or how many more approvals a picture needs


def otherwise(outcome: Otherwise, number: int, alone: bool) -> str:
    """How many pictures have another outcome. `alone`: nothing before it in the sentence names them."""
    if outcome == Verdict.CHANGES_REQUESTED:
        return (
            ngettext(
                "%(number)s picture still has changes requested",
                "%(number)s pictures still have changes requested",
                number,
            )
            if alone
            else ngettext("%(number)s still has changes requested", "%(number)s still have changes requested", number)
        )
    if outcome == Verdict.REJECTED:
        return (
            ngettext("%(number)s picture is still rejected", "%(number)s pictures are still rejected", number)
            if alone
            else ngettext("%(number)s is still rejected", "%(number)s are still rejected", number)
        )
    if outcome == 1:
        return (
            ngettext("%(number)s picture needs one more approval", "%(number)s pictures need one more approval", number)
            if alone
            else ngettext("%(number)s needs one more approval", "%(number)s need one more approval", number)
        )
    return (
        ngettext(
            "%(number)s picture needs %(more)s more approvals",
            "%(number)s pictures need %(more)s more approvals",
            number,
            more=outcome,
        )
        if alone
        else ngettext(
            "%(number)s needs %(more)s more approvals", "%(number)s need %(more)s more approvals", number, more=outcome
        )
    )
