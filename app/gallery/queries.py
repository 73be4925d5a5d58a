"""Read pictures of all sets. Everybody who is signed in sees all of them: it is a team's tool.

Three techniques list and count a hundred thousand of them within milliseconds. Pages are cut by id (keyset), so that
the thousandth costs what the first costs. All counts come from one pass along one index that has every facet column
(`ix_images_facets`) and returns the values as text: Python counts them faster than SQLite, which would have to sort
them. Other conditions, such as words, become a list of ids from their own index, so that this pass does not read the
pictures themselves.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    and_,
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
from sqlalchemy.orm import Session, joinedload

from app import days
from app.accounts.authority import undoable
from app.accounts.queries import signed_in
from app.gallery.search import EVERYTHING, PictureFilter, Word, match, words
from app.models import (
    Campaign,
    Image,
    ImageSet,
    ImageTag,
    Role,
    SavedSearch,
    Star,
    Style,
    StyleReference,
    StyleVersion,
    TagUse,
    User,
    Verdict,
    now,
)
from app.pictures import THUMBNAILS
from app.rights.queries import made_from
from app.sets import queries as set_queries
from app.sets.queries import NOT_REVIEWED

KEPT_DAYS = set_queries.KEPT_DAYS
PAGE = 60
TAGS_SUGGESTED = 100  # suggested
MOST_OPTIONS = 50  # per facet, besides those chosen, unless all are requested
MOST_CAMPAIGNS = 200
MOST_LISTED = 5000  # pictures with a short word to look up one by one; more than this appear on every page

FACETS = Image.decision, Image.style_id, Image.campaign_id, Image.owner_id
_SHOWN_BY_SCAN = Image.shown.is_not(False)  # no index fits this, when scanning all pictures costs least
_ID_IN_ORDER = literal_column("+images.id", Integer)  # nor this: pictures are read in order, without sorting
_WORDS = table("image_words", column("rowid", Integer))


@dataclass(frozen=True)
class Cell:
    """A picture as shown in the gallery."""

    id: int
    set_id: int
    prompt: str
    width: int  # px
    height: int
    sha256: str
    decision: Verdict | None
    style_name: str
    style_code: str
    owner: str
    starred: bool
    changeable: bool  # by the current user: move to another campaign, delete
    tags: tuple[str, ...] = ()
    reference_ids: tuple[int, ...] = ()  # of its style version, in order

    @property
    def thumbs(self) -> list[tuple[int, int]]:
        """The thumbnails as (side in their address, width in px), smaller first; each width once."""
        longest = max(self.width, self.height)
        widths = {round(self.width * min(1.0, side / longest)): side for side in sorted(THUMBNAILS, reverse=True)}
        return sorted((side, width) for width, side in widths.items())


@dataclass(frozen=True)
class Deleted:
    """A picture in the bin."""

    id: int
    prompt: str
    set_id: int
    set_name: str
    width: int  # px
    height: int
    sha256: str | None
    deleted_at: datetime
    deleted_by: str
    restorable: bool  # by the current user

    @property
    def days_left(self) -> int:
        """Days until its files are removed, including today."""
        return KEPT_DAYS - (now() - self.deleted_at).days


@dataclass(frozen=True)
class Option:
    """A filter value, with the number of pictures it would show."""

    value: str | int
    name: str
    count: int
    reference_id: int | None = None  # for a style


@dataclass(frozen=True)
class Options:
    """The available filter values: each field is counted under the other fields' filters, so that no choice
    surprises.
    """

    total: int  # pictures under all filters
    of: int  # all pictures
    decisions: dict[str, int]  # by verdict or NOT_REVIEWED
    styles: list[Option]  # most pictures first, like the others
    campaigns: list[Option]
    every_campaign: int  # pictures without the campaign filter
    owners: list[Option]
    left_out: dict[str, int]  # the number of unlisted values of "style", "campaign" and "owner"


@dataclass(frozen=True)
class FacetCounts:
    """Pictures per value of each facet, under the filters of the other facets."""

    total: int  # under all filters
    decisions: Counter[str | None]
    styles: Counter[int]
    campaigns: Counter[int]
    owners: Counter[int]


# Searching


@dataclass(frozen=True)
class Search:
    """A resolved filter: its styles looked up, and words that no index covers."""

    user: User
    wanted: PictureFilter
    codes: dict[str, int]  # styles that the filter names, or that its words may name
    listed: str | None = None  # ids of pictures with the unindexed words, as JSON; None: too many, or unneeded

    @classmethod
    def of(cls, session: Session, user: User, wanted: PictureFilter, *, to_count: bool = False) -> "Search":
        """Resolve a filter. `to_count`: scan all prompts for the short words once, because all matches will be
        needed.
        """
        codes = {*wanted.style, *(word.code for word in words(wanted.q) if word.code)}
        rows = session.execute(select(Style.code, Style.id).where(Style.code.in_(codes))) if codes else None
        search = cls(user, wanted, dict(rows.all()) if rows else {})
        if not to_count or not search.short:
            return search
        few = select(Image.id).where(_SHOWN_BY_SCAN, *map(_short, search.short)).limit(MOST_LISTED + 1)
        found = session.scalars(few).all()
        return replace(search, listed=json.dumps(found) if len(found) <= MOST_LISTED else None)

    @property
    def ids(self) -> Select[int]:
        """The ids of the matches."""
        limits = (_in(facet, values) for facet, values in self.chosen.items())
        return select(Image.id).where(Image.shown, *self.unfaceted, *limits)

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
                plain.append(match(word.text))
        return [*conditions, _ID_IN_ORDER.in_(_matching(" ".join(plain)))] if plain else conditions


def _in(facet: Any, values: Collection[Any]) -> ColumnElement[bool]:
    known = [value for value in values if value is not None]
    # With one value, SQLite uses the index that starts with it; with more, the one of all pictures, in order.
    among: ColumnElement[bool] = facet == known[0] if len(known) == 1 else facet.in_(known)
    if len(known) == len(values):
        return among
    return or_(among, facet.is_(None)) if known else facet.is_(None)


def _short(word: Word) -> ColumnElement[bool]:
    """Match a word too short for the index. As in the index, case is ignored, but only for ASCII."""
    found = Image.prompt.contains(word.text, autoescape=True)
    return found if word.seed is None else or_(found, Image.seed == word.seed)


def _has(word: Word, style_id: int | None) -> ColumnElement[bool]:
    """Match a word in the prompt, as a seed, or as a style's code."""
    found: Any = _matching(match(word.text))
    if word.seed is not None:
        found = union(found, select(Image.id).where(Image.seed == word.seed))
    named = Image.id.in_(found)
    return or_(named, Image.style_id == style_id) if style_id else named


def _matching(query: str) -> Select[int]:
    return select(_WORDS.c.rowid).where(literal_column("image_words").op("MATCH")(query))


# Pages


def pictures(
    session: Session, search: Search, after: int | None = None, limit: int = PAGE, upto: int | None = None
) -> list[Cell]:
    """Up to `limit` pictures in search order, after the id of the last one shown, optionally up to another id."""
    oldest = search.wanted.oldest
    order = Image.id.asc() if oldest else Image.id.desc()
    shown = search.ids.order_by(order).limit(limit)
    if after is not None:
        shown = shown.where(Image.id > after if oldest else Image.id < after)
    if upto is not None:
        shown = shown.where(Image.id <= upto if oldest else Image.id >= upto)
    starred = select(Star.image_id).where(Star.image_id == Image.id, Star.user_id == search.user.id).exists()
    rows: Sequence[Any] = session.execute(
        select(
            Image.id,
            Image.set_id,
            Image.prompt,
            ImageSet.width,
            ImageSet.height,
            Image.sha256,
            Image.decision,
            Style.name,
            Style.code,
            User.name,
            starred,
            _changeable(search.user),
        )
        .join(ImageSet, ImageSet.id == Image.set_id)
        .join(Style, Style.id == Image.style_id)
        .join(User, User.id == Image.owner_id)
        .where(Image.id.in_(shown))
        .order_by(order)
    ).all()
    cells = [Cell(*row) for row in rows]
    tags = tags_of(session, [cell.id for cell in cells])
    references = references_of(session, {cell.set_id for cell in cells})
    return [replace(cell, tags=tuple(tags[cell.id]), reference_ids=tuple(references[cell.set_id])) for cell in cells]


def _changeable(user: User) -> ColumnElement[bool]:
    """Whether `user` can move, delete and restore a picture."""
    return or_(Image.owner_id == user.id, literal(user.can(Role.MANAGER))) & ImageSet.locked_at.is_(None)


def ids(session: Session, search: Search, limit: int) -> list[int]:
    """The ids of the matches, newest first."""
    return list(session.scalars(search.ids.order_by(Image.id.desc()).limit(limit)))


def tags_of(session: Session, image_ids: Collection[int]) -> defaultdict[int, list[str]]:
    """The tags of pictures, in order."""
    by_image = defaultdict(list)
    rows = session.execute(
        select(ImageTag.image_id, ImageTag.tag).where(ImageTag.image_id.in_(image_ids)).order_by(ImageTag.tag)
    )
    for image_id, tag in rows:
        by_image[image_id].append(tag)
    return by_image


def references_of(session: Session, set_ids: Collection[int]) -> defaultdict[int, list[int]]:
    """The references that sets were made from, each once, the style version's first one first."""
    by_set: defaultdict[int, list[int]] = defaultdict(list)
    rows = session.execute(
        select(ImageSet.id, StyleReference.reference_id)
        .join(StyleReference, StyleReference.version_id == ImageSet.style_version_id)
        .where(ImageSet.id.in_(set_ids))
        .order_by(StyleReference.position)
    )
    for set_id, reference_id in rows:
        if reference_id not in by_set[set_id]:
            by_set[set_id].append(reference_id)
    return by_set


# FacetCounts


def count(session: Session, search: Search) -> int:
    """The number of matches."""
    return session.scalar(search.ids.with_only_columns(func.count())) or 0


def options(session: Session, search: Search, whole: str = "") -> Options:
    """The filter values; `whole` names a facet to list completely, others list the most common."""
    counts = facets(session, search)
    wanted = search.wanted
    chosen = {
        "style": [search.codes[code] for code in wanted.style if code in search.codes],
        "campaign": wanted.campaign,
        "owner": wanted.owner,
    }
    counters = {"style": counts.styles, "campaign": counts.campaigns, "owner": counts.owners}
    listed = {name: _most(counters[name], chosen[name], name == whole) for name in counters}
    return Options(
        total=counts.total,
        of=count(session, Search.of(session, search.user, EVERYTHING)) if wanted else counts.total,
        decisions={decision or NOT_REVIEWED: number for decision, number in counts.decisions.items()},
        styles=_style_options(session, listed["style"]),
        campaigns=_named(session, Campaign, listed["campaign"]),
        every_campaign=counts.campaigns.total(),
        owners=_named(session, User, listed["owner"]),
        left_out={name: len(counter) - len(listed[name]) for name, counter in counters.items()},
    )


def _most(counts: Counter[int], chosen: Collection[int], whole: bool) -> dict[int, int]:
    """The most common values, and chosen ones, so that they can be seen and removed."""
    counts.update(dict.fromkeys(chosen, 0))
    ranked = sorted(counts, key=lambda value: (-counts[value], value))
    most = len(ranked) if whole else MOST_OPTIONS
    return {value: counts[value] for place, value in enumerate(ranked) if place < most or value in chosen}


def facets(session: Session, search: Search) -> FacetCounts:
    """All counts from one pass."""
    total, decisions, *others = session.execute(walk(search)).one()
    numbers = (Counter({int(value): number for value, number in _counted(values).items()}) for values in others)
    return FacetCounts(
        total, Counter({value or None: number for value, number in _counted(decisions).items()}), *numbers
    )


def walk(search: Search) -> Select[*tuple[Any, ...]]:
    """The number of pictures, and per facet a comma-separated list of values, one per picture, under the other facets'
    filters.
    """
    limits = {facet: _in(facet, values) for facet, values in search.chosen.items()}

    def values(facet: Any) -> ColumnElement[str]:
        others = (limit for other, limit in limits.items() if other is not facet)
        return func.group_concat(func.coalesce(facet, "")).filter(true(), *others)

    by_hand = search.short and search.listed is None
    return select(func.count().filter(true(), *limits.values()), *map(values, FACETS)).where(
        _SHOWN_BY_SCAN if by_hand else Image.shown, *search.unfaceted
    )


def _counted(values: str | None) -> Counter[str]:
    """How often each value occurs in a comma-separated list."""
    return Counter() if values is None else Counter(values.split(","))


def _style_options(session: Session, counts: dict[int, int]) -> list[Option]:
    newest = (
        select(StyleReference.reference_id)
        .join(StyleVersion, StyleVersion.id == StyleReference.version_id)
        .where(StyleVersion.style_id == Style.id)
        .order_by(StyleVersion.number.desc(), StyleReference.position)
        .limit(1)
        .correlate(Style)
        .scalar_subquery()
    )
    rows = session.execute(select(Style.id, Style.code, Style.name, newest).where(Style.id.in_(counts)))
    return _most_first(Option(code, name, counts[id], reference_id) for id, code, name, reference_id in rows)


def _named(session: Session, of: type[Campaign] | type[User], counts: dict[int, int]) -> list[Option]:
    rows = session.execute(select(of.id, of.name).where(of.id.in_(counts)))
    return _most_first(Option(id, name, counts[id]) for id, name in rows)


def _most_first(rows: Iterable[Option]) -> list[Option]:
    return sorted(rows, key=lambda option: (-option.count, option.name))


def tags(session: Session, user: User) -> list[str]:
    """The most used tags."""
    most = select(TagUse.tag).where(signed_in(user)).order_by(TagUse.pictures.desc(), TagUse.tag).limit(TAGS_SUGGESTED)
    return list(session.scalars(most))


def campaigns(session: Session, user: User) -> list[str]:
    """The names of campaigns, newest first."""
    statement = select(Campaign.name).where(signed_in(user)).order_by(Campaign.id.desc()).limit(MOST_CAMPAIGNS)
    return list(session.scalars(statement))


# Saved searches


def searches(session: Session, user: User) -> list[SavedSearch]:
    """The saved searches of `user`, then those that others share, each by name."""
    rows = session.scalars(
        select(SavedSearch)
        .where(or_(SavedSearch.owner_id == user.id, SavedSearch.shared), signed_in(user))
        .options(joinedload(SavedSearch.owner))
        .order_by(SavedSearch.owner_id != user.id, func.lower(SavedSearch.name), SavedSearch.id)
    )
    return list(rows)


# The bin


def deleted(
    session: Session, user: User, after: tuple[datetime, int] | None = None, limit: int = PAGE
) -> list[Deleted]:
    """What can still be restored, latest deleted first; `after` is the time and id of the last one shown."""
    statement = (
        select(
            Image.id,
            Image.prompt,
            Image.set_id,
            ImageSet.name,
            ImageSet.width,
            ImageSet.height,
            Image.sha256,
            Image.deleted_at,
            func.coalesce(User.name, ""),
            _changeable(user) & undoable(user, Image.deleted_as),
        )
        .join(ImageSet, ImageSet.id == Image.set_id)
        .outerjoin(User, User.id == Image.deleted_by_id)
        .where(*_restorable(user))
        .order_by(Image.deleted_at.desc(), Image.id.desc())
        .limit(limit)
    )
    if after:
        at, last = after
        statement = statement.where(or_(Image.deleted_at < at, and_(Image.deleted_at == at, Image.id < last)))
    rows: Sequence[Any] = session.execute(statement).all()
    return [Deleted(*row) for row in rows]


def deleted_count(session: Session, user: User) -> int:
    return session.scalar(select(func.count()).select_from(Image).where(*_restorable(user))) or 0


def deleted_at_once(session: Session, user: User, at: datetime) -> list[int]:
    """The pictures that `user` deleted in one act, which share their time."""
    rows = select(Image.id).where(Image.deleted_at == at, Image.deleted_by_id == user.id, *_restorable(user))
    return list(session.scalars(rows.order_by(Image.id)))


def _restorable(user: User) -> Sequence[ColumnElement[bool]]:
    return *set_queries.restorable(), signed_in(user)


def to_purge(session: Session, before: datetime, limit: int) -> list[Image]:
    """Pictures deleted before a moment whose files still exist, oldest first."""
    rows = session.scalars(
        select(Image)
        .where(Image.deleted_at <= before, Image.purged_at.is_(None))
        .order_by(Image.deleted_at, Image.id)
        .limit(limit)
    )
    return list(rows)


def still_used(session: Session, sha256s: Iterable[str], without: Collection[int]) -> set[str]:
    """Those of these files that other pictures also use, in the bin or not."""
    others = Image.sha256.in_(sha256s), Image.id.not_in(without), Image.purged_at.is_(None)
    return set(session.scalars(select(Image.sha256).where(*others)))
