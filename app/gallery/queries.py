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

from app.accounts.authority import undoable
from app.accounts.queries import signed_in
from app.gallery.matching import Search
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
from app.sets import queries as set_queries

KEPT_DAYS = set_queries.KEPT_DAYS
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
