"""The bin: what was deleted can be restored for some days (`SOROE_BIN_DAYS`), by the same role or a higher one.

The rules of pictures, sets, campaigns, styles, subjects and references alike. What is deleted together gets one time,
by which it is restored together.
"""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement

from app.accounts import authority
from app.models import Role, User, now
from app.models.filed import BinColumns

_kept_days = 30  # of this process, set by `use` at its start


def use(days: int) -> None:
    """Keep what is deleted for this many days from now on."""
    global _kept_days  # noqa: PLW0603  (a process has one)
    _kept_days = days


def kept_days() -> int:
    """How many days what was deleted can be restored."""
    return _kept_days


def put(row: BinColumns, user: User, at: datetime) -> None:
    row.deleted_at, row.deleted_by_id, row.deleted_as = at, user.id, Role(user.role)


def take_out(row: BinColumns) -> None:
    row.deleted_at = row.deleted_by_id = row.deleted_as = None


def over(row: BinColumns) -> bool:
    """Whether something in the bin can no longer be restored."""
    return bool(row.purged_at) or (row.deleted_at is not None and row.deleted_at <= now() - timedelta(days=_kept_days))


def restorable(table: type[BinColumns]) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Conditions that a row is in the bin and can be restored."""
    return table.deleted_at > now() - timedelta(days=_kept_days), table.purged_at.is_(None)


def expired(table: type[BinColumns]) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Conditions that a row's time in the bin is over, and it was not removed for good yet."""
    return table.deleted_at <= now() - timedelta(days=_kept_days), table.purged_at.is_(None)


def may_take_out(user: User, row: BinColumns) -> bool:
    """Whether `user`'s role is high enough; the relation to the thing also counts."""
    return row.deleted_at is not None and not over(row) and authority.may_undo(user, row.deleted_as)


def days_left(row: BinColumns) -> int:
    """Days until it is removed for good, including today."""
    return _kept_days - (now() - row.deleted_at).days if row.deleted_at else _kept_days
