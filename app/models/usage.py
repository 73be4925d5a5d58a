"""How much each person has used of their quotas: per day, and in storage."""

from datetime import date
from enum import StrEnum

from sqlalchemy import BigInteger, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base

HELD = date(1970, 1, 1)  # the "day" of stored amounts, whenever stored


class What(StrEnum):
    """The quantities, in display order."""

    SETS = "sets"
    PICTURES = "pictures"
    TRAININGS = "trainings"
    UPLOADS = "uploads"
    UPLOAD_BYTES = "upload_bytes"
    EXPORTS = "exports"
    EXPORT_PICTURES = "export_pictures"
    STORAGE = "storage"  # stored bytes, not per day


class Usage(Base):
    """An amount for one person on one day, stored as a running count.

    Reading it costs the same however much there is, and deleting gives nothing back.
    """

    __tablename__ = "usage"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)  # in the server's time zone, or `HELD`
    what: Mapped[What] = mapped_column(String(20), primary_key=True)
    amount: Mapped[int] = mapped_column(BigInteger)
