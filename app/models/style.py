"""Styles. A style version never changes once it exists: an edit makes the next version."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, now
from app.models.reference import Reference
from app.models.user import Role, User


class ReferenceMethod(StrEnum):
    """Where the reference's latents come from (see `app.style_aligned.reference`)."""

    NOISE = "noise"
    DDIM = "ddim"


class Style(Base):
    """A named look with a short code such as SOR-7K2Q."""

    __tablename__ = "styles"

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(12), unique=True)
    name: Mapped[str] = mapped_column(String(120))
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=now)
    archived_at: Mapped[datetime | None]
    archived_as: Mapped[Role | None] = mapped_column(String(16))  # the archiver's role at the time

    owner: Mapped[User] = relationship()
    versions: Mapped[list["StyleVersion"]] = relationship(
        back_populates="style", order_by="StyleVersion.number.desc()", cascade="all, delete-orphan"
    )


class StyleVersion(Base):
    __tablename__ = "style_versions"
    __table_args__ = (UniqueConstraint("style_id", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    style_id: Mapped[int] = mapped_column(ForeignKey("styles.id", ondelete="CASCADE"), index=True)
    number: Mapped[int]  # 1, 2, ...
    text: Mapped[str] = mapped_column(Text, default="")  # appended to every prompt: "watercolor, soft light"
    reference_prompt: Mapped[str] = mapped_column(Text, default="")  # what the reference shows
    method: Mapped[ReferenceMethod] = mapped_column(String(16), default=ReferenceMethod.NOISE)
    strength: Mapped[float] = mapped_column(default=1.0)  # 0 to 2
    scale: Mapped[float] = mapped_column(default=1.0)  # 0 to 2, of the logits towards the reference
    share_group_norm: Mapped[bool] = mapped_column(default=True)
    adain_values: Mapped[bool] = mapped_column(default=True)
    created_by_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime] = mapped_column(default=now)

    style: Mapped[Style] = relationship(back_populates="versions")
    created_by: Mapped[User] = relationship()
    references: Mapped[list["StyleReference"]] = relationship(
        order_by="StyleReference.position", cascade="all, delete-orphan"
    )


class StyleReference(Base):
    """One reference of a style version: which part of it is used, and its weight."""

    __tablename__ = "style_references"

    version_id: Mapped[int] = mapped_column(ForeignKey("style_versions.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    reference_id: Mapped[int] = mapped_column(ForeignKey("references.id"), index=True)
    weight: Mapped[float] = mapped_column(default=1.0)
    # The crop, as fractions of the picture's width and height, 0 to 1.
    crop_x: Mapped[float] = mapped_column(default=0.0)
    crop_y: Mapped[float] = mapped_column(default=0.0)
    crop_width: Mapped[float] = mapped_column(default=1.0)
    crop_height: Mapped[float] = mapped_column(default=1.0)

    reference: Mapped[Reference] = relationship()
