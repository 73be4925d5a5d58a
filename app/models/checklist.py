"""Checklists: what a reviewer answers about a picture before approving it, and the answers."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, UniqueConstraint, func, select
from sqlalchemy.orm import Mapped, column_property, mapped_column, relationship

from app.models.base import Base, now
from app.models.user import User


class ItemAnswer(StrEnum):
    FINE = "fine"
    NOT_FINE = "not_fine"
    NOT_APPLICABLE = "not_applicable"


class ChecklistVersion(Base):
    """The items of a list after a change. Append-only."""

    __tablename__ = "checklist_versions"
    __table_args__ = (UniqueConstraint("checklist_id", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    checklist_id: Mapped[int] = mapped_column(ForeignKey("checklists.id"))
    number: Mapped[int]  # 1, 2, ...; 0 is the list as it was delivered or created
    items: Mapped[list[dict[str, str]] | None] = mapped_column(JSON(none_as_null=True))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime] = mapped_column(default=now)

    user: Mapped[User] = relationship()


class Checklist(Base):
    """A list for a market, which comes with the app and can be edited, or one of the team's own."""

    __tablename__ = "checklists"

    id: Mapped[int] = mapped_column(primary_key=True)
    market: Mapped[str | None] = mapped_column(String(8), unique=True)  # such as "jp"; None for one of the team's own
    name: Mapped[str] = mapped_column(String(80))  # of a market in English, which pages translate
    # In order; each at least a `key`, and its words if people wrote it. None: all of the market's, as delivered.
    items: Mapped[list[dict[str, str]] | None] = mapped_column(JSON(none_as_null=True))
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))  # None: it came with the app
    created_at: Mapped[datetime] = mapped_column(default=now)
    deleted_at: Mapped[datetime | None]  # rows stay, because answers name them

    # The number of the latest change
    version: Mapped[int] = column_property(
        select(func.coalesce(func.max(ChecklistVersion.number), 0))
        .where(ChecklistVersion.checklist_id == id)
        .correlate_except(ChecklistVersion)
        .scalar_subquery()
    )


class ChecklistAnswers(Base):
    """What a person has answered about a picture, also before they decide."""

    __tablename__ = "checklist_answers"
    __table_args__ = (UniqueConstraint("image_id", "user_id", "checklist_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id", ondelete="CASCADE"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    checklist_id: Mapped[int] = mapped_column(ForeignKey("checklists.id"))
    # By the item's key: its `stamp` (which words were answered), the `answer`, and a `note`.
    answers: Mapped[dict[str, dict[str, str]]] = mapped_column(JSON)
    saved_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)


class ChecklistSheet(Base):
    """Answered lists as a decision was made on them, word for word. Decisions with the same answers share one."""

    __tablename__ = "checklist_sheets"

    id: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)  # of the content, as `app.customs.sheets` writes it
    lists: Mapped[list[int]] = mapped_column(JSON)  # ids
    content: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(default=now)
