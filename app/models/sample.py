"""Samples: who opened the sample campaign, and the rows that were made for it."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, now


class Sample(Base):
    """The sample campaign of one person. It stays after its removal, so that quotas know what was never used."""

    __tablename__ = "samples"
    __table_args__ = (
        Index("ix_samples_open", "user_id", unique=True, sqlite_where=text("removed_at IS NULL")),  # one at a time
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"))
    set_id: Mapped[int] = mapped_column(ForeignKey("image_sets.id"), unique=True)
    style_id: Mapped[int] = mapped_column(ForeignKey("styles.id"))
    reference_id: Mapped[int] = mapped_column(ForeignKey("references.id"))
    export_id: Mapped[int | None] = mapped_column(ForeignKey("exports.id", ondelete="SET NULL"))
    opened_at: Mapped[datetime] = mapped_column(default=now)
    removed_at: Mapped[datetime | None]
