"""Campaigns: the folders that sets belong to, each with its review rules."""

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, now
from app.models.filed import ArchiveColumns, BinColumns
from app.models.user import User


class Campaign(ArchiveColumns, BinColumns, Base):
    """The folder that sets belong to."""

    __tablename__ = "campaigns"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(120), unique=True)
    approvals_needed: Mapped[int] = mapped_column(default=1)  # people who must approve a picture, 1 to 5
    four_eyes: Mapped[bool] = mapped_column(default=True, index=True)  # nobody approves their own pictures
    # Ids of the lists to answer before a picture is approved, in order.
    checklists: Mapped[list[int]] = mapped_column(JSON, default=list)
    created_by_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime] = mapped_column(default=now)

    created_by: Mapped[User] = relationship(foreign_keys=created_by_id)
