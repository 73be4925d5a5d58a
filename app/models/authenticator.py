"""Authenticator apps, and the recovery codes for when one is lost."""

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, now


class Authenticator(Base):
    """A person's authenticator app (TOTP, RFC 6238)."""

    __tablename__ = "authenticators"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), unique=True)
    secret: Mapped[str] = mapped_column(String(255))  # sealed with a key that is not in the database
    last_step: Mapped[int]  # of the latest code that was taken, in 30 s since 1970: none is taken twice
    created_at: Mapped[datetime] = mapped_column(default=now)


class RecoveryCode(Base):
    """A code for when the authenticator app is lost; good once."""

    __tablename__ = "recovery_codes"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    code_hash: Mapped[str] = mapped_column(String(64))
    used_at: Mapped[datetime | None]
