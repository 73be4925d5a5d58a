"""How much each person has used of what is bounded: by day, and what they hold."""

from datetime import date
from enum import StrEnum

from sqlalchemy import BigInteger, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base

HELD = date(1970, 1, 1)  # the "day" of what is held, whenever it came


class What(StrEnum):
    """What is counted, in the order in which it is shown."""

    SETS = "sets"
    PICTURES = "pictures"
    TRAININGS = "trainings"
    UPLOADS = "uploads"
    UPLOAD_BYTES = "upload_bytes"
    EXPORTS = "exports"
    EXPORT_PICTURES = "export_pictures"
    STORAGE = "storage"  # bytes held, not of a day


class Usage(Base):
    """An amount of one person on one day, kept beside what it counts: so that a look costs the same however much there
    is, and what is deleted is not given back.
    """

    __tablename__ = "usage"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)  # of the server's time zone, or `HELD`
    what: Mapped[What] = mapped_column(String(20), primary_key=True)
    amount: Mapped[int] = mapped_column(BigInteger)
