"""Drafts: what people typed into forms that they have not sent yet."""

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, now


class Draft(Base):
    """An unsent form of one person, whom alone it is for. A person may have several of one form, as from two tabs."""

    __tablename__ = "drafts"
    __table_args__ = (Index("drafts_of_form", "user_id", "place"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(32), unique=True)  # as the form knows it
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    place: Mapped[str] = mapped_column(String(500))  # which form: the address of its page, such as /sets/new?from=5
    revision: Mapped[int]  # counts its changes, so that two tabs notice each other
    tab: Mapped[str] = mapped_column(String(32), default="")  # the browser's tab that saved it last
    fields: Mapped[list[list[str]]] = mapped_column(JSON)  # names and values, in the form's order
    length: Mapped[int]  # characters of them all
    updated_at: Mapped[datetime] = mapped_column(default=now)

    files: Mapped[list["DraftFile"]] = relationship(cascade="all, delete-orphan")


class DraftFile(Base):
    """A stored file that no other row needs yet: one that a draft names, such as a painted mask, or one uploaded to it.

    The row of an uploaded file proves whose it is. To know its SHA-256 is not enough to use it.
    """

    __tablename__ = "draft_files"

    draft_id: Mapped[int] = mapped_column(ForeignKey("drafts.id", ondelete="CASCADE"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16), primary_key=True)  # a `files.Kind`
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(255), default="")  # of an uploaded file; "" for one that the draft names
    bytes: Mapped[int | None]  # of an uploaded file
