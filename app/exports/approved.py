"""Read the approved pictures that a person may export."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, func, select, true
from sqlalchemy.orm import Session

from app.accounts.queries import signed_in
from app.exports.contents import CHUNK
from app.models import (
    Campaign,
    Decision,
    Image,
    ImageSet,
    Role,
    User,
    Verdict,
)


@dataclass(frozen=True, slots=True)
class ApprovedRow:
    """An approved picture, with what its name and its place in an export need."""

    id: int
    set_id: int
    position: int
    prompt: str
    seed: int
    bytes: int
    decision_id: int  # the latest
    campaign: str


@dataclass(frozen=True, slots=True)
class SetTally:
    """The pictures an export takes from one set."""

    set_id: int
    pictures: int
    bytes: int


@dataclass(frozen=True)
class ExportableRow:
    """A campaign with something to export."""

    id: int
    name: str
    approved: int


def downloadable(user: User) -> ColumnElement[bool]:
    """A condition for sets whose pictures `user` may export: their own; anyone's for managers and above."""
    return true() if user.can(Role.MANAGER) else (ImageSet.owner_id == user.id) & signed_in(user)


def count_all(session: Session, user: User, which: ColumnElement[bool]) -> int:
    """How many pictures of `which` are approved, whether `user` may export them or not."""
    wanted = Image.shown, Image.decision == Verdict.APPROVED, which, signed_in(user)
    return session.scalar(select(func.count()).select_from(Image).where(*wanted)) or 0


def pictures(
    session: Session, user: User, *which: ColumnElement[bool], limit: int | None = None
) -> Iterator[ApprovedRow]:
    """The approved pictures of `which` that `user` may export, set by set, each in its order.

    One statement, whose rows are read in chunks.
    """
    latest = select(func.max(Decision.id)).where(Decision.image_id == Image.id).correlate(Image)
    rows = session.execute(
        _pictures(user, *which)
        .join(Campaign, Campaign.id == Image.campaign_id)
        .with_only_columns(
            Image.id,
            Image.set_id,
            Image.position,
            Image.prompt,
            Image.seed,
            Image.bytes,
            latest.scalar_subquery(),
            Campaign.name,
        )
        .order_by(Image.set_id, Image.position)
        .limit(limit)
        .execution_options(yield_per=CHUNK)
    )
    return (ApprovedRow(*row) for row in rows)


def by_set(session: Session, user: User, *which: ColumnElement[bool]) -> list[SetTally]:
    """How many such pictures each set has."""
    rows = session.execute(
        _pictures(user, *which)
        .with_only_columns(Image.set_id, func.count(), func.sum(Image.bytes))
        .group_by(Image.set_id)
    )
    return [SetTally(set_id, pictures, size or 0) for set_id, pictures, size in rows]


def of_others(session: Session, user: User, which: ColumnElement[bool]) -> bool:
    """Whether some of these pictures are from other people's sets."""
    theirs = _pictures(user, which).where(ImageSet.owner_id != user.id).with_only_columns(Image.id).limit(1)
    return session.scalar(theirs) is not None


def campaigns(session: Session, user: User) -> list[ExportableRow]:
    """The campaigns in which `user` can export something, newest first."""
    rows = session.execute(
        _pictures(user)
        .join(Campaign, Campaign.id == Image.campaign_id)
        .with_only_columns(Campaign.id, Campaign.name, func.count())
        .group_by(Campaign.id)
        .order_by(func.max(ImageSet.id).desc())
    )
    return [ExportableRow(*row) for row in rows]


def _pictures(user: User, *which: ColumnElement[bool]) -> Select[Image]:
    return (
        select(Image)
        .join(ImageSet, ImageSet.id == Image.set_id)
        .where(Image.shown, Image.decision == Verdict.APPROVED, downloadable(user), *which)
    )
