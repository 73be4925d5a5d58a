"""Roles whose people must have a second factor."""

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, now
from app.models.user import Role


class FactorDemand(Base):
    """Demanded of everyone with this role, as long as the row exists."""

    __tablename__ = "factor_demands"

    id: Mapped[int] = mapped_column(primary_key=True)
    role: Mapped[Role] = mapped_column(String(16), unique=True)
    demanded_by_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime] = mapped_column(default=now)
