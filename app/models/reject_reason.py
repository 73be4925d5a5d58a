"""The team's reasons to reject a picture."""

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base


class RejectReason(Base):
    """One of the team's reasons to reject a picture, in their order."""

    __tablename__ = "reject_reasons"

    id: Mapped[int] = mapped_column(primary_key=True)
    words: Mapped[str] = mapped_column(String(120), unique=True)
    position: Mapped[int]  # 1, 2, ...
