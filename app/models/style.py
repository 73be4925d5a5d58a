"""Styles. A style version never changes once it exists: an edit makes the next version."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import JSON, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, now
from app.models.drawn import DrawnColumns
from app.models.filed import ArchiveColumns, BinColumns
from app.models.reference import Reference
from app.models.user import User


class ReferenceMethod(StrEnum):
    """Where the reference's latents come from (see `app.style_aligned.reference`)."""

    NOISE = "noise"
    DDIM = "ddim"


class Blend(StrEnum):
    """How several references combine (see `app.style_aligned.sharing`)."""

    WEIGHT = "weight"
    SPHERE = "sphere"


class Style(ArchiveColumns, BinColumns, Base):
    """A named look with a short code such as SOR-7K2Q."""

    __tablename__ = "styles"

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(12), unique=True)
    name: Mapped[str] = mapped_column(String(120))
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=now)

    owner: Mapped[User] = relationship(foreign_keys=owner_id)
    versions: Mapped[list["StyleVersion"]] = relationship(
        back_populates="style", order_by="StyleVersion.number.desc()", cascade="all, delete-orphan"
    )


class StyleVersion(DrawnColumns, Base):
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
    # Other ways than the paper's, see `app.style_aligned.sharing`; the defaults are the paper's.
    layers: Mapped[list[str]] = mapped_column(JSON, default=list)  # names of layers or blocks that share; none: all
    calibration: Mapped[float] = mapped_column(default=0.0)  # 0 to 1: calibration of the colours
    calibration_start: Mapped[float] = mapped_column(
        default=0.0
    )  # the part of the denoising in which it applies, 0 to 1
    calibration_end: Mapped[float] = mapped_column(default=1.0)
    reference_queries: Mapped[float] = mapped_column(default=0.0)  # 0 to 1: in the unconditional branch
    subject_attention: Mapped[float] = mapped_column(default=1.0)  # 0 to 1: to the reference's subject
    blend: Mapped[Blend] = mapped_column(String(16), default=Blend.WEIGHT)  # of several references
    created_by_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime] = mapped_column(default=now)

    @property
    def said_text(self) -> str:
        """The style's text, as the model gets it."""
        return self.said(self.text)

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
