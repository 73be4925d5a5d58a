"""Check the outcome of each picture against the decisions on it, by the rules of its campaign."""

from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.languages import N_
from app.languages import gettext as _
from app.models import Decision, Image, ImageSet
from app.reviews import counting, queries
from app.reviews import service as reviews
from app.reviews.standing import approvals, outcome
from app.upkeep.findings import Area, Finding, Progress

CHUNK = 500  # pictures at a time


def check_outcomes(session: Session, progress: Progress) -> Iterator[Finding]:
    """Pictures whose outcome or number of approvals is not what their decisions say.

    Leaves out locked sets, which keep the outcomes of the rules that they were locked under.
    """
    for image, decision, number in _wrong(session, progress):
        what = _(
            "Picture %(id)s has the outcome %(outcome)s with %(approvals)s approvals; by its decisions it is"
            " %(decision)s with %(number)s.",
            id=image.id,
            outcome=image.decision or "none",
            approvals=image.approvals,
            decision=decision or "none",
            number=number,
        )
        yield Finding(Area.COUNTS, what, _("Counts again."), True)


def mend_outcomes(session: Session) -> None:
    """Correct them. Needs a writing session."""
    reviews.settle(session, [image for image, _decision, _number in _wrong(session, lambda what, done, total: None)])


def _wrong(session: Session, progress: Progress) -> Iterator[tuple[Image, str | None, int]]:
    """The pictures with a wrong outcome, and what it should be."""
    decided = select(Decision.image_id).distinct()
    open_sets = select(ImageSet.id).where(ImageSet.locked_at.is_(None))
    ids = list(session.scalars(select(Image.id).where(Image.id.in_(decided), Image.set_id.in_(open_sets))))
    for start in range(0, len(ids), CHUNK):
        some = ids[start : start + CHUNK]
        images = session.scalars(select(Image).where(Image.id.in_(some))).all()
        histories = queries.histories(session, some)
        rules = queries.rules(session, {image.campaign_id for image in images})
        uncounted = counting.uncounted(session, images, histories, rules)
        for image in images:
            wanted = outcome(histories[image.id], rules[image.campaign_id].needed, uncounted[image.id])
            number = approvals(histories[image.id], uncounted[image.id])
            if (image.decision, image.approvals) != (wanted, number):
                yield image, wanted, number
        progress(N_("decisions"), min(start + CHUNK, len(ids)), len(ids))
