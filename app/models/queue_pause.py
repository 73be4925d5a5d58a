"""Pauses of the whole queue by an administrator: at most one is current, the one without an end."""

from datetime import datetime

from sqlalchemy import ForeignKey, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, now
from app.models.user import User


class QueuePause(Base):
    """From `created_at` until `ended_at` nothing is claimed; what ran at the beginning still ended."""

    __tablename__ = "queue_pauses"
    id: Mapped[int] = mapped_column(primary_key=True)
    reason: Mapped[str] = mapped_column(Text, default="")  # for the people who wait
    paused_by_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime] = mapped_column(default=now)
    ended_at: Mapped[datetime | None]

    paused_by: Mapped[User] = relationship()
