"""People, and what each may do."""

from datetime import datetime
from enum import StrEnum
from unicodedata import east_asian_width

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, now


class Role(StrEnum):
    """What a person may do; each role can do everything that the ones before it can."""

    DESIGNER = "designer"  # makes styles and sets, downloads approved pictures of their own sets
    REVIEWER = "reviewer"  # decides
    MANAGER = "manager"  # downloads approved pictures of anyone's sets
    ADMIN = "admin"  # lets people in

    @property
    def rank(self) -> int:
        return list(Role).index(self)

    @property
    def word(self) -> str:
        """As people read it."""
        return "administrator" if self is Role.ADMIN else self.value


class User(Base):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)  # lower case
    name: Mapped[str] = mapped_column(String(80))
    password_hash: Mapped[str] = mapped_column(String(255))  # argon2id
    role: Mapped[Role] = mapped_column(String(16))
    active: Mapped[bool] = mapped_column(default=True)
    language: Mapped[str] = mapped_column(String(16), default="")  # such as "ja"; "": the browser's
    checklist_hidden: Mapped[bool] = mapped_column(default=False)  # of the first steps, on the home page
    created_at: Mapped[datetime] = mapped_column(default=now)

    @property
    def initials(self) -> str:
        """One or two letters for the avatar: "Mori Haruka" -> "MH", "森 はるか" -> "森"."""
        letters = [word[0] for word in self.name.split() if word[0].isalnum()] or ["?"]
        few = letters[: 1 if east_asian_width(letters[0]) == "W" else 2]
        return "".join(each.upper()[0] for each in few)

    def can(self, role: Role) -> bool:
        """Whether this person has `role` or one above it."""
        return self.active and Role(self.role).rank >= role.rank
