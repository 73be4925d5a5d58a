"""Campaigns, sets, their images and units. These tables are the only queue there is."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, now
from app.models.style import StyleVersion
from app.models.user import User


class State(StrEnum):
    """The life of an image and of a unit."""

    QUEUED = "queued"
    GENERATING = "generating"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Verdict(StrEnum):
    APPROVED = "approved"
    CHANGES_REQUESTED = "changes_requested"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


class Campaign(Base):
    """The folder that sets belong to."""

    __tablename__ = "campaigns"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(120), unique=True)
    created_by_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime] = mapped_column(default=now)


class ImageSet(Base):
    """One request: a style version, prompts, and everything needed to make it again."""

    __tablename__ = "image_sets"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"), index=True)
    style_version_id: Mapped[int] = mapped_column(ForeignKey("style_versions.id"), index=True)
    model: Mapped[str] = mapped_column(String(255))  # as SOROE_MODEL named it
    prompts: Mapped[list[str]] = mapped_column(JSON)
    negative_prompt: Mapped[str] = mapped_column(Text, default="")
    count: Mapped[int]  # images a prompt
    width: Mapped[int]  # px
    height: Mapped[int]
    steps: Mapped[int]
    guidance: Mapped[float]
    scheduler: Mapped[str] = mapped_column(String(40))
    strength: Mapped[float]  # the style's, unless the set says otherwise
    seed: Mapped[int]  # of the first image; each next image has the next seed
    # What else shapes the images; each list as `app.sets.spec` defines its items, empty without.
    structures: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    subjects: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    regions: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    seamless: Mapped[bool] = mapped_column(default=False)  # the right end goes on at the left one
    priority: Mapped[int] = mapped_column(default=0)  # higher first
    created_at: Mapped[datetime] = mapped_column(default=now, index=True)
    cancelled_at: Mapped[datetime | None]

    owner: Mapped[User] = relationship()
    campaign: Mapped[Campaign] = relationship()
    style_version: Mapped[StyleVersion] = relationship()
    images: Mapped[list["Image"]] = relationship(
        back_populates="image_set", order_by="Image.position", cascade="all, delete-orphan"
    )


class Unit(Base):
    """The piece of work given to the engine: a batch of images of one set, or the training of one subject."""

    __tablename__ = "units"
    __table_args__ = (
        Index("ix_units_state_priority", "state", "priority"),
        CheckConstraint("(set_id IS NULL) <> (subject_id IS NULL)", name="one_purpose"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    set_id: Mapped[int | None] = mapped_column(ForeignKey("image_sets.id", ondelete="CASCADE"), index=True)
    subject_id: Mapped[int | None] = mapped_column(ForeignKey("subjects.id", ondelete="CASCADE"), index=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id"))  # the set's or subject's, kept here for fair claiming
    priority: Mapped[int] = mapped_column(default=0)
    state: Mapped[State] = mapped_column(String(16), default=State.QUEUED)
    tries: Mapped[int] = mapped_column(default=0)  # at most three
    error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(default=now)
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]

    image_set: Mapped[ImageSet | None] = relationship()
    images: Mapped[list["Image"]] = relationship(back_populates="unit", order_by="Image.position")


class Image(Base):
    """One picture of a set, from queued to decided."""

    __tablename__ = "images"
    __table_args__ = (
        UniqueConstraint("set_id", "position"),
        Index("ix_images_decision_id", "decision", "id"),
        Index("ix_images_state_id", "state", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    set_id: Mapped[int] = mapped_column(ForeignKey("image_sets.id", ondelete="CASCADE"))
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("units.id", ondelete="SET NULL"), index=True)
    position: Mapped[int]  # 1, 2, ... in the set
    prompt: Mapped[str] = mapped_column(Text)
    seed: Mapped[int]
    state: Mapped[State] = mapped_column(String(16), default=State.QUEUED)
    error: Mapped[str | None] = mapped_column(Text)
    sha256: Mapped[str | None] = mapped_column(String(64))  # of the PNG; it names the files
    bytes: Mapped[int | None]
    measures: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    decision: Mapped[Verdict | None] = mapped_column(String(20))  # the latest; None: not reviewed
    created_at: Mapped[datetime] = mapped_column(default=now)
    finished_at: Mapped[datetime | None]

    image_set: Mapped[ImageSet] = relationship(back_populates="images")
    unit: Mapped[Unit | None] = relationship(back_populates="images")
