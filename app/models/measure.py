"""What was measured of pictures, of references and of sets, and how far a style lets its pictures stray."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, ForeignKeyConstraint, Index, LargeBinary, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, now
from app.models.style import Style
from app.models.user import User


class PictureMeasures(Base):
    """The measures of a picture; a trigger adds the row, to be filled in, when the picture is first shown."""

    __tablename__ = "picture_measures"
    __table_args__ = (
        Index("ix_picture_measures_due", "image_id", sqlite_where=text("due = 1")),
        Index("ix_picture_measures_flagged", "image_id", sqlite_where=text("flagged = 1")),
    )

    image_id: Mapped[int] = mapped_column(ForeignKey("images.id", ondelete="CASCADE"), primary_key=True)
    due: Mapped[bool] = mapped_column(default=True)  # to be measured, for the first time or again
    tries: Mapped[int] = mapped_column(default=0)  # that ended with the process that measured
    problem: Mapped[str | None] = mapped_column(String(16))  # why it could not be measured
    made_with: Mapped[str] = mapped_column(String(64), default="")  # the version of the measures, and their settings
    numbers: Mapped[dict[str, float]] = mapped_column(JSON, default=dict)  # by name of the measure
    flags: Mapped[dict[str, float]] = mapped_column(JSON, default=dict)  # the bounds it is beyond, by measure
    flagged: Mapped[bool] = mapped_column(default=False)
    embedders: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)  # the models that took part, by role
    measured_at: Mapped[datetime | None]


class PictureFeatures(Base):
    """What later comparisons need of a picture, so that its file is read once."""

    __tablename__ = "picture_features"

    image_id: Mapped[int] = mapped_column(ForeignKey("images.id", ondelete="CASCADE"), primary_key=True)
    data: Mapped[bytes | None] = mapped_column(LargeBinary)  # `app.quality.features.Features` as JSON, zlib
    subject: Mapped[bytes | None] = mapped_column(LargeBinary)  # where its main subject is: a small grey PNG
    layout: Mapped[bytes | None] = mapped_column(LargeBinary)  # `app.quality.layout`: a small grey PNG


class ReferenceFeatures(Base):
    """The same of a reference of a style version, as it is cropped there."""

    __tablename__ = "reference_features"
    __table_args__ = (
        ForeignKeyConstraint(
            ["version_id", "position"], ["style_references.version_id", "style_references.position"], ondelete="CASCADE"
        ),
    )

    version_id: Mapped[int] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    made_with: Mapped[str] = mapped_column(String(64))
    data: Mapped[bytes | None] = mapped_column(LargeBinary)
    problem: Mapped[str | None] = mapped_column(String(16))


class SetMeasures(Base):
    """The measures of a set; a trigger counts the changes of its pictures."""

    __tablename__ = "set_measures"
    __table_args__ = (Index("ix_set_measures_due", "set_id", sqlite_where=text("changes > compared_changes")),)

    set_id: Mapped[int] = mapped_column(ForeignKey("image_sets.id", ondelete="CASCADE"), primary_key=True)
    changes: Mapped[int] = mapped_column(default=0)  # of what it shows and what is measured of it
    compared_changes: Mapped[int] = mapped_column(default=0)  # of these, how many the numbers take in
    numbers: Mapped[dict[str, float]] = mapped_column(JSON, default=dict)  # means over its pictures, by measure
    total: Mapped[int] = mapped_column(default=0)  # pictures that were compared
    sampled: Mapped[int] = mapped_column(default=0)  # pictures that each was compared with, at most
    compared_at: Mapped[datetime | None]


class StyleBounds(Base):
    """The bounds of a style as somebody saved them. Append-only: the newest one counts."""

    __tablename__ = "style_bounds"

    id: Mapped[int] = mapped_column(primary_key=True)
    style_id: Mapped[int] = mapped_column(ForeignKey("styles.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    bounds: Mapped[dict[str, float | None]] = mapped_column(JSON)  # by measure; None: not flagged by it
    fitted: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # how they were proposed; empty: by hand
    note: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = mapped_column(default=now)

    style: Mapped[Style] = relationship()
    user: Mapped[User] = relationship()


class FlagsDue(Base):
    """A style whose pictures are still to be flagged by its newest bounds."""

    __tablename__ = "flags_due"

    style_id: Mapped[int] = mapped_column(ForeignKey("styles.id", ondelete="CASCADE"), primary_key=True)
    after: Mapped[int] = mapped_column(default=0)  # the last picture that is done
