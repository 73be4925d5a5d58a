"""Lists cut by id (keyset): the newest first or, with words, those that match them best."""

from typing import Any, TypeVarTuple

from sqlalchemy import ColumnElement, Integer, Select, and_, func, or_, select, true
from sqlalchemy.orm import Session

from app.ranking import NOTHING

T = TypeVarTuple("T")


def listed(session: Session, statement: Select[*T], row: Any, text: Any, words: str, after: int | None) -> Select[*T]:
    """`statement` in order, from `row.id` `after` on; with `words`, only rows whose `text` has them."""
    if not words:
        return statement.where(true() if after is None else row.id < after).order_by(row.id.desc())
    rank: ColumnElement[int] = func.match_rank(text, words, type_=Integer)
    found = statement.where(rank > NOTHING).order_by(rank.desc(), row.id.desc())
    if after is None:
        return found
    last = session.scalar(select(rank).where(row.id == after)) or NOTHING
    return found.where(or_(rank < last, and_(rank == last, row.id < after)))
