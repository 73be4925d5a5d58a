"""Exports: zips of approved images, prepared once and kept."""

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import JSON, BigInteger, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, now
from app.models.campaign import Campaign
from app.models.image_set import ImageSet
from app.models.user import User

if TYPE_CHECKING:
    from app.models.share import Share


class ExportState(StrEnum):
    """The life of an export."""

    LISTING = "listing"  # its list of files is being written, in parts
    QUEUED = "queued"
    PREPARING = "preparing"
    READY = "ready"
    FAILED = "failed"


class Export(Base):
    """One zip: which pictures, as approved at one moment, and in which form they are delivered."""

    __tablename__ = "exports"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(160))  # of the zip, without .zip
    made_by_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    # Its source; neither for individually chosen pictures.
    campaign_id: Mapped[int | None] = mapped_column(ForeignKey("campaigns.id"), index=True)
    set_id: Mapped[int | None] = mapped_column(ForeignKey("image_sets.id", ondelete="CASCADE"), index=True)
    options: Mapped[dict[str, Any]] = mapped_column(JSON)  # as `app.exports.options` defines them
    content: Mapped[str] = mapped_column(String(64), index=True)  # SHA-256 of the pictures, decisions and options
    pictures: Mapped[int]  # approved images in it
    of_others: Mapped[bool]  # some come from sets of people other than the author
    state: Mapped[ExportState] = mapped_column(String(16), default=ExportState.QUEUED, index=True)
    done: Mapped[int] = mapped_column(default=0)  # files that are ready or known to be lost
    total: Mapped[int]  # files: pictures times sizes
    lost: Mapped[int] = mapped_column(default=0)  # files whose picture is missing on the server
    bytes: Mapped[int | None] = mapped_column(BigInteger)  # of the zip, exactly; None until it is ready
    etag: Mapped[str | None] = mapped_column(String(64))  # changes whenever a byte of the zip does
    # The other files of the zip: name, bytes and CRC-32 of each; None until it is ready.
    extras: Mapped[list[tuple[str, int, int]] | None] = mapped_column(JSON)
    error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(default=now)
    ready_at: Mapped[datetime | None]

    made_by: Mapped[User] = relationship()
    campaign: Mapped[Campaign | None] = relationship()
    image_set: Mapped[ImageSet | None] = relationship()
    shares: Mapped[list["Share"]] = relationship(
        back_populates="export", order_by="Share.id.desc()", cascade="all, delete-orphan", passive_deletes=True
    )


class ExportFile(Base):
    """One picture file of an export, in one of its sizes."""

    __tablename__ = "export_files"

    export_id: Mapped[int] = mapped_column(ForeignKey("exports.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)  # 1, 2, ... in the zip
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id", ondelete="CASCADE"), index=True)
    decision_id: Mapped[int] = mapped_column(ForeignKey("decisions.id", ondelete="CASCADE"), index=True)
    size: Mapped[str] = mapped_column(String(16))  # "original" or such as "1080x1350"
    name: Mapped[str] = mapped_column(String(1024))  # in the zip, with its folders
    # Set when it is ready:
    key: Mapped[str | None] = mapped_column(String(64))  # names the file in the cache
    bytes: Mapped[int | None] = mapped_column(BigInteger)
    sha256: Mapped[str | None] = mapped_column(String(64), index=True)
    crc32: Mapped[int | None] = mapped_column(BigInteger)
    lost: Mapped[bool] = mapped_column(default=False)  # the picture is missing on the server
