"""Read brand rules and scores."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from sqlalchemy import ColumnElement, bindparam, func, select
from sqlalchemy.orm import Session, joinedload

from app.accounts.queries import signed_in
from app.brand.spec import BrandSpec
from app.errors import Forbidden, NotFound
from app.languages import gettext as _
from app.models import BrandScore, BrandVersion, Campaign, Checklist, Image, Role, Style, User
from app.quality.brand import BrandPart, BrandRules, merged

Noun = Literal["style", "campaign"]
LOWEST = 6  # pictures that a page names

_OF = {"style": BrandVersion.style_id, "campaign": BrandVersion.campaign_id}


def need_manager(user: User) -> None:
    if not user.can(Role.MANAGER):
        raise Forbidden(_("Only managers change brand rules. Ask one of them."))


def owner(session: Session, user: User, noun: Noun, row_id: int) -> Style | Campaign:
    """The style or campaign. Raises NotFound."""
    style = session.get(Style, row_id) if noun == "style" else None
    thing = style or (session.get(Campaign, row_id) if noun == "campaign" else None)
    if not thing or thing.deleted_at or not user.active:
        raise NotFound(_("There is no such style or campaign."))
    return thing


def versions(session: Session, user: User, noun: Noun, row_id: int) -> Sequence[BrandVersion]:
    """All versions, the newest first."""
    wanted = select(BrandVersion).where(_OF[noun] == row_id, signed_in(user)).order_by(BrandVersion.number.desc())
    return session.scalars(wanted.options(joinedload(BrandVersion.user))).all()


def newest(session: Session, noun: Noun, row_id: int) -> BrandVersion | None:
    wanted = select(BrandVersion).where(_OF[noun] == row_id).order_by(BrandVersion.number.desc()).limit(1)
    return session.scalar(wanted)


def spec_of(version: BrandVersion | None) -> BrandSpec:
    return BrandSpec.model_validate(version.rules) if version else BrandSpec()


def rules_for(session: Session, style_id: int, campaign_id: int) -> BrandRules | None:
    """The rules that apply to a picture of a style in a campaign; None if there are none.

    Without required checklists that were deleted since: nobody can answer them.
    """
    found = [newest(session, "style", style_id), newest(session, "campaign", campaign_id)]
    style, campaign = (spec_of(each).rules if each and each.rules else None for each in found)
    found_rules = merged(style, campaign)
    if found_rules is None or not found_rules.checks:
        return found_rules
    return replace(found_rules, checks=still_there(session, found_rules.checks))


def still_there(session: Session, checks: Sequence[int]) -> tuple[int, ...]:
    """Those of these checklists that nobody deleted, in the same order."""
    there = set(session.scalars(_CHECKLISTS, {"ids": list(checks)}))
    return tuple(each for each in checks if each in there)


_CHECKLISTS = select(Checklist.id).where(
    Checklist.id.in_(bindparam("ids", expanding=True)), Checklist.deleted_at.is_(None)
)


@dataclass(frozen=True)
class BrandSummary:
    """The scores of some pictures."""

    count: int
    mean: float
    lowest: list[tuple[int, str, float]]  # id, prompt and score
    parts: Mapping[BrandPart, float]  # means of those that are known

    @property
    def score(self) -> int:
        return round(self.mean)


_OF_SET = (
    select(func.count(), func.avg(BrandScore.score), func.min(BrandScore.score))
    .join(Image, Image.id == BrandScore.image_id)
    .where(Image.set_id == bindparam("set_id"), Image.shown, BrandScore.score.is_not(None))
)


@dataclass(frozen=True)
class SetOnBrand:
    """The scores of a set's pictures, rounded."""

    count: int
    mean: int
    least: int


def of_set(session: Session, set_id: int) -> SetOnBrand | None:
    """The scores of a set's pictures; None without any."""
    count, mean, least = session.execute(_OF_SET, {"set_id": set_id}).one()
    return SetOnBrand(count, round(mean), round(least)) if count else None


def of_owner(session: Session, noun: Noun, row_id: int) -> BrandSummary | None:
    """The scores of all pictures of a style or campaign; None without any."""
    return _summary(session, (Image.style_id if noun == "style" else Image.campaign_id) == row_id)


def _summary(session: Session, which: ColumnElement[bool]) -> BrandSummary | None:
    scored = Image.shown, BrandScore.score.is_not(None), which
    joined = select(BrandScore).join(Image, Image.id == BrandScore.image_id).where(*scored)
    columns = [func.count(), func.avg(BrandScore.score)]
    columns += [func.avg(func.json_extract(BrandScore.parts, f"$.{part}")) for part in BrandPart]
    row = session.execute(joined.with_only_columns(*columns)).one()
    if not row[0]:
        return None
    lowest = session.execute(
        joined.with_only_columns(Image.id, Image.prompt, BrandScore.score)
        .order_by(BrandScore.score, Image.id)
        .limit(LOWEST)
    )
    parts = {part: value for part, value in zip(BrandPart, row[2:], strict=True) if value is not None}
    return BrandSummary(row[0], row[1], [(each[0], each[1], each[2] or 0.0) for each in lowest], parts)


_SCORES = select(BrandScore).where(BrandScore.image_id.in_(bindparam("ids", expanding=True)))


def scores(session: Session, image_ids: Iterable[int]) -> dict[int, BrandScore]:
    """The scores of these pictures, by id."""
    return {row.image_id: row for row in session.scalars(_SCORES, {"ids": list(image_ids)})}
