"""Scores pictures by the brand rules that apply to them, in the background, when rules or what they judge changes.

A score is stored with a stamp of what it was computed from, so a restart loses nothing, and pages only read numbers.
"""

import asyncio
from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from typing import Any

from sqlalchemy import Integer, Select, String, bindparam, case, cast, column, delete, func, literal, or_, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.orm import Session

from app.background import BackgroundLoop
from app.blocked.matching import BlockedEntry, Matcher, folded
from app.brand import queries
from app.database import Database
from app.effects import Happened
from app.measures.jobs import readable
from app.models import (
    Act,
    BrandScore,
    BrandVersion,
    Checklist,
    ChecklistSheet,
    Decision,
    Image,
    ItemAnswer,
    PictureFeatures,
    PictureMeasures,
)
from app.quality.brand import BrandRules, OnBrand, on_brand

PART = 100  # pictures per transaction
ACTS = (Act.BRAND_CHANGE, Act.DECIDE, Act.IMAGE_MOVE, Act.SET_MOVE, Act.CHECKLIST_DELETE, Act.CHECKLIST_RESTORE)
EVERY_SECONDS = 60.0  # for what no act announces, such as features that were just measured

_asked = func.json_each(BrandVersion.rules, "$.checks").table_valued(column("value", Integer)).alias("asked")
_no_more = (  # the checklists of a version that were deleted since, such as "~3,7"; NULL if all are there
    select(literal("~").concat(func.group_concat(_asked.c.value)))
    .select_from(_asked)
    .where(_asked.c.value.not_in(select(Checklist.id).where(Checklist.deleted_at.is_(None))))
    .correlate(BrandVersion)
    .scalar_subquery()
)
_newest = (  # once, not for each picture
    select(
        BrandVersion.style_id,
        BrandVersion.campaign_id,
        cast(BrandVersion.id, String).concat(func.coalesce(_no_more, literal(""))).label("id"),
    )
    .where(
        BrandVersion.id.in_(select(func.max(BrandVersion.id)).group_by(BrandVersion.style_id, BrandVersion.campaign_id))
    )
    .cte("newest_rules")
    .prefix_with("MATERIALIZED")
)
_of_style, _of_campaign = _newest.alias("of_style"), _newest.alias("of_campaign")
_has_rules = or_(  # as conditions that indexes answer: most pictures have no rules
    Image.style_id.in_(select(BrandVersion.style_id).where(BrandVersion.style_id.is_not(None))),
    Image.campaign_id.in_(select(BrandVersion.campaign_id).where(BrandVersion.campaign_id.is_not(None))),
)
_measured = case((PictureMeasures.due, literal("")), else_=func.coalesce(PictureMeasures.made_with, literal("")))
# What a score is computed from: the newest rules of the style and of the campaign, and the version of the features.
_STAMP = (
    func.coalesce(_of_style.c.id, literal("-"))
    .concat(literal("/"))
    .concat(func.coalesce(_of_campaign.c.id, literal("-")))
    .concat(literal("/"))
    .concat(func.coalesce(_measured, literal("")))
)


def _due() -> Select[int, int, int, str, str | None, str]:
    """Pictures with rules whose score is missing, or of other rules or features."""
    return (
        select(Image.id, Image.style_id, Image.campaign_id, Image.prompt, Image.drawn_as, _STAMP.label("stamp"))
        .outerjoin(_of_style, _of_style.c.style_id == Image.style_id)
        .outerjoin(_of_campaign, _of_campaign.c.campaign_id == Image.campaign_id)
        .outerjoin(PictureMeasures, PictureMeasures.image_id == Image.id)
        .outerjoin(BrandScore, BrandScore.image_id == Image.id)
        .where(Image.shown, _has_rules, or_(BrandScore.image_id.is_(None), BrandScore.stamp != _STAMP))
        .order_by(Image.id.desc())
        .limit(PART)
    )


_DUE = _due()


class BrandScorer:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.background = BackgroundLoop(
            partial(asyncio.to_thread, self.work),
            "brand",
            trouble="pictures could not be scored by brand rules",
            seconds=EVERY_SECONDS,
        )
        database.listen(self._hear)

    def _hear(self, notes: Sequence[Any]) -> None:
        if any(getattr(note, "act", None) in ACTS for note in notes):
            self.background.wake()

    def work(self) -> None:
        """Score what is due, a part at a time, until nothing is left or the server stops. Raises CannotSave."""
        while not (self.background.stopping.is_set() or self.database.storage.pause) and self._step():
            pass

    def _step(self) -> bool:
        with self.database.read() as session:
            found = scored(session)
        if found:
            with self.database.write() as session:
                keep(session, found)
        return bool(found)


def scored(session: Session) -> list[dict[str, Any]]:
    """The next scores to store, as rows; none if all are as they should be."""
    due = session.execute(_DUE).all()
    ids = [row.id for row in due]
    wanted = select(PictureFeatures.image_id, PictureFeatures.data).where(PictureFeatures.image_id.in_(ids))
    features = {row.image_id: row.data for row in session.execute(wanted)}
    rules = {pair: queries.rules_for(session, *pair) for pair in {(row.style_id, row.campaign_id) for row in due}}
    decided = _decided(session, ids)
    answers = _answers(session, list(decided.values()))
    rows = []
    for row in due:
        own = rules[row.style_id, row.campaign_id]
        text = f"{row.prompt}\n{row.drawn_as or ''}"
        found = _score(own, features.get(row.id), text, answers.get(row.id)) if own else None
        rows.append(
            {
                "image_id": row.id,
                "stamp": row.stamp,
                "score": found.score if found else None,
                "parts": {str(part): value for part, value in found.parts.items()} if found else {},
                "decided": decided.get(row.id),
            }
        )
    return rows


def keep(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Store scores, but those of pictures that somebody decided on since: they are scored again."""
    decided = _decided(session, [row["image_id"] for row in rows])
    columns = "image_id", "stamp", "score", "parts"
    same = [{name: row[name] for name in columns} for row in rows if row["decided"] == decided.get(row["image_id"])]
    statement = insert(BrandScore)
    new = {name: statement.excluded[name] for name in columns[1:]}
    if same:
        session.execute(statement.on_conflict_do_update(index_elements=["image_id"], set_=new), same)


def forget(session: Session, happened: Happened) -> None:
    """Have pictures scored again whose decisions changed, since rules can require checks."""
    ids = [row.id for row in happened.rows if isinstance(row, Image)]
    session.execute(delete(BrandScore).where(BrandScore.image_id.in_(ids)))


def _score(rules: BrandRules, data: bytes | None, text: str, answers: Mapping[int, bool] | None) -> OnBrand | None:
    checks = None
    if rules.checks and answers is not None:
        checks = sum(answers.get(each, False) for each in rules.checks) / len(rules.checks)
    return on_brand(
        rules, readable(data) if data else None, words_found=bool(_matcher(rules.words).find(text)), checks_kept=checks
    )


@lru_cache(maxsize=32)
def _matcher(words: tuple[str, ...]) -> Matcher:
    return Matcher(tuple(BlockedEntry(word, folded(word), "", True) for word in words))


_NEWEST_DECISIONS = (
    select(Decision.image_id, func.max(Decision.id).label("id"))
    .where(Decision.image_id.in_(bindparam("ids", expanding=True)))
    .group_by(Decision.image_id)
)


def _decided(session: Session, ids: Sequence[int]) -> dict[int, int]:
    """The newest decision on each picture, by the picture's id."""
    return {row.image_id: row.id for row in session.execute(_NEWEST_DECISIONS, {"ids": list(ids)})}


def _answers(session: Session, ids: Sequence[int]) -> dict[int, dict[int, bool]]:
    """By picture, for each checklist that these decisions answered: whether nothing in it is not fine."""
    rows = session.execute(
        select(Decision.image_id, ChecklistSheet)
        .outerjoin(ChecklistSheet, ChecklistSheet.id == Decision.sheet_id)
        .where(Decision.id.in_(ids))
    )
    return {image_id: _kept(sheet) for image_id, sheet in rows}


def _kept(sheet: ChecklistSheet | None) -> dict[int, bool]:
    if sheet is None:
        return {}
    return {
        each["id"]: all(item["answer"] != ItemAnswer.NOT_FINE for item in each["items"])
        for each in sheet.content["lists"]
    }
