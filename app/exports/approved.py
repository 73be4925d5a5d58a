"""Read the approved pictures that a person may export."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, exists, func, literal, select, true, tuple_
from sqlalchemy.orm import Session

from app.accounts.queries import signed_in
from app.exports.contents import CHUNK
from app.models import (
    Campaign,
    Decision,
    Image,
    ImageSet,
    PictureReport,
    Role,
    User,
    Verdict,
)
from app.rights import queries as rights
from app.rights.standing import Held

CAMPAIGNS_PAGE = 20  # listed at a time
# A picture that was reported, and that a manager holds back until the report is decided.
HELD_BACK = exists(
    select(PictureReport.id)
    .where(PictureReport.image_id == Image.id, PictureReport.held, PictureReport.decided_at.is_(None))
    .correlate(Image)
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
        _pictures(session, user, *which)
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
        _pictures(session, user, *which)
        .with_only_columns(Image.set_id, func.count(), func.sum(Image.bytes))
        .group_by(Image.set_id)
    )
    return [SetTally(set_id, pictures, size or 0) for set_id, pictures, size in rows]


def of_others(session: Session, user: User, which: ColumnElement[bool]) -> bool:
    """Whether some of these pictures are from other people's sets."""
    theirs = _pictures(session, user, which).where(ImageSet.owner_id != user.id).with_only_columns(Image.id).limit(1)
    return session.scalar(theirs) is not None


def campaigns(
    session: Session, user: User, after: int | None = None, limit: int = CAMPAIGNS_PAGE
) -> list[ExportableRow]:
    """The campaigns in which `user` can export something, newest first; `after` is the id of the last one shown."""
    newest = func.max(ImageSet.id)
    statement = (
        _pictures(session, user)
        .join(Campaign, Campaign.id == Image.campaign_id)
        .with_only_columns(Campaign.id, Campaign.name, func.count())
        .group_by(Campaign.id)
        .order_by(newest.desc(), Campaign.id.desc())
        .limit(limit)
    )
    if after is not None:
        last = session.scalar(_pictures(session, user, Image.campaign_id == after).with_only_columns(newest))
        statement = statement.having(tuple_(newest, Campaign.id) < tuple_(literal(last or 0), literal(after)))
    return [ExportableRow(*row) for row in session.execute(statement)]


def count_without_consent(session: Session, user: User, which: ColumnElement[bool], helds: Sequence[Held]) -> int:
    """How many approved pictures of `which` come from one of these, that `user` could export otherwise."""
    if not helds:
        return 0
    barred = rights.made_from(*(held.reference_id for held in helds))
    return session.scalar(_all_pictures(user, which, barred).with_only_columns(func.count())) or 0


def count_held(session: Session, user: User, which: ColumnElement[bool]) -> int:
    """How many approved pictures of `which` are held back because they were reported."""
    return session.scalar(_all_pictures(user, which, HELD_BACK).with_only_columns(func.count())) or 0


def _pictures(session: Session, user: User, *which: ColumnElement[bool]) -> Select[Image]:
    helds = rights.without_consent(session)
    free = [~rights.made_from(*(held.reference_id for held in helds))] if helds else []
    return _all_pictures(user, *which, *free, ~HELD_BACK)


def _all_pictures(user: User, *which: ColumnElement[bool]) -> Select[Image]:
    return (
        select(Image)
        .join(ImageSet, ImageSet.id == Image.set_id)
        .where(Image.shown, Image.decision == Verdict.APPROVED, downloadable(user), *which)
    )
