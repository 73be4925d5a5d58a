"""The usage policy that administrators write, and who accepted it."""

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, now
from app.models.user import User


class PolicyVersion(Base):
    """A published version. It never changes; the newest one counts."""

    __tablename__ = "policy_versions"

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(unique=True)  # 1, 2, ...
    english: Mapped[str] = mapped_column(Text, default="")
    japanese: Mapped[str] = mapped_column(Text, default="")
    note: Mapped[str] = mapped_column(String(300), default="")  # what is different from the version before
    asks: Mapped[bool]  # everyone must accept it; a small correction asks nobody again
    ended: Mapped[bool] = mapped_column(default=False)  # from here on there is no policy
    published_by_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime] = mapped_column(default=now)

    published_by: Mapped[User] = relationship()


class PolicyAcceptance(Base):
    """A person accepted a version, and with it the one that it corrects."""

    __tablename__ = "policy_acceptances"
    __table_args__ = (UniqueConstraint("user_id", "version_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    version_id: Mapped[int] = mapped_column(ForeignKey("policy_versions.id"), index=True)
    language: Mapped[str] = mapped_column(String(8))  # of the text that they read
    created_at: Mapped[datetime] = mapped_column(default=now)

    user: Mapped[User] = relationship()
    version: Mapped[PolicyVersion] = relationship()
