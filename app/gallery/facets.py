"""Count pictures by decision, style, campaign and owner: the facets of the gallery.

All counts come from one pass along one index that has every facet column (`ix_images_facets`), so a hundred thousand
pictures take milliseconds. Under filters, SQL returns the values as text, because Python counts them faster than
SQLite, which would have to sort them.
"""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    func,
    select,
    true,
)
from sqlalchemy.orm import Session

from app.accounts.queries import I_AM_ACTIVE, asks
from app.gallery.matching import SHOWN_BY_SCAN, Search, has_any
from app.gallery.queries import count
from app.gallery.search import EVERYTHING
from app.models import (
    Campaign,
    Image,
    Style,
    StyleReference,
    StyleVersion,
    User,
)
from app.sets.queries import NOT_REVIEWED

MOST_OPTIONS = 50  # per facet, besides those chosen, unless all are requested
FACETS = Image.decision, Image.style_id, Image.campaign_id, Image.owner_id


@dataclass(frozen=True)
class Option:
    """A filter value, with the number of pictures it would show."""

    value: str | int
    name: str
    count: int
    reference_id: int | None = None  # for a style


@dataclass(frozen=True)
class FacetOptions:
    """The available filter values, each field counted under the other fields' filters, so that no choice surprises."""

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


def options(session: Session, search: Search, whole: str = "") -> FacetOptions:
    """The filter values; `whole` names a facet to list completely, others list the most common."""
    counts = counts_of(session, search)
    wanted = search.wanted
    chosen = {
        "style": [search.codes[code] for code in wanted.style if code in search.codes],
        "campaign": wanted.campaign,
        "owner": wanted.owner,
    }
    counters = {"style": counts.styles, "campaign": counts.campaigns, "owner": counts.owners}
    listed = {name: _most(counters[name], chosen[name], name == whole) for name in counters}
    return FacetOptions(
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


_ALL = select(*FACETS, func.count()).where(Image.shown, I_AM_ACTIVE).group_by(*FACETS)


def counts_of(session: Session, search: Search) -> FacetCounts:
    """All counts from one pass."""
    if not search.wanted:
        return _counts_of_all(session, search.user)
    total, decisions, *others = session.execute(walk(search)).one()
    numbers = (Counter({int(value): number for value, number in _counted(values).items()}) for values in others)
    return FacetCounts(
        total, Counter({value or None: number for value, number in _counted(decisions).items()}), *numbers
    )


def _counts_of_all(session: Session, user: User) -> FacetCounts:
    """Without filters. The index has equal pictures next to each other, so SQLite counts them without sorting."""
    of_facets: tuple[Counter[Any], ...] = tuple(Counter() for _ in FACETS)
    total = 0
    for *values, number in session.execute(_ALL, asks(user)):
        total += number
        for counter, value in zip(of_facets, values, strict=True):
            counter[value] += number
    return FacetCounts(total, *of_facets)


def walk(search: Search) -> Select[*tuple[Any, ...]]:
    """Count the pictures, and list each facet's values, one per picture, under the other facets' filters."""
    limits = {facet: has_any(facet, values) for facet, values in search.chosen.items()}

    def values(facet: Any) -> ColumnElement[str]:
        others = (limit for other, limit in limits.items() if other is not facet)
        return func.group_concat(func.coalesce(facet, "")).filter(true(), *others)

    by_hand = search.short and search.listed is None
    return select(func.count().filter(true(), *limits.values()), *map(values, FACETS)).where(
        SHOWN_BY_SCAN if by_hand else Image.shown, *search.unfaceted
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
