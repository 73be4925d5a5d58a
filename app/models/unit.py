"""Units: pieces of work for the engine. This table is the only queue."""

from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, now
from app.models.image_set import ImageSet
from app.models.state import State
from app.models.user import Role

if TYPE_CHECKING:
    from app.models.image import Image


class Unit(Base):
    """A piece of work for the engine: a batch of images of one set, the training of one subject, a strip, and so on."""

    __tablename__ = "units"
    __table_args__ = (
        Index("ix_units_state_priority", "state", "priority"),
        CheckConstraint(
            "(set_id IS NOT NULL) + (subject_id IS NOT NULL) + (strip_id IS NOT NULL) + (tuning_id IS NOT NULL)"
            " + (map_id IS NOT NULL) = 1",
            name="one_purpose",
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    set_id: Mapped[int | None] = mapped_column(ForeignKey("image_sets.id", ondelete="CASCADE"), index=True)
    subject_id: Mapped[int | None] = mapped_column(ForeignKey("subjects.id", ondelete="CASCADE"), index=True)
    strip_id: Mapped[int | None] = mapped_column(ForeignKey("strips.id", ondelete="CASCADE"), index=True)
    tuning_id: Mapped[int | None] = mapped_column(ForeignKey("tunings.id", ondelete="CASCADE"), index=True)
    map_id: Mapped[int | None] = mapped_column(ForeignKey("style_maps.id", ondelete="CASCADE"), index=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id"))  # the set's or subject's, kept here for fair claiming
    priority: Mapped[int] = mapped_column(default=0)
    state: Mapped[State] = mapped_column(String(16), default=State.QUEUED)
    tries: Mapped[int] = mapped_column(default=0)  # that failed; at most three
    crashes: Mapped[int] = mapped_column(default=0)  # of the engine during it; three, then held
    place: Mapped[int | None]  # its turn among those of the same priority and owner; None: its id
    paused_at: Mapped[datetime | None]  # it is not claimed until resumed; what runs then still ends
    paused_as: Mapped[Role | None] = mapped_column(String(16))  # the role of who paused it, at that time
    error: Mapped[str | None] = mapped_column(Text)
    retry_at: Mapped[datetime | None]  # after a failure: not before
    created_at: Mapped[datetime] = mapped_column(default=now)
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]

    image_set: Mapped[ImageSet | None] = relationship()
    images: Mapped[list["Image"]] = relationship(back_populates="unit", order_by="Image.position")
