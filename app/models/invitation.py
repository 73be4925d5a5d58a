"""Invitations: links that create accounts."""

from datetime import datetime

from sqlalchemy import ColumnElement, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, now
from app.models.user import Role, User


class Invitation(Base):
    """The set-up link of the first administrator, or an administrator's invite link."""

    __tablename__ = "invitations"

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    role: Mapped[Role] = mapped_column(String(16))
    email: Mapped[str | None] = mapped_column(String(254))  # for this address only; None: for anyone
    reopens_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))  # a deactivated account
    invited_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))  # None: set-up
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    used_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    revoked_at: Mapped[datetime | None]

    @classmethod
    def still_open(cls) -> tuple[ColumnElement[bool], ...]:
        """Conditions for those neither used nor ended."""
        return cls.used_at.is_(None), cls.revoked_at.is_(None), cls.expires_at > now()

    @property
    def open(self) -> bool:
        return not self.used_at and not self.revoked_at and self.expires_at > now()

    reopens: Mapped[User | None] = relationship(foreign_keys=reopens_id)
    invited_by: Mapped[User | None] = relationship(foreign_keys=invited_by_id)
    used_by: Mapped[User | None] = relationship(foreign_keys=used_by_id)
