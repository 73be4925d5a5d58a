"""Columns of what can be archived, and of what can be in the bin."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, declared_attr, mapped_column, relationship

from app.models.user import Role, User


class ArchiveColumns:
    """Left out of lists and choices while archived; whatever uses it keeps it."""

    archived_at: Mapped[datetime | None]
    archived_as: Mapped[Role | None] = mapped_column(String(16))  # the archiver's role at the time


class BinColumns:
    """In the bin from `deleted_at`; after 30 days removed for good, with its files. Its row stays for the audit log.

    What was deleted together has the same time, and is restored together.
    """

    deleted_at: Mapped[datetime | None]
    deleted_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    deleted_as: Mapped[Role | None] = mapped_column(String(16))  # the role they had then
    purged_at: Mapped[datetime | None]  # its files are permanently deleted

    @declared_attr
    def deleted_by(cls) -> Mapped[User | None]:
        table: Any = cls
        return relationship(foreign_keys=[table.deleted_by_id])
