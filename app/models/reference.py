"""References: uploaded pictures whose look styles use."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, now
from app.models.filed import BinColumns
from app.models.user import User


class Reference(BinColumns, Base):
    """An uploaded picture whose look to use, stored once by the SHA-256 of its cleaned PNG."""

    __tablename__ = "references"

    id: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    width: Mapped[int]  # px, after orientation
    height: Mapped[int]
    bytes: Mapped[int]
    original_name: Mapped[str] = mapped_column(String(255))
    ground: Mapped[str | None] = mapped_column(
        String(7)
    )  # the colour behind it, "#ffffff", if its file was transparent
    rights: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # read from the file: creator, copyright, credit
    uploaded_by_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=now)

    uploaded_by: Mapped[User] = relationship(foreign_keys=uploaded_by_id)
