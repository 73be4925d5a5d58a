"""Password resets: links for choosing another password."""

from datetime import datetime

from sqlalchemy import ColumnElement, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, now
from app.models.user import User


class PasswordReset(Base):
    """A link, which works once, for choosing another password without knowing the current one."""

    __tablename__ = "password_resets"

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    made_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))  # None: the command line
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]

    @classmethod
    def still_open(cls) -> tuple[ColumnElement[bool], ...]:
        """Conditions for those neither used nor ended."""
        return cls.used_at.is_(None), cls.revoked_at.is_(None), cls.expires_at > now()

    user: Mapped[User] = relationship(foreign_keys=user_id)
    made_by: Mapped[User | None] = relationship(foreign_keys=made_by_id)
