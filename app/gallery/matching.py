"""Translate a filter of pictures into SQL.

Conditions other than facets, such as words, become a list of ids from their own index, so that counting the facets
(`app.gallery.facets`) does not read the pictures themselves.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Float,
    Integer,
    Select,
    case,
    column,
    false,
    func,
    literal,
    literal_column,
    or_,
    select,
    table,
    true,
    union,
)
from sqlalchemy.orm import Session

from app import days
from app.accounts.queries import signed_in
from app.gallery.search import ORDERS, PictureFilter, Word, match, match_whole, words
from app.models import (
    Image,
    ImageSet,
    ImageTag,
    PictureMeasures,
    Star,
    Style,
    User,
)
from app.ranking import INSIDE, WHOLE
from app.rights.queries import made_from
from app.sets.queries import NOT_REVIEWED

MOST_LISTED = 5000  # pictures with a short word to look up one by one; more than this appear on every page
MOST_RANKED = 3000  # matches, the first by age, whose prompts are looked at to rank them
MOST_SORTED = 5000  # matches, the first by age, whose measures are looked at to sort them
WITHOUT, BEYOND = 1e9, 2e9  # sort keys of pictures without a measure, and of those that are not looked at
SHOWN_BY_SCAN = Image.shown.is_not(False)  # no index fits this, when scanning all pictures costs least
_ID_IN_ORDER = literal_column("+images.id", Integer)  # nor this: pictures are read in order, without sorting
_TEXT = Image.prompt.concat(func.coalesce(literal(" ").concat(Image.drawn_as), ""))  # as typed, and as drawn
_WORDS = table("image_words", column("rowid", Integer))


@dataclass(frozen=True)
class Search:
    """A resolved filter: its styles looked up, and words that no index covers."""

    user: User
    wanted: PictureFilter
    codes: dict[str, int]  # styles that the filter names, or that its words may name
    listed: str | None = None  # ids of pictures with the unindexed words, as JSON; None: too many, or unneeded
    edge: int | None = None  # the last picture, by age, that is ranked or sorted one by one; None: all are

    @classmethod
    def of(cls, session: Session, user: User, wanted: PictureFilter, *, to_count: bool = False) -> "Search":
        """Resolve a filter. `to_count`: scan all prompts for short words once, because all matches will be needed."""
        codes = {*wanted.style, *(word.code for word in words(wanted.q) if word.code)}
        rows = session.execute(select(Style.code, Style.id).where(Style.code.in_(codes))) if codes else None
        search = cls(user, wanted, dict(rows.all()) if rows else {})
        if to_count and search.short:
            few = select(Image.id).where(SHOWN_BY_SCAN, *map(_short, search.short)).limit(MOST_LISTED + 1)
            found = session.scalars(few).all()
            search = replace(search, listed=json.dumps(found) if len(found) <= MOST_LISTED else None)
        if not search.ranked and not wanted.measure:
            return search
        edge = search.in_order.offset((MOST_SORTED if wanted.measure else MOST_RANKED) - 1).limit(1)
        return replace(search, edge=session.scalar(edge))

    @property
    def ids(self) -> Select[int]:
        """The ids of the matches."""
        limits = (has_any(facet, values) for facet, values in self.chosen.items())
        return select(Image.id).where(Image.shown, *self.unfaceted, *limits)

    @property
    def in_order(self) -> Select[int]:
        """The ids of the matches, by age."""
        return self.ids.order_by(Image.id.asc() if self.wanted.oldest else Image.id.desc())

    def beyond(self, image_id: int) -> ColumnElement[bool]:
        """That a picture comes after another, by age."""
        return Image.id > image_id if self.wanted.oldest else Image.id < image_id

    @property
    def ranked(self) -> str:
        """The words by which the matches are ordered: those not written as a code. "": by age alone."""
        return " ".join(word.text for word in words(self.wanted.q) if not word.only_code)

    @property
    def rank(self) -> ColumnElement[int]:
        """How well a picture matches the words; its seed counts as one.

        Of very many matches, those beyond the edge are ranked by the index alone, which knows whole words between
        spaces and common punctuation: to look at a prompt takes 4 µs, and a part of a word may be in most of them.
        """
        looked: ColumnElement[int] = func.match_rank(_TEXT.concat(" ").concat(Image.seed), self.ranked, type_=Integer)
        if self.edge is None:
            return looked
        query = " AND ".join(match_whole(word) for word in words(self.wanted.q) if word.indexed and not word.only_code)
        whole = Image.id.in_(_matching(query)) if query and not self.short else false()
        return case((~self.beyond(self.edge), looked), (whole, WHOLE), else_=INSIDE)

    @property
    def badness(self) -> ColumnElement[float]:
        """The sort key of an order by a measure: the worst have the least. Of very many, only the first are sorted."""
        number = func.json_extract(PictureMeasures.numbers, f"$.{self.wanted.measure}", type_=Float)
        found = select(number).where(PictureMeasures.image_id == Image.id).scalar_subquery()
        key = func.coalesce(-found if ORDERS[self.wanted.measure].worse == "high" else found, WITHOUT)
        return key if self.edge is None else case((~self.beyond(self.edge), key), else_=BEYOND)

    @property
    def short(self) -> list[Word]:
        return [word for word in words(self.wanted.q) if not word.indexed]

    @property
    def chosen(self) -> dict[Any, Collection[Any]]:
        """The facets with a filter, and its values."""
        wanted = self.wanted
        limits: dict[Any, Collection[Any] | None] = {
            Image.decision: [None if decision == NOT_REVIEWED else decision for decision in wanted.decision] or None,
            Image.style_id: [self.codes[code] for code in wanted.style if code in self.codes] if wanted.style else None,
            Image.campaign_id: wanted.campaign or None,
            Image.owner_id: wanted.owner or None,
        }
        return {facet: values for facet, values in limits.items() if values is not None}

    @property
    def unfaceted(self) -> list[Any]:
        """The conditions other than being shown, decision, style, campaign and owner."""
        wanted = self.wanted
        conditions: list[Any] = [signed_in(self.user)]
        if wanted.since:
            conditions.append(Image.finished_at >= days.begin(wanted.since))
        if wanted.until and wanted.until < date.max:
            conditions.append(Image.finished_at < days.begin(wanted.until + timedelta(days=1)))
        if wanted.set is not None:
            conditions.append(Image.id.in_(select(Image.id).where(Image.set_id == wanted.set)))
        if wanted.reference is not None:
            sets = select(ImageSet.id).where(made_from(wanted.reference))
            conditions.append(Image.id.in_(select(Image.id).where(Image.set_id.in_(sets))))
        if wanted.tag:
            conditions.append(Image.id.in_(select(ImageTag.image_id).where(ImageTag.tag.in_(wanted.tag))))
        if wanted.starred:
            conditions.append(Image.id.in_(select(Star.image_id).where(Star.user_id == self.user.id)))
        if wanted.flagged:
            conditions.append(Image.id.in_(select(PictureMeasures.image_id).where(PictureMeasures.flagged == true())))
        return conditions + self._said()

    def _said(self) -> list[ColumnElement[bool]]:
        """Conditions that a picture has each of the words."""
        conditions = [_short(word) for word in self.short]
        if self.listed is not None:
            found = func.json_each(self.listed).table_valued(column("value", Integer))
            conditions = [Image.id.in_(select(found.c.value))]
        plain = []
        for word in (word for word in words(self.wanted.q) if word.indexed):
            style_id = self.codes.get(word.code)
            if word.only_code:
                conditions.append(Image.style_id == style_id if style_id else false())
            elif word.seed is not None or style_id:
                conditions.append(_has(word, style_id))
            else:
                plain.append(match(word))
        return [*conditions, _ID_IN_ORDER.in_(_matching(" AND ".join(plain)))] if plain else conditions


def has_any(facet: Any, values: Collection[Any]) -> ColumnElement[bool]:
    known = [value for value in values if value is not None]
    # With one value, SQLite uses the index that starts with it; with more, the one of all pictures, in order.
    among: ColumnElement[bool] = facet == known[0] if len(known) == 1 else facet.in_(known)
    if len(known) == len(values):
        return among
    return or_(among, facet.is_(None)) if known else facet.is_(None)


def _short(word: Word) -> ColumnElement[bool]:
    """Match a word too short for the index. As in the index, case is ignored, but only for ASCII."""
    found = or_(
        *(part.contains(text, autoescape=True) for text in word.spellings for part in (Image.prompt, Image.drawn_as))
    )
    return found if word.seed is None else or_(found, Image.seed == word.seed)


def _has(word: Word, style_id: int | None) -> ColumnElement[bool]:
    """Match a word in the prompt, as a seed, or as a style's code."""
    found: Any = _matching(match(word))
    if word.seed is not None:
        found = union(found, select(Image.id).where(Image.seed == word.seed))
    named = Image.id.in_(found)
    return or_(named, Image.style_id == style_id) if style_id else named


def _matching(query: str) -> Select[int]:
    return select(_WORDS.c.rowid).where(literal_column("image_words").op("MATCH")(query))
