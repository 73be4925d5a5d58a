"""Words and names that the team does not allow in prompts."""

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, now
from app.models.user import User


class BlockedWord(Base):
    """A word or name, as the team wrote it, and as texts are compared with it."""

    __tablename__ = "blocked_words"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(60))
    folded: Mapped[str] = mapped_column(String(200), unique=True)  # see `app.blocked.matching`
    reason: Mapped[str] = mapped_column(String(200))
    whole: Mapped[bool] = mapped_column(default=True)  # not as a part of a longer word
    managers_may: Mapped[bool] = mapped_column(default=False)  # write it nevertheless
    added_by_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime] = mapped_column(default=now)

    added_by: Mapped[User] = relationship()
