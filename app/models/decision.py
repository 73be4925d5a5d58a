"""Decisions: people's verdicts on an image. Append-only."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, now
from app.models.user import User


class Verdict(StrEnum):
    APPROVED = "approved"
    CHANGES_REQUESTED = "changes_requested"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


class Decision(Base):
    """One person's verdict. Their newest one stands until they or a manager withdraw it."""

    __tablename__ = "decisions"

    id: Mapped[int] = mapped_column(primary_key=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    verdict: Mapped[Verdict] = mapped_column(String(20))
    reason: Mapped[str] = mapped_column(String(120), default="")  # of a rejection, as worded in the team's list
    # The decision that a withdrawal takes back; None for an old one that took back all before it.
    withdraws_id: Mapped[int | None] = mapped_column(ForeignKey("decisions.id", ondelete="CASCADE"))
    created_at: Mapped[datetime] = mapped_column(default=now)

    user: Mapped[User] = relationship()
