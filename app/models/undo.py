"""What people can still undo."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, now


class Undo(Base):
    """How to undo what one transaction did; one act on many pictures has several, of the same token."""

    __tablename__ = "undos"

    id: Mapped[int] = mapped_column(primary_key=True)
    token: Mapped[str] = mapped_column(String(22), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))  # who did it, and may undo it
    steps: Mapped[list[dict[str, Any]]] = mapped_column(JSON)  # each `kind`, and the `data` for its function
    created_at: Mapped[datetime] = mapped_column(default=now, index=True)
    undone_at: Mapped[datetime | None]
