"""Reports of pictures by people and by visitors of share links."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, now
from app.models.image import Image
from app.models.user import User


class ReportKind(StrEnum):
    """What a picture is reported for. `app.reports.spec` has their words."""

    PERSON = "person"
    RIGHTS = "rights"
    HARMFUL = "harmful"
    WRONG = "wrong"
    OTHER = "other"


class ReportOutcome(StrEnum):
    """What managers decided: the picture stays, or it went to the bin."""

    DISMISSED = "dismissed"
    REMOVED = "removed"


class PictureReport(Base):
    """Somebody says that something is wrong with a picture. Open until a manager decides."""

    __tablename__ = "reports"
    __table_args__ = (Index("ix_reports_open", "decided_at", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id"), index=True)
    reporter_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))  # None: a visitor of a share link
    share_note: Mapped[str] = mapped_column(String(200), default="")  # of a visitor: which export and link
    kind: Mapped[ReportKind] = mapped_column(String(16))
    words: Mapped[str] = mapped_column(Text, default="")
    held: Mapped[bool] = mapped_column(default=False)  # the picture is in no new export, and its links are on hold
    created_at: Mapped[datetime] = mapped_column(default=now)
    decided_at: Mapped[datetime | None]
    decided_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    outcome: Mapped[ReportOutcome | None] = mapped_column(String(16))
    decision: Mapped[str] = mapped_column(Text, default="")  # why

    image: Mapped[Image] = relationship()
    reporter: Mapped[User | None] = relationship(foreign_keys=reporter_id)
    decided_by: Mapped[User | None] = relationship(foreign_keys=decided_by_id)
