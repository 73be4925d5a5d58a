"""Subjects: LoRA adapters of a team's own product, trained here or uploaded as a file."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, now
from app.models.filed import ArchiveColumns, BinColumns
from app.models.state import State
from app.models.user import User


class SubjectKind(StrEnum):
    TRAINED = "trained"  # by DreamBooth, from pictures
    FILE = "file"  # a LoRA in safetensors


class Subject(ArchiveColumns, BinColumns, Base):
    """Usable in prompts as `@handle` once it is finished."""

    __tablename__ = "subjects"

    id: Mapped[int] = mapped_column(primary_key=True)
    handle: Mapped[str] = mapped_column(String(40), unique=True)  # lower case, as prompts name it
    name: Mapped[str] = mapped_column(String(120))
    kind: Mapped[SubjectKind] = mapped_column(String(16))
    phrase: Mapped[str] = mapped_column(String(200), default="")  # what the model reads for `@handle`: "sks teapot"
    class_words: Mapped[str] = mapped_column(String(120), default="")  # the kind of thing: "teapot"
    model: Mapped[str] = mapped_column(String(255))  # as given in SOROE_MODEL
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    state: Mapped[State] = mapped_column(String(16), default=State.QUEUED)
    error: Mapped[str | None] = mapped_column(Text)
    settings: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # of the training
    step: Mapped[int] = mapped_column(default=0)  # completed training steps
    steps: Mapped[int] = mapped_column(default=0)
    sha256: Mapped[str | None] = mapped_column(String(64))  # of the safetensors file
    bytes: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    finished_at: Mapped[datetime | None]

    owner: Mapped[User] = relationship(foreign_keys=owner_id)
    pictures: Mapped[list["SubjectPicture"]] = relationship(
        order_by="SubjectPicture.position", cascade="all, delete-orphan"
    )
    samples: Mapped[list["SubjectSample"]] = relationship(order_by="SubjectSample.id", cascade="all, delete-orphan")


class SubjectPicture(Base):
    """One training picture of the product."""

    __tablename__ = "subject_pictures"

    subject_id: Mapped[int] = mapped_column(ForeignKey("subjects.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)  # 1, 2, ...
    sha256: Mapped[str] = mapped_column(String(64))
    width: Mapped[int]  # px
    height: Mapped[int]


class SubjectSample(Base):
    """A picture drawn during training, to show progress."""

    __tablename__ = "subject_samples"

    id: Mapped[int] = mapped_column(primary_key=True)
    subject_id: Mapped[int] = mapped_column(ForeignKey("subjects.id", ondelete="CASCADE"), index=True)
    step: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(default=now)
