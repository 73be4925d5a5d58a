"""People, their sign-ins, and the one-time links that let them in."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, now


class Role(StrEnum):
    """What a person may do; each role may do all that the ones before it may."""

    DESIGNER = "designer"  # makes styles and sets, downloads what is approved in their own
    REVIEWER = "reviewer"  # decides
    MANAGER = "manager"  # downloads what is approved in anybody's sets
    ADMIN = "admin"  # lets people in

    @property
    def rank(self) -> int:
        return list(Role).index(self)


class User(Base):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)  # lower case
    name: Mapped[str] = mapped_column(String(80))
    password_hash: Mapped[str] = mapped_column(String(255))  # argon2id
    role: Mapped[Role] = mapped_column(String(16))
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(default=now)

    @property
    def initials(self) -> str:
        """Up to two letters for the avatar: "Mori Haruka" -> "MH"."""
        return "".join(word[0] for word in self.name.split()[:2]).upper() or "?"

    def can(self, role: Role) -> bool:
        """Whether this person has `role` or one above it."""
        return self.active and Role(self.role).rank >= role.rank


class LoginSession(Base):
    """One signed-in browser. The cookie holds the token, the table its SHA-256: a stolen database opens nothing.

    The token changes with every proof of who is there, the row and its number stay.
    """

    __tablename__ = "login_sessions"

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    user_agent: Mapped[str] = mapped_column(String(255), default="")
    address: Mapped[str] = mapped_column(String(64), default="")  # where it was last seen
    created_at: Mapped[datetime] = mapped_column(default=now)
    seen_at: Mapped[datetime] = mapped_column(default=now)  # to a minute
    confirmed_at: Mapped[datetime | None]  # when the person last proved who they are; None: they must, before they may
    expires_at: Mapped[datetime]

    user: Mapped[User] = relationship(lazy="joined")


class Invitation(Base):
    """A one-time link: the set-up link of the first administrator, or an administrator's invitation."""

    __tablename__ = "invitations"

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    role: Mapped[Role] = mapped_column(String(16))
    email: Mapped[str | None] = mapped_column(String(254))  # whom it is made out to; None: whoever has the link
    reopens_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))  # a closed account
    invited_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))  # None: set-up
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    used_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    revoked_at: Mapped[datetime | None]

    @classmethod
    def still_open(cls) -> tuple[ColumnElement[bool], ...]:
        """Conditions for those that were neither used nor ended."""
        return cls.used_at.is_(None), cls.revoked_at.is_(None), cls.expires_at > now()

    @property
    def open(self) -> bool:
        return not self.used_at and not self.revoked_at and self.expires_at > now()

    reopens: Mapped[User | None] = relationship(foreign_keys=reopens_id)
    invited_by: Mapped[User | None] = relationship(foreign_keys=invited_by_id)
    used_by: Mapped[User | None] = relationship(foreign_keys=used_by_id)


class PasswordReset(Base):
    """A one-time link with which a person chooses another password, without knowing the present one."""

    __tablename__ = "password_resets"

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    made_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))  # None: the command line
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]

    @classmethod
    def still_open(cls) -> tuple[ColumnElement[bool], ...]:
        """Conditions for those that were neither used nor ended."""
        return cls.used_at.is_(None), cls.revoked_at.is_(None), cls.expires_at > now()

    user: Mapped[User] = relationship(foreign_keys=user_id)
    made_by: Mapped[User | None] = relationship(foreign_keys=made_by_id)
