"""A few pictures of each set, for its card in a list."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, func, select, true
from sqlalchemy.orm import Session

from app.models import Image, Verdict


def mosaic(which: ColumnElement[bool] | None = None) -> Select[int, int]:
    """A statement for `mosaics`, of the pictures that match `which`."""
    order = func.row_number().over(
        partition_by=Image.set_id, order_by=(func.coalesce(Image.decision != Verdict.APPROVED, true()), Image.position)
    )
    ranked = (
        select(Image.set_id, Image.id, order.label("place"))
        .where(Image.set_id.in_(bindparam("set_ids", expanding=True)), Image.shown, true() if which is None else which)
        .subquery()
    )
    few = select(ranked.c.set_id, ranked.c.id).where(ranked.c.place <= bindparam("most"))
    return few.order_by(ranked.c.set_id, ranked.c.place)


_MOSAIC = mosaic()


def mosaics(
    session: Session,
    set_ids: Iterable[int],
    most: int,
    statement: Select[int, int] = _MOSAIC,
    values: Mapping[str, Any] = MappingProxyType({}),
) -> list[tuple[int, int]]:
    """Up to `most` shown images of each set, as (set id, image id), approved first; `values` of a statement's own."""
    rows = session.execute(statement, {"set_ids": list(set_ids), "most": most, **values})
    return [(set_id, image_id) for set_id, image_id in rows]
