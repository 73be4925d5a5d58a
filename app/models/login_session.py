"""Login sessions: the browsers in which people are signed in."""

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, now
from app.models.user import User


class LoginSession(Base):
    """One signed-in browser. The cookie holds the token, the table its SHA-256: a stolen database opens nothing.

    Each confirmation changes the token; the row and its id stay.
    """

    __tablename__ = "login_sessions"

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    user_agent: Mapped[str] = mapped_column(String(255), default="")
    address: Mapped[str] = mapped_column(String(64), default="")  # where it was last seen
    created_at: Mapped[datetime] = mapped_column(default=now)
    seen_at: Mapped[datetime] = mapped_column(default=now)  # to the minute
    confirmed_at: Mapped[datetime | None]  # when the person last confirmed who they are; None: they must confirm first
    expires_at: Mapped[datetime]

    user: Mapped[User] = relationship(lazy="joined")
