"""The pictures of a review, in the order of their sets and positions."""

from dataclasses import dataclass

from sqlalchemy import (
    Select,
    exists,
    func,
    or_,
    select,
)
from sqlalchemy.orm import Session

from app.accounts.queries import signed_in
from app.models import (
    Campaign,
    Image,
    ImageSet,
    Style,
    User,
    Verdict,
)
from app.sets.queries import NOT_REVIEWED, TO_REVIEW

OPEN = (Image.decision.is_(None), Image.decision == Verdict.WITHDRAWN)  # one at a time, so that an index can find them
UNLOCKED = Image.set_id.not_in(select(ImageSet.id).where(ImageSet.locked_at.is_not(None)))


@dataclass(frozen=True)
class Scope:
    """The pictures of a review: all that are shown, or those of a set, a style, a campaign, an owner."""

    set_id: int | None = None
    style_code: str = ""
    campaign_id: int | None = None
    owner_id: int | None = None


@dataclass(frozen=True)
class ScopeOptions:
    """The available limits for a review, by name."""

    campaigns: list[tuple[int, str]]
    sets: list[tuple[int, str]]  # newest first
    styles: list[tuple[str, str]]  # code, name
    owners: list[tuple[int, str]]


def tally(session: Session, user: User, scope: Scope) -> dict[str, int]:
    """How many pictures of a review have each verdict, or NOT_REVIEWED."""
    counted = pictures_of(user, scope).with_only_columns(Image.decision, func.count()).group_by(Image.decision)
    found = dict.fromkeys((*Verdict, NOT_REVIEWED), 0)
    return found | {decision or NOT_REVIEWED: number for decision, number in session.execute(counted)}


def options(session: Session, user: User, scope: Scope, most_sets: int = 100) -> ScopeOptions:
    """Campaigns, styles and people with sets, by name; the newest sets with something to review, and the chosen one."""
    owned = select(ImageSet.owner_id)
    waiting = exists().where(Image.set_id == ImageSet.id, Image.shown, TO_REVIEW)
    open_sets = select(ImageSet.id).where(ImageSet.locked_at.is_(None), waiting).order_by(ImageSet.id.desc())
    offered = or_(ImageSet.id == scope.set_id, ImageSet.id.in_(open_sets.limit(most_sets)))
    rows = (
        session.execute(statement.where(signed_in(user)))
        for statement in (
            select(Campaign.id, Campaign.name).order_by(Campaign.name),
            select(ImageSet.id, ImageSet.name).where(offered).order_by(ImageSet.id.desc()),
            select(Style.code, Style.name).order_by(Style.name, Style.code),
            select(User.id, User.name).where(User.id.in_(owned)).order_by(User.name, User.id),
        )
    )
    return ScopeOptions(*([(key, name) for key, name in found] for found in rows))


def pictures_of(user: User, scope: Scope) -> Select[Image]:
    statement = select(Image).where(Image.shown, signed_in(user))
    if scope.set_id is not None:
        statement = statement.where(Image.set_id == scope.set_id)
    if scope.style_code:
        style = select(Style.id).where(Style.code == scope.style_code).scalar_subquery()
        statement = statement.where(Image.style_id == style)
    if scope.campaign_id is not None:
        statement = statement.where(Image.campaign_id == scope.campaign_id)
    if scope.owner_id is not None:
        statement = statement.where(Image.owner_id == scope.owner_id)
    return statement
