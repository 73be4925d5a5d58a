"""The pictures of a review, in the order of their sets and positions."""

from dataclasses import dataclass, fields
from functools import cache
from typing import Any

from sqlalchemy import (
    Select,
    bindparam,
    exists,
    func,
    literal,
    or_,
    select,
    union_all,
)
from sqlalchemy.orm import Session

from app.accounts.queries import I_AM_ACTIVE, MY_ID, asks
from app.models import (
    Campaign,
    Image,
    ImageSet,
    Sample,
    Style,
    User,
    Verdict,
)
from app.sets.queries import NOT_REVIEWED, TO_REVIEW

OPEN = (Image.decision.is_(None), Image.decision == Verdict.WITHDRAWN)  # one at a time, so that an index can find them
# Other people's samples are theirs to try things on: they wait for nobody else.
NO_SAMPLE_OF_OTHERS = Image.set_id.not_in(select(Sample.set_id).where(Sample.user_id != MY_ID))
UNLOCKED = Image.set_id.not_in(select(ImageSet.id).where(ImageSet.locked_at.is_not(None)))


@dataclass(frozen=True)
class Scope:
    """The pictures of a review: all that are shown, or those of a set, a style, a campaign, an owner."""

    set_id: int | None = None
    style_code: str = ""
    campaign_id: int | None = None
    owner_id: int | None = None
    flagged_first: bool = False  # an order, not a limit: what waits and is flagged by its measures comes first

    @property
    def limits(self) -> dict[str, int | str]:
        """What limits it, by field."""
        values = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "flagged_first"}
        return {name: value for name, value in values.items() if value not in (None, "")}

    @property
    def shape(self) -> frozenset[str]:
        """Which fields limit it. Statements are built once for each shape; `asks` has their values."""
        return frozenset(self.limits)

    def asks(self, user: User) -> dict[str, Any]:
        """The values of a statement for pictures of this shape, when `user` asks."""
        return asks(user) | self.limits


@dataclass(frozen=True)
class ScopeOptions:
    """The available limits for a review, by name."""

    campaigns: list[tuple[int, str]]
    sets: list[tuple[int, str]]  # newest first
    styles: list[tuple[str, str]]  # code, name
    owners: list[tuple[int, str]]


def tally(session: Session, user: User, scope: Scope) -> dict[str, int]:
    """How many pictures of a review have each verdict, or NOT_REVIEWED."""
    found = dict.fromkeys((*Verdict, NOT_REVIEWED), 0)
    rows = session.execute(_tally(scope.shape), scope.asks(user))
    return found | {decision or NOT_REVIEWED: number for decision, number in rows}


@cache
def _tally(shape: frozenset[str]) -> Select[Verdict | None, int]:
    return pictures_of(shape).with_only_columns(Image.decision, func.count()).group_by(Image.decision)


MOST_SETS = 100  # to choose from
_WAITING = exists().where(Image.set_id == ImageSet.id, Image.shown, TO_REVIEW)
_OPEN_SETS = select(ImageSet.id).where(ImageSet.locked_at.is_(None), _WAITING).order_by(ImageSet.id.desc())
_OFFERED = or_(ImageSet.id == bindparam("set_id"), ImageSet.id.in_(_OPEN_SETS.limit(MOST_SETS)))
_LISTS = {
    "campaigns": select(Campaign.id, Campaign.name).order_by(Campaign.name),
    "sets": select(ImageSet.id, ImageSet.name).where(_OFFERED).order_by(ImageSet.id.desc()),
    "styles": select(Style.code, Style.name).order_by(Style.name, Style.code),
    "owners": select(User.id, User.name).where(User.id.in_(select(ImageSet.owner_id))).order_by(User.name, User.id),
}
_OPTIONS = union_all(
    *(
        select(literal(name).label("list"), *statement.where(I_AM_ACTIVE).subquery().c)
        for name, statement in _LISTS.items()
    )
)


def options(session: Session, user: User, scope: Scope) -> ScopeOptions:
    """Campaigns, styles and people with sets, by name; the newest sets with something to review, and the chosen one."""
    found: dict[str, list[tuple[Any, str]]] = {name: [] for name in _LISTS}
    for name, key, title in session.execute(_OPTIONS, asks(user) | {"set_id": scope.set_id}):
        found[name].append((key, title))
    return ScopeOptions(**found)


@cache
def pictures_of(shape: frozenset[str]) -> Select[Image]:
    """The pictures of scopes that have these limits, for someone who is signed in."""
    named = select(Style.id).where(Style.code == bindparam("style_code")).scalar_subquery()
    limits = {
        "set_id": Image.set_id == bindparam("set_id"),
        "style_code": Image.style_id == named,
        "campaign_id": Image.campaign_id == bindparam("campaign_id"),
        "owner_id": Image.owner_id == bindparam("owner_id"),
    }
    return select(Image).where(Image.shown, I_AM_ACTIVE, *(limits[each] for each in sorted(shape)))
