"""Report a picture, hold it back, decide.

Anybody who is signed in can report, and a visitor of a share link the pictures of it. Managers decide: the report is
dismissed, or the picture goes to the bin. Until then they can hold the picture back: it is in no new export, and links
to exports that contain it are on hold.
"""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.accounts.service import need_active
from app.audit.service import record
from app.errors import Conflict, Later, NotFound
from app.exports import endings
from app.gallery import service as gallery
from app.languages import gettext as _
from app.models import Act, Image, PictureReport, ReportOutcome, Share, State, User, now
from app.reports import queries
from app.reports.spec import ReportDecision, ReportSpec
from app.sets import queries as sets

MOST_OPEN = 20  # of one picture by visitors
LATER_SECONDS = 3600


def reportable(session: Session, user: User, image_id: int) -> Image:
    """A picture that can be looked at. Raises NotFound."""
    image = sets.image(session, user, image_id)
    if image.state != State.FINISHED:
        raise NotFound(_("This picture is not finished."))
    return image


def report(session: Session, user: User, image_id: int, spec: ReportSpec) -> PictureReport:
    """Report a picture. Raises NotFound, and Conflict for a second open report by the same person."""
    need_active(user)
    image = reportable(session, user, image_id)
    own = select(PictureReport.id).where(PictureReport.image_id == image.id, PictureReport.reporter_id == user.id)
    if session.scalar(own.where(PictureReport.decided_at.is_(None))):
        raise Conflict(_("You already reported this picture. A manager will look at it."))
    return _add(session, user, image, spec)


def report_shared(session: Session, share: Share, image_id: int, spec: ReportSpec) -> PictureReport:
    """Report a picture of a share link, without an account. Raises Later if visitors reported it very often."""
    by_visitors = (
        PictureReport.image_id == image_id,
        PictureReport.reporter_id.is_(None),
        PictureReport.decided_at.is_(None),
    )
    if (session.scalar(select(func.count()).select_from(PictureReport).where(*by_visitors)) or 0) >= MOST_OPEN:
        raise Later(_("This picture was reported several times, and will be looked at."), LATER_SECONDS)
    note = f"{share.export.name}, {share.note}" if share.note else share.export.name
    return _add(session, None, session.get_one(Image, image_id), spec, note[:200])


def _add(session: Session, user: User | None, image: Image, spec: ReportSpec, note: str = "") -> PictureReport:
    row = PictureReport(
        image_id=image.id,
        reporter_id=user.id if user else None,
        share_note=note,
        kind=spec.kind,
        words=spec.words,
    )
    session.add(row)
    session.flush()
    record(session, user, Act.REPORT, image, report=row.id, because=spec.kind, note=note)
    return row


def hold(session: Session, user: User, report_id: int) -> PictureReport:
    """Hold a reported picture back. Managers only. Raises NotFound and Conflict."""
    row = queries.get(session, user, report_id)
    if row.held:
        raise Conflict(_("This picture is held back already."))
    row.held = True
    session.flush()
    record(session, user, Act.REPORT_HOLD, row.image, report=row.id)
    endings.suspend_reported(session, user, row.image)
    return row


def release(session: Session, user: User, report_id: int) -> PictureReport:
    """Stop holding it back; the report stays open. Managers only. Raises NotFound and Conflict."""
    row = queries.get(session, user, report_id)
    if not row.held:
        raise Conflict(_("This picture is not held back."))
    row.held = False
    session.flush()
    record(session, user, Act.REPORT_RELEASE, row.image, report=row.id)
    endings.resume_reported(session, user, row.image)
    return row


def decide(session: Session, user: User, report_id: int, decision: ReportDecision) -> PictureReport:
    """Dismiss a report, or move its picture to the bin, which decides all its reports. Managers only.

    Raises NotFound, and Conflict if the picture cannot be removed. Links to a removed picture stay on hold until
    somebody takes responsibility for them.
    """
    row = queries.get(session, user, report_id)
    rows = [row]
    if decision.outcome is ReportOutcome.REMOVED:
        if not row.image.deleted_at:
            outcome = gallery.delete(session, user, [row.image_id])
            if outcome.refused:
                why = next(iter(outcome.refused))
                raise Conflict(_("The picture cannot be removed: %(reason)s.", reason=why))
        rows = list(
            session.scalars(
                select(PictureReport).where(PictureReport.image_id == row.image_id, PictureReport.decided_at.is_(None))
            )
        )
        endings.suspend_reported(session, user, row.image)
    for each in rows:
        each.decided_at, each.decided_by_id = now(), user.id
        each.outcome, each.decision, each.held = decision.outcome, decision.reason, False
    session.flush()
    record(session, user, Act.REPORT_DECIDE, row.image, report=row.id, verdict=decision.outcome, note=decision.reason)
    if decision.outcome is ReportOutcome.DISMISSED:
        endings.resume_reported(session, user, row.image)
    return row
