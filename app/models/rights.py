"""Who owns a reference, what they allow, and the files that prove it. A change is a new row; the newest one counts."""

from datetime import date, datetime

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, now
from app.models.reference import Reference
from app.models.user import Role, User


class RightsRecord(Base):
    """The rights to a reference from `created_at` until its next record."""

    __tablename__ = "rights_records"

    id: Mapped[int] = mapped_column(primary_key=True)
    reference_id: Mapped[int] = mapped_column(ForeignKey("references.id"), index=True)
    supplied_by: Mapped[str] = mapped_column(String(200), default="")
    owned_by: Mapped[str] = mapped_column(String(200), default="")
    licence: Mapped[str] = mapped_column(String(200), default="")
    allows: Mapped[str] = mapped_column(Text, default="")
    territory: Mapped[str] = mapped_column(String(200), default="")
    valid_from: Mapped[date | None]  # the first day; None: unlimited
    valid_until: Mapped[date | None]  # the last day, included; None: unlimited
    source_url: Mapped[str] = mapped_column(String(2000), default="")
    note: Mapped[str] = mapped_column(Text, default="")
    person: Mapped[str] = mapped_column(String(200), default="")  # a real one, whom the picture shows; "" for nobody
    consent: Mapped[str] = mapped_column(String(200), default="")  # of that person; "" for none
    consent_scope: Mapped[str] = mapped_column(Text, default="")
    consent_from: Mapped[date | None]
    consent_until: Mapped[date | None]
    person_for: Mapped[str] = mapped_column(String(16), default="")  # who may use it: see `app.rights.likeness`
    person_users: Mapped[str] = mapped_column(Text, default="")  # addresses of named people, by commas
    withdrawn: Mapped[bool] = mapped_column(default=False)
    reason: Mapped[str] = mapped_column(Text, default="")  # of a withdrawal or restoration
    made_by_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    made_as: Mapped[Role] = mapped_column(String(16))  # the role they had then
    created_at: Mapped[datetime] = mapped_column(default=now)

    reference: Mapped[Reference] = relationship()
    made_by: Mapped[User] = relationship()


class SubjectLikeness(Base):
    """A subject shows the real person of a reference, whose rights hold for it too."""

    __tablename__ = "subject_likenesses"
    __table_args__ = (UniqueConstraint("subject_id", "reference_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    subject_id: Mapped[int] = mapped_column(ForeignKey("subjects.id"))
    reference_id: Mapped[int] = mapped_column(ForeignKey("references.id"), index=True)
    added_by_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime] = mapped_column(default=now)

    reference: Mapped[Reference] = relationship()


class RightsFile(Base):
    """A licence or consent as a file. A removed one is hidden; its bytes stay."""

    __tablename__ = "rights_files"

    id: Mapped[int] = mapped_column(primary_key=True)
    reference_id: Mapped[int] = mapped_column(ForeignKey("references.id"), index=True)
    sha256: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(255))  # as uploaded, for people
    media_type: Mapped[str] = mapped_column(String(40))  # by its content
    bytes: Mapped[int]
    uploaded_by_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=now)
    removed_at: Mapped[datetime | None]

    reference: Mapped[Reference] = relationship()
    uploaded_by: Mapped[User] = relationship()
