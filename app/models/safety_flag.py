"""Pictures that the safety classifier flagged."""

from datetime import datetime

from sqlalchemy import ForeignKey, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, now
from app.models.image import Image
from app.models.user import User


class SafetyFlag(Base):
    """A flagged picture: blurred, and not to be approved, until a reviewer clears it."""

    __tablename__ = "safety_flags"

    id: Mapped[int] = mapped_column(primary_key=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id"), unique=True)
    score: Mapped[float]  # 0 to 1
    created_at: Mapped[datetime] = mapped_column(default=now)
    cleared_at: Mapped[datetime | None]
    cleared_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    reason: Mapped[str] = mapped_column(Text, default="")

    image: Mapped[Image] = relationship()
    cleared_by: Mapped[User | None] = relationship()
