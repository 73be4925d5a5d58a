"""Units: pieces of work for the engine. This table is the only queue."""

from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, now
from app.models.image_set import ImageSet
from app.models.state import State

if TYPE_CHECKING:
    from app.models.image import Image


class Unit(Base):
    """A piece of work for the engine: a batch of images of one set, or the training of one subject."""

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
    tries: Mapped[int] = mapped_column(default=0)  # that failed; at most three
    crashes: Mapped[int] = mapped_column(default=0)  # of the engine during it; three, then held
    error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(default=now)
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]

    image_set: Mapped[ImageSet | None] = relationship()
    images: Mapped[list["Image"]] = relationship(back_populates="unit", order_by="Image.position")
