"""What people said of an image. Decisions and comments are only ever added."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, now
from app.models.image_set import Verdict
from app.models.user import User


class Decision(Base):
    """One person's verdict. A person's newest one stands until it is withdrawn, by them or by a manager."""

    __tablename__ = "decisions"

    id: Mapped[int] = mapped_column(primary_key=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    verdict: Mapped[Verdict] = mapped_column(String(20))
    reason: Mapped[str] = mapped_column(String(120), default="")  # of a rejection, from the team's list
    # What a withdrawal takes back; None with an old one that took back all before it.
    withdraws_id: Mapped[int | None] = mapped_column(ForeignKey("decisions.id", ondelete="CASCADE"))
    created_at: Mapped[datetime] = mapped_column(default=now)

    user: Mapped[User] = relationship()


class RejectReason(Base):
    """One of the team's reasons to reject a picture, in their order."""

    __tablename__ = "reject_reasons"

    id: Mapped[int] = mapped_column(primary_key=True)
    words: Mapped[str] = mapped_column(String(120), unique=True)
    position: Mapped[int]  # 1, 2, ...


class Thread(Base):
    """A conversation on an image: at a point that was pinned, or of the whole."""

    __tablename__ = "threads"
    __table_args__ = (CheckConstraint("(x IS NULL) = (y IS NULL)", name="whole_point"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id", ondelete="CASCADE"), index=True)
    x: Mapped[float | None]  # of the picture's width, 0 to 1
    y: Mapped[float | None]  # of its height, 0 at the top
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

    user: Mapped[User] = relationship()
    thread: Mapped[Thread] = relationship(back_populates="comments")


class Mention(Base):
    """Somebody who was named in a comment, and whether they have seen it."""

    __tablename__ = "mentions"
    __table_args__ = (Index("ix_mentions_user_id_seen_at", "user_id", "seen_at"),)

    comment_id: Mapped[int] = mapped_column(ForeignKey("comments.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    seen_at: Mapped[datetime | None]

    comment: Mapped[Comment] = relationship()
    user: Mapped[User] = relationship()
