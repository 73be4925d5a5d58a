"""Tunings: small drafts of a few prompts at several strengths and layers, scored to find a style's best setting."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, now
from app.models.drawn import DrawnColumns
from app.models.state import State
from app.models.style import StyleVersion


class Tuning(DrawnColumns, Base):
    """What the drafts show, and the looks of their references."""

    __tablename__ = "tunings"

    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    style_version_id: Mapped[int] = mapped_column(ForeignKey("style_versions.id"), index=True)
    model: Mapped[str] = mapped_column(String(255))
    prompts: Mapped[list[str]] = mapped_column(JSON)
    width: Mapped[int]  # px
    height: Mapped[int]
    steps: Mapped[int]
    guidance: Mapped[float]
    scheduler: Mapped[str] = mapped_column(String(40))
    seed: Mapped[int]  # of the first prompt; each has the next one
    looks: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # features of the references, by position
    state: Mapped[State] = mapped_column(String(16), default=State.QUEUED)
    error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(default=now)

    style_version: Mapped[StyleVersion] = relationship()
    drafts: Mapped[list["TuningDraft"]] = relationship(order_by="TuningDraft.position", cascade="all, delete-orphan")


class TuningDraft(Base):
    """One draft. Its few kilobytes are in the row, so that nothing but the row has to be removed."""

    __tablename__ = "tuning_drafts"
    __table_args__ = (UniqueConstraint("tuning_id", "position"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    tuning_id: Mapped[int] = mapped_column(ForeignKey("tunings.id", ondelete="CASCADE"))
    position: Mapped[int]  # from 1
    prompt: Mapped[int]  # its index
    strength: Mapped[float]
    layers: Mapped[list[str]] = mapped_column(JSON, default=list)  # as of a `StyleVersion`
    webp: Mapped[bytes | None] = mapped_column(LargeBinary)  # None until it is finished
    features: Mapped[dict[str, Any] | None] = mapped_column(JSON)  # `app.quality.features.Features`
