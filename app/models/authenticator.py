"""Authenticator apps, and recovery codes for a lost one."""

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, now


class Authenticator(Base):
    """A person's authenticator app (TOTP, RFC 6238)."""

    __tablename__ = "authenticators"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), unique=True)
    secret: Mapped[str] = mapped_column(String(255))  # encrypted with a key that is not in the database
    last_step: Mapped[int]  # of the latest accepted code, in 30 s since 1970: none is accepted twice
    created_at: Mapped[datetime] = mapped_column(default=now)


class RecoveryCode(Base):
    """A code for a lost authenticator app; works once."""

    __tablename__ = "recovery_codes"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    code_hash: Mapped[str] = mapped_column(String(64))
    used_at: Mapped[datetime | None]
