"""Shares: links to an export for people outside."""

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, now
from app.models.export import Export
from app.models.user import Role, User


class Share(Base):
    """A link that lets someone without an account download one export, until it ends or is revoked."""

    __tablename__ = "shares"

    id: Mapped[int] = mapped_column(primary_key=True)
    export_id: Mapped[int] = mapped_column(ForeignKey("exports.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)  # the link holds the token
    password_hash: Mapped[str | None] = mapped_column(String(255))  # argon2id; None: the link alone opens it
    note: Mapped[str] = mapped_column(String(120), default="")  # for the team: the recipient
    made_by_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    suspended_at: Mapped[datetime | None]  # on hold since then: rights were withdrawn, or a picture was reported
    downloads: Mapped[int] = mapped_column(default=0)
    last_download_at: Mapped[datetime | None]

    export: Mapped[Export] = relationship(back_populates="shares")
    made_by: Mapped[User] = relationship()

    @property
    def open(self) -> bool:
        """Neither ended nor revoked; it may be on hold."""
        return self.revoked_at is None and self.expires_at > now()

    @property
    def answered_for(self) -> bool:
        """Whether the link's owner may still export these pictures: a link must not outlive that permission."""
        own = self.export.made_by_id == self.made_by_id and not self.export.of_others
        return self.made_by.can(Role.MANAGER) or (self.made_by.active and own)
