"""The stack of versions at one position of a set.

The newest finished version is shown; newer ones may be in progress, older ones are underneath.
"""

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, false, or_, select, tuple_
from sqlalchemy.orm import Session, aliased

from app.models import Image, State


def _on_page(image: Any) -> ColumnElement[bool]:
    # A cancelled first version is all there is; a cancelled later one does not count, and the older one stays.
    kept = or_(image.state != State.CANCELLED, image.version == 1)
    return and_(image.deleted_at.is_(None), image.superseded == false(), kept)


_other = aliased(Image)

# The images on a set's page: the shown ones, and newer ones that may still become shown or failed to.
ON_PAGE = _on_page(Image)

# One of these per position, which the position counts by: the shown one, else the newest. A first version never
# competes with another: only finished pictures are redone.
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

# A newer version is queued or running.
BEING_MADE_AGAIN = exists(
    select(_other.id)
    .where(_other.set_id == Image.set_id, _other.position == Image.position, _other.version > Image.version)
    .where(_other.state.in_([State.QUEUED, State.GENERATING]))
    .correlate(Image)
)


def restack(session: Session, set_id: int, position: int) -> None:
    """Update `superseded` and `shown` of all versions at a position from their states.

    The newest that is finished and not deleted is shown, and supersedes all before it. Call this after a picture there
    was finished, deleted or restored. That statement must also set `shown`, because of a database constraint: false
    with `deleted_at`, `not superseded` without.
    """
    restack_all(session, [(set_id, position)])


def restack_all(session: Session, places: Collection[tuple[int, int]]) -> None:
    """What `restack` does, for many positions at once; each is a set's id and a position."""
    versions = session.scalars(
        select(Image)
        .where(tuple_(Image.set_id, Image.position).in_(places))
        .order_by(Image.version.desc())
        .execution_options(populate_existing=True)
    )
    passed = set()  # positions whose shown version was found
    for image in versions:
        place = image.set_id, image.position
        stands = image.state == State.FINISHED and image.deleted_at is None
        image.superseded, image.shown = place in passed, stands and place not in passed
        if stands:
            passed.add(place)
    session.flush()
