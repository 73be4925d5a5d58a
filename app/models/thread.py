"""Threads: conversations on an image, with their comments and mentions. The audit log keeps earlier texts."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, now
from app.models.user import User


class Thread(Base):
    """A conversation on an image, pinned to a point or about the whole."""

    __tablename__ = "threads"
    __table_args__ = (CheckConstraint("(x IS NULL) = (y IS NULL)", name="whole_point"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id", ondelete="CASCADE"), index=True)
    x: Mapped[float | None]  # fraction of the picture's width
    y: Mapped[float | None]  # fraction of its height, 0 at the top
    resolved_at: Mapped[datetime | None]
    resolved_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime] = mapped_column(default=now)

    comments: Mapped[list["Comment"]] = relationship(back_populates="thread", order_by="Comment.id")
    resolved_by: Mapped[User | None] = relationship()


class Comment(Base):
    __tablename__ = "comments"

    id: Mapped[int] = mapped_column(primary_key=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id", ondelete="CASCADE"), index=True)
    thread_id: Mapped[int] = mapped_column(ForeignKey("threads.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    body: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(default=now)
    edited_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]  # then nobody reads it, and its replies stay

    user: Mapped[User] = relationship()
    thread: Mapped[Thread] = relationship(back_populates="comments")


class Mention(Base):
    """Someone mentioned in a comment, and whether they have seen it."""

    __tablename__ = "mentions"
    __table_args__ = (Index("ix_mentions_user_id_seen_at", "user_id", "seen_at"),)

    comment_id: Mapped[int] = mapped_column(ForeignKey("comments.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    seen_at: Mapped[datetime | None]

    comment: Mapped[Comment] = relationship()
    user: Mapped[User] = relationship()
