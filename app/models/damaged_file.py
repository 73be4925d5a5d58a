"""Stored files that are lost or damaged, and how far the checker has read."""

from datetime import datetime

from sqlalchemy import CheckConstraint, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, now


class DamagedFile(Base):
    """A file that some row needs, and that is lost or not what its name says. Its row goes when it is whole again."""

    __tablename__ = "damaged_files"
    __table_args__ = (UniqueConstraint("kind", "sha256"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))  # of `app.files`
    sha256: Mapped[str] = mapped_column(String(64))
    flaw: Mapped[str] = mapped_column(String(16))  # missing, damaged
    noticed_at: Mapped[datetime] = mapped_column(default=now)


class FileReading(Base):
    """How far the files were read, in one row. Together with `begun_at` it dates the last check of every file."""

    __tablename__ = "file_reading"
    __table_args__ = (CheckConstraint("id = 1", name="only_one"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    begun_at: Mapped[datetime]
    last: Mapped[str] = mapped_column(String(80), default="")  # kind and SHA-256 of the last file read in this round
    ended_at: Mapped[datetime | None]
