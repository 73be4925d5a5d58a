"""Read the campaigns as lists show them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Row, bindparam, func, literal, null, or_, select, tuple_, union_all
from sqlalchemy.orm import Session

from app import matching
from app.accounts.queries import I_AM_ACTIVE, asks
from app.models import BrandScore, Campaign, Image, ImageSet, State, User, Verdict

PAGE = 50  # listed at a time


@dataclass(frozen=True)
class CampaignRow:
    id: int
    name: str
    approved: int
    total: int  # pictures that are shown, and those that are being generated for the first time
    on_brand: int | None  # the mean score of its pictures by the brand rules; None without any
    least_on_brand: int | None


_newest = (
    select(ImageSet.campaign_id, func.max(ImageSet.id).label("set_id"))
    .where(ImageSet.deleted_at.is_(None))
    .group_by(ImageSet.campaign_id)
    .subquery()
)
_last_set = func.coalesce(_newest.c.set_id, 0)
_has_pictures = select(Image.id).where(Image.campaign_id == Campaign.id, Image.shown).exists()
_CAMPAIGNS = (
    select(Campaign.id, Campaign.name)
    .outerjoin(_newest, _newest.c.campaign_id == Campaign.id)
    .where(Campaign.archived_at.is_not(None) == bindparam("archived"), Campaign.deleted_at.is_(None), I_AM_ACTIVE)
    .where(or_(_newest.c.set_id.is_not(None), bindparam("empty"), _has_pictures))
    .order_by(_last_set.desc(), Campaign.id.desc())
)
_MINE = Image.campaign_id.in_(bindparam("ids", expanding=True))
_COUNTS = union_all(
    select(
        Image.campaign_id,
        func.count().label("total"),
        func.count().filter(Image.decision == Verdict.APPROVED).label("approved"),
        null().label("mean"),
        null().label("least"),
    )
    .where(Image.shown, _MINE)
    .group_by(Image.campaign_id),
    select(Image.campaign_id, func.count(), literal(0), null(), null())
    .where(Image.state.in_([State.QUEUED, State.GENERATING]), Image.version == 1, Image.deleted_at.is_(None), _MINE)
    .group_by(Image.campaign_id),
    select(Image.campaign_id, literal(0), literal(0), func.avg(BrandScore.score), func.min(BrandScore.score))
    .join(BrandScore, BrandScore.image_id == Image.id)
    .where(Image.shown, BrandScore.score.is_not(None), _MINE)
    .group_by(Image.campaign_id),
)
_AFTER = tuple_(_last_set, Campaign.id) < tuple_(
    select(func.coalesce(func.max(ImageSet.id), 0))
    .where(ImageSet.campaign_id == bindparam("after"), ImageSet.deleted_at.is_(None))
    .scalar_subquery(),
    bindparam("after"),
)


def listed(
    session: Session,
    user: User,
    archived: bool = False,
    empty: bool = False,
    after: int | None = None,
    limit: int | None = None,
    words: str = "",
) -> list[CampaignRow]:
    """Campaigns that are not in the bin, those with the newest sets first; with `words`, the best matches first.

    Those that are `archived`, or only the others; and those that are `empty` too. `after` is the id of the last one
    shown, and without a `limit` all are listed.
    """
    wanted = {"archived": archived, "empty": empty} | ({} if after is None or words else {"after": after})
    if words:
        statement = matching.listed(session, _CAMPAIGNS.order_by(None), Campaign, Campaign.name, words, after)
    else:
        statement = _CAMPAIGNS if after is None else _CAMPAIGNS.where(_AFTER)
    found = session.execute(statement.limit(limit), asks(user) | wanted).all()
    approved, total = Counter[int](), Counter[int]()
    scores: dict[int, tuple[int, int]] = {}
    for campaign_id, pictures, good, mean, least in session.execute(_COUNTS, {"ids": [row.id for row in found]}):
        total[campaign_id] += pictures
        approved[campaign_id] += good
        if mean is not None:
            scores[campaign_id] = round(mean), round(least)
    return [
        CampaignRow(row.id, row.name, approved[row.id], total[row.id], *scores.get(row.id, (None, None)))
        for row in found
    ]


def choices(session: Session, user: User) -> Sequence[Row[int, str]]:
    """The `id` and `name` of all campaigns that are neither archived nor empty, in the order of `listed`.

    To choose from: their pictures are not counted, which would take longer than all else on a page.
    """
    return session.execute(_CAMPAIGNS, asks(user) | {"archived": False, "empty": False}).all()
