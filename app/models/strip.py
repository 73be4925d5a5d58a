"""Strips: small drafts of one prompt at several strengths, made to choose one, and kept for a short time."""

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, now
from app.models.drawn import DrawnColumns
from app.models.ingredient import Parts, SetRegion, SetStructure, SetSubject
from app.models.state import State
from app.models.style import StyleVersion


class Strip(DrawnColumns, Base):
    """What the drafts show: as in a set, but smaller and with fewer steps."""

    __tablename__ = "strips"

    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    style_version_id: Mapped[int] = mapped_column(ForeignKey("style_versions.id"))
    model: Mapped[str] = mapped_column(String(255))
    prompt: Mapped[str] = mapped_column(Text)
    negative_prompt: Mapped[str] = mapped_column(Text)
    width: Mapped[int]  # px
    height: Mapped[int]
    steps: Mapped[int]
    guidance: Mapped[float]
    scheduler: Mapped[str] = mapped_column(String(40))
    seed: Mapped[int]  # of every draft
    structures: Mapped[tuple[SetStructure, ...]] = mapped_column(Parts(SetStructure), default=())
    subjects: Mapped[tuple[SetSubject, ...]] = mapped_column(Parts(SetSubject), default=())
    regions: Mapped[tuple[SetRegion, ...]] = mapped_column(Parts(SetRegion), default=())
    seamless: Mapped[bool] = mapped_column(default=False)
    state: Mapped[State] = mapped_column(String(16), default=State.QUEUED)
    error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(default=now)

    style_version: Mapped[StyleVersion] = relationship()
    drafts: Mapped[list["StripDraft"]] = relationship(order_by="StripDraft.position", cascade="all, delete-orphan")


class StripDraft(Base):
    """One draft. Its few kilobytes are in the row, so that nothing but the row has to be removed."""

    __tablename__ = "strip_drafts"
    __table_args__ = (UniqueConstraint("strip_id", "position"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    strip_id: Mapped[int] = mapped_column(ForeignKey("strips.id", ondelete="CASCADE"))
    position: Mapped[int]  # from 1
    strength: Mapped[float]
    webp: Mapped[bytes | None] = mapped_column(LargeBinary)  # None until it is finished
