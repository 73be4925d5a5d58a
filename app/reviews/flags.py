"""What was measured of a picture under review. Flags order and explain; they never decide."""

from functools import cache
from typing import Any, NamedTuple, cast

from sqlalchemy import Select, bindparam, select
from sqlalchemy.orm import Session

from app.accounts.queries import I_AM_ACTIVE
from app.measures.queries import COLUMNS, MeasuredPicture
from app.models import Image, PictureMeasures, User
from app.reviews.pending import next_flagged_of
from app.reviews.scoping import Scope


class UnderReview(NamedTuple):
    found: MeasuredPicture | None  # None if it was never shown
    next_flagged_id: int | None  # the next one that waits and is flagged, wrapping around


def of(session: Session, user: User, scope: Scope, image: Image) -> UnderReview:
    """What was measured of a picture, and the next flagged one of its review, in one statement."""
    here = {"here_set": image.set_id, "here_position": image.position, "after": image.id}
    row: Any = session.execute(_of(scope.shape), scope.asks(user) | here | {"image_id": image.id}).first()
    if row is None:
        return UnderReview(None, None)
    found = MeasuredPicture(*row[:-1])
    return UnderReview(None if found.due is None else found, row[-1])


@cache
def _of(shape: frozenset[str]) -> Select[Any]:
    statement = (
        select(*COLUMNS, next_flagged_of(shape))
        .outerjoin(PictureMeasures, PictureMeasures.image_id == Image.id)
        .where(Image.id == bindparam("image_id"), I_AM_ACTIVE)
    )
    return cast(Any, statement)  # type: ignore[no-any-return]  # of more columns than it can name
