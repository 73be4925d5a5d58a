"""Read pictures of all sets. Everyone who is signed in sees all of them: it is a team's tool.

Pages are cut by id (keyset), so the thousandth page of a hundred thousand pictures costs what the first costs.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    and_,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy.orm import Session, joinedload

from app import bin
from app.accounts.authority import undoable
from app.accounts.queries import asks, signed_in
from app.campaign_names import folder
from app.gallery.matching import WITHOUT, Search
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
    TagUse,
    User,
    Verdict,
    now,
)
from app.pictures import THUMBNAILS
from app.ranking import NOTHING, WHOLE
from app.reviews import four_eyes

PAGE = 60
TAGS_SUGGESTED = 100  # suggested
MOST_CAMPAIGNS = 200


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
    own: bool  # made by the current user in a campaign in which nobody approves their own
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
        return bin.kept_days() - (now() - self.deleted_at).days


# Pages


def pictures(
    session: Session, search: Search, after: int | None = None, limit: int = PAGE, upto: int | None = None
) -> list[Cell]:
    """Up to `limit` pictures in search order, after the id of the last one shown, optionally up to another id."""
    shown = _in_order(session, search, after, limit, upto)
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
            four_eyes.OWN,
        )
        .join(ImageSet, ImageSet.id == Image.set_id)
        .join(Style, Style.id == Image.style_id)
        .join(User, User.id == Image.owner_id)
        .where(Image.id.in_(shown)),
        asks(search.user),
    ).all()
    by_id = {row[0]: Cell(*row) for row in rows}
    cells = [by_id[image_id] for image_id in shown]
    tags = tags_of(session, [cell.id for cell in cells])
    references = references_of(session, {cell.set_id for cell in cells})
    return [replace(cell, tags=tuple(tags[cell.id]), reference_ids=tuple(references[cell.set_id])) for cell in cells]


def _in_order(session: Session, search: Search, after: int | None, limit: int, upto: int | None) -> list[int]:
    """The ids of `pictures`: those that match the words best first, then by age."""
    age, beyond = Image.id.asc() if search.wanted.oldest else Image.id.desc(), search.beyond
    if search.wanted.measure:
        return _by_measure(session, search, after, limit, upto)
    if not search.ranked:
        shown = search.in_order.limit(limit)
        if after is not None:
            shown = shown.where(beyond(after))
        return list(session.scalars(shown if upto is None else shown.where(~beyond(upto))))
    limits = []
    best = WHOLE
    if after is not None:
        best = _rank_of(session, search, after)
        limits.append(or_(search.rank < best, and_(search.rank == best, beyond(after))))
    if upto is not None:
        last = _rank_of(session, search, upto)
        limits.append(or_(search.rank > last, and_(search.rank == last, ~beyond(upto))))
    matches = search.ids.where(*limits)
    found: list[int] = []
    # Where many have the whole word, the first page needs no look at all the others.
    if best == WHOLE:
        found += session.scalars(matches.where(search.rank == WHOLE).order_by(age).limit(limit))
    if len(found) < limit:
        others = matches.where(search.rank < WHOLE).order_by(search.rank.desc(), age)
        found += session.scalars(others.limit(limit - len(found)))
    return found


def _by_measure(session: Session, search: Search, after: int | None, limit: int, upto: int | None) -> list[int]:
    """The ids of `pictures` in the order of a measure, the worst first, then by age."""
    key, beyond = search.badness, search.beyond
    age = Image.id.asc() if search.wanted.oldest else Image.id.desc()
    shown = search.ids.order_by(key, age).limit(limit)
    if after is not None:
        last = _badness_of(session, search, after)
        shown = shown.where(or_(key > last, and_(key == last, beyond(after))))
    if upto is not None:
        last = _badness_of(session, search, upto)
        shown = shown.where(or_(key < last, and_(key == last, ~beyond(upto))))
    return list(session.scalars(shown))


def _badness_of(session: Session, search: Search, image_id: int) -> float:
    """The sort key of a picture; of one that never was, such as in an edited address, that of one without a measure."""
    found = session.scalar(select(search.badness).where(Image.id == image_id))
    return WITHOUT if found is None else found


def _rank_of(session: Session, search: Search, image_id: int) -> int:
    return session.scalar(select(search.rank).where(Image.id == image_id)) or NOTHING


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


# Counts


def count(session: Session, search: Search) -> int:
    """The number of matches."""
    return session.scalar(search.ids.with_only_columns(func.count())) or 0


def tags(session: Session, user: User) -> list[str]:
    """The most used tags."""
    most = select(TagUse.tag).where(signed_in(user)).order_by(TagUse.pictures.desc(), TagUse.tag).limit(TAGS_SUGGESTED)
    return list(session.scalars(most))


def campaigns(session: Session, user: User) -> list[str]:
    """The names of campaigns, newest first."""
    present = Campaign.deleted_at.is_(None), Campaign.archived_at.is_(None), signed_in(user)
    statement = select(Campaign.name).where(*present).order_by(Campaign.id.desc()).limit(MOST_CAMPAIGNS)
    return [folder(name) for name in session.scalars(statement)]


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


def values_of(search: SavedSearch | None) -> dict[str, Any] | None:
    """The values of a saved search, as JSON can hold them; None for none."""
    if search is None:
        return None
    names = ("owner_id", "name", "query", "shared")
    return {name: getattr(search, name) for name in names} | {"created_at": search.created_at.isoformat()}


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


def _restorable(user: User) -> Sequence[ColumnElement[bool]]:
    """Pictures in the bin; those of a set that is there too are listed as that set."""
    with_set = select(ImageSet.id).where(ImageSet.deleted_at.is_not(None))
    return *bin.restorable(Image), Image.set_id.not_in(with_set), signed_in(user)


def to_purge(session: Session, limit: int) -> list[Image]:
    """Pictures that were in the bin for 30 days and whose files still exist, oldest first."""
    rows = session.scalars(select(Image).where(*bin.expired(Image)).order_by(Image.deleted_at, Image.id).limit(limit))
    return list(rows)


def still_used(session: Session, sha256s: Iterable[str], without: Collection[int]) -> set[str]:
    """Those of these files that other pictures also use, in the bin or not."""
    others = Image.sha256.in_(sha256s), Image.id.not_in(without), Image.purged_at.is_(None)
    return set(session.scalars(select(Image.sha256).where(*others)))
