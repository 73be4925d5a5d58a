"""Reading the approved pictures that a person may take away."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select, true
from sqlalchemy.orm import Session, aliased

from app.accounts.queries import signed_in
from app.models import (
    Decision,
    Image,
    ImageSet,
    Role,
    State,
    Style,
    StyleVersion,
    User,
    Verdict,
)


@dataclass(frozen=True)
class ApprovedRow:
    """An approved picture with all that its manifest says of it."""

    id: int
    set_id: int
    position: int
    prompt: str
    seed: int
    sha256: str
    bytes: int
    set_name: str
    model: str
    width: int  # px
    height: int
    steps: int
    guidance: float
    scheduler: str
    strength: float
    style_name: str
    style_code: str
    style_version: int
    approved_by: str
    approved_at: datetime


def downloadable(user: User) -> ColumnElement[bool]:
    """A condition for the sets whose pictures `user` may take away: their own; anybody's for managers and above."""
    return true() if user.can(Role.MANAGER) else (ImageSet.owner_id == user.id) & signed_in(user)


def is_any_approved(session: Session, user: User, which: ColumnElement[bool]) -> bool:
    """Whether anything of `which` is approved, be it `user`'s to take away or not."""
    found = select(Image.id).join(ImageSet, ImageSet.id == Image.set_id)
    return session.scalar(found.where(Image.decision == Verdict.APPROVED, which, signed_in(user)).limit(1)) is not None


def approved(session: Session, user: User, *which: ColumnElement[bool]) -> list[ApprovedRow]:
    """The approved pictures of `which` that `user` may take away, set by set, each in its order. One statement."""
    latest = select(func.max(Decision.id)).where(Decision.image_id == Image.id).correlate(Image)
    decider = aliased(User)
    rows = session.execute(
        select(
            Image.id,
            Image.set_id,
            Image.position,
            Image.prompt,
            Image.seed,
            Image.sha256,
            Image.bytes,
            ImageSet.name.label("set_name"),
            ImageSet.model,
            ImageSet.width,
            ImageSet.height,
            ImageSet.steps,
            ImageSet.guidance,
            ImageSet.scheduler,
            ImageSet.strength,
            Style.name.label("style_name"),
            Style.code.label("style_code"),
            StyleVersion.number.label("style_version"),
            decider.name.label("approved_by"),
            Decision.created_at.label("approved_at"),
        )
        .join(ImageSet, ImageSet.id == Image.set_id)
        .join(StyleVersion, StyleVersion.id == ImageSet.style_version_id)
        .join(Style, Style.id == StyleVersion.style_id)
        .join(Decision, Decision.id == latest.scalar_subquery())
        .join(decider, decider.id == Decision.user_id)
        .where(Image.state == State.FINISHED, Image.decision == Verdict.APPROVED, downloadable(user), *which)
        .order_by(Image.set_id, Image.position)
    )
    return [ApprovedRow(**row._mapping) for row in rows]
