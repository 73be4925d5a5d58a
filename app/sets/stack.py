"""The versions of a picture at one place of its set, as a stack: the newest finished one is shown, newer ones may be on
their way, older ones lie beneath.
"""

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, false, or_, select, tuple_
from sqlalchemy.orm import Session, aliased

from app.models import Image, State


def _on_page(image: Any) -> ColumnElement[bool]:
    # A first version that was cancelled is all there is; a later one that was is given up, and the older one stays.
    kept = or_(image.state != State.CANCELLED, image.version == 1)
    return and_(image.deleted_at.is_(None), image.superseded == false(), kept)


_other = aliased(Image)

# Images that a set's page has: the shown ones, and whatever is newer and may still become one or failed to.
ON_PAGE = _on_page(Image)

# Of those, one a place, by which the place is counted: the shown one, else the newest. A first version is never beside
# another: what is made again was finished once.
FACE = or_(
    Image.shown,
    Image.version == 1,
    ~exists(
        select(_other.id)
        .where(_other.set_id == Image.set_id, _other.position == Image.position, _on_page(_other))
        .where(or_(_other.shown, _other.version > Image.version))
        .correlate(Image)
    ),
)

# A newer version is in line or being made.
BEING_MADE_AGAIN = exists(
    select(_other.id)
    .where(_other.set_id == Image.set_id, _other.position == Image.position, _other.version > Image.version)
    .where(_other.state.in_([State.QUEUED, State.GENERATING]))
    .correlate(Image)
)


def restack(session: Session, set_id: int, position: int) -> None:
    """Set `superseded` and `shown` of all versions at a place, from their states: the newest that is finished and not
    deleted is shown, and supersedes all before it.

    To be called after a picture there was finished, deleted or restored. Whoever does that sets `shown` in the same
    statement, because the database wants it to fit: false with `deleted_at`, `not superseded` without.
    """
    restack_all(session, [(set_id, position)])


def restack_all(session: Session, places: Collection[tuple[int, int]]) -> None:
    """What `restack` does, at many places at once; each is a set's id and a position."""
    versions = session.scalars(
        select(Image)
        .where(tuple_(Image.set_id, Image.position).in_(places))
        .order_by(Image.version.desc())
        .execution_options(populate_existing=True)
    )
    passed = set()  # places whose shown version was met
    for image in versions:
        place = image.set_id, image.position
        stands = image.state == State.FINISHED and image.deleted_at is None
        image.superseded, image.shown = place in passed, stands and place not in passed
        if stands:
            passed.add(place)
    session.flush()
