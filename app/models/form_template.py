"""Saved settings of the form of a new set, and the prompts that someone used last."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, now
from app.models.user import User


class TemplateKind(StrEnum):
    SET = "set"  # everything but prompts, name and seed
    NEGATIVE = "negative"  # the negative prompt alone


class FormTemplate(Base):
    """A person's own, or shared with everyone."""

    __tablename__ = "form_templates"
    __table_args__ = (
        Index(
            "uq_form_templates_owner_id_kind_name",
            "owner_id",
            "kind",
            "name",
            unique=True,
            sqlite_where=text("deleted_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    kind: Mapped[TemplateKind] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(String(60))
    values: Mapped[dict[str, Any]] = mapped_column(JSON)  # of the form, by field
    shared: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(default=now)
    deleted_at: Mapped[datetime | None]  # can be restored for 30 days

    owner: Mapped[User] = relationship()


class RecentPrompt(Base):
    """A prompt that someone used, once however often."""

    __tablename__ = "recent_prompts"
    __table_args__ = (UniqueConstraint("owner_id", "prompt"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    prompt: Mapped[str] = mapped_column(Text)
    used_at: Mapped[datetime] = mapped_column(default=now)
