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
    # Of a rejection, as worded in the team's list; of requested changes, the items of checklists that are not fine.
    reason: Mapped[str] = mapped_column(String(500), default="")
    sheet_id: Mapped[int | None] = mapped_column(ForeignKey("checklist_sheets.id"))  # the checklists as answered
    # The campaign whose rules it met; None if it is not known.
    campaign_id: Mapped[int | None] = mapped_column(ForeignKey("campaigns.id"))
    # The decision that a withdrawal takes back; None for an old one that took back all before it.
    withdraws_id: Mapped[int | None] = mapped_column(ForeignKey("decisions.id", ondelete="CASCADE"))
    undoes: Mapped[bool] = mapped_column(default=False)  # a withdrawal as if that decision had never been made
    created_at: Mapped[datetime] = mapped_column(default=now)

    user: Mapped[User] = relationship()


class KeptApproval(Base):
    """An approval from another campaign that counted in this one when this began to require more checklists."""

    __tablename__ = "kept_approvals"

    decision_id: Mapped[int] = mapped_column(ForeignKey("decisions.id", ondelete="CASCADE"), primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"), primary_key=True)
