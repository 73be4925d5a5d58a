"""Pictures that the safety classifier flagged: blurred, and not to be approved, until a reviewer clears them."""

from collections.abc import Iterable

from pydantic import Field
from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session, joinedload

from app.audit.service import record
from app.errors import Conflict, Forbidden
from app.languages import N_
from app.languages import gettext as _
from app.models import Act, Image, Role, SafetyFlag, User, now
from app.sets import queries
from app.specs import Line, Spec

_OPEN = SafetyFlag.cleared_at.is_(None)
_AMONG = select(SafetyFlag.image_id).where(SafetyFlag.image_id.in_(bindparam("ids", expanding=True)), _OPEN)
_HASHES = select(Image.sha256).join(SafetyFlag, SafetyFlag.image_id == Image.id).where(_OPEN)


class SafetyReason(Spec):
    reason: Line = Field(title=N_("The reason"), min_length=1, max_length=500)


def flag(session: Session, image: Image, score: float) -> None:
    """Note that a picture that was just finished is flagged."""
    session.add(SafetyFlag(image_id=image.id, score=score))
    record(session, None, Act.SAFETY_FLAG, image, score=score)


def of(session: Session, image_id: int) -> SafetyFlag | None:
    """The flag of a picture, also a cleared one."""
    return session.scalar(
        select(SafetyFlag).where(SafetyFlag.image_id == image_id).options(joinedload(SafetyFlag.cleared_by))
    )


def flagged(session: Session, image_ids: Iterable[int]) -> set[int]:
    """Those of these pictures that are flagged and not cleared."""
    return set(session.scalars(_AMONG, {"ids": list(image_ids)}))


def hashes(session: Session) -> frozenset[str]:
    """The files of all pictures that are flagged and not cleared."""
    return frozenset(sha256 for sha256 in session.scalars(_HASHES) if sha256)


def refusal() -> str:
    """Why a flagged picture is not approved or downloaded."""
    return _("The safety check flagged this picture. A reviewer has to clear it first.")


def clear(session: Session, user: User, image_id: int, reason: SafetyReason) -> SafetyFlag:
    """Clear a flag, with a reason: the picture is shown, and can be decided on. Reviewers and above.

    Raises Forbidden, NotFound, and Conflict if it is not flagged.
    """
    if not user.can(Role.REVIEWER):
        raise Forbidden(_("Only reviewers clear a picture that the safety check flagged. Ask one of them."))
    image = queries.image(session, user, image_id)
    found = of(session, image.id)
    if not found or found.cleared_at:
        raise Conflict(_("This picture is not flagged, or was cleared already."))
    found.cleared_at, found.cleared_by_id, found.reason = now(), user.id, reason.reason
    record(session, user, Act.SAFETY_CLEAR, image, note=reason.reason, score=found.score)
    return found
