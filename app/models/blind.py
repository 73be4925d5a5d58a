"""Blind tests: pairs of pictures from two sides, and what each invited person said of each pair."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, now
from app.models.image import Image
from app.models.reference import Reference
from app.models.user import User


class BlindQuestion(StrEnum):
    """What people are asked. `app.blind.words` has the words."""

    CLOSER = "closer"  # to the reference, which is shown with each pair
    USE = "use"
    OWN = "own"


class BlindOutcome(StrEnum):
    """How a test ended: with all planned judgements, or before, without a result."""

    COMPLETE = "complete"
    STOPPED = "stopped"


class BlindChoice(StrEnum):
    """What a person said of a pair: the picture of side A, that of side B, or no difference."""

    A = "a"
    B = "b"
    TIE = "tie"


class LeftOut(StrEnum):
    """Why a pair does not count. Once it is left out it stays so, but for LOST."""

    DELETED = "deleted"
    RIGHTS = "rights"
    FLAGGED = "flagged"
    HELD = "held"
    LOST = "lost"  # its file: until the test ends, it counts again when the file is healed


class BlindTest(Base):
    """A comparison of two sides."""

    __tablename__ = "blind_tests"
    __table_args__ = (Index("ix_blind_tests_ended", "ended_at", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    maker_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    question: Mapped[BlindQuestion] = mapped_column(String(16))
    own_question: Mapped[str] = mapped_column(String(200), default="")
    reference_id: Mapped[int | None] = mapped_column(ForeignKey("references.id"))  # shown with each pair
    # A side is "set-12", "version-3" or "campaign-4". Its name as it was; for a version, of the style, and its number.
    a_key: Mapped[str] = mapped_column(String(40))
    a_name: Mapped[str] = mapped_column(String(120))
    a_number: Mapped[int | None]
    b_key: Mapped[str] = mapped_column(String(40))
    b_name: Mapped[str] = mapped_column(String(120))
    b_number: Mapped[int | None]
    by_prompt: Mapped[bool]  # pairs have equal prompts, not only equal positions
    a_alone: Mapped[int] = mapped_column(default=0)  # pictures of a side that found no partner
    b_alone: Mapped[int] = mapped_column(default=0)
    planned: Mapped[int]  # judgements, ties included
    seed: Mapped[str] = mapped_column(String(64))  # of the sides and the order; secret until the end
    created_at: Mapped[datetime] = mapped_column(default=now)
    ended_at: Mapped[datetime | None]
    ended_as: Mapped[BlindOutcome | None] = mapped_column(String(16))
    ended_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))  # who stopped it
    ended_why: Mapped[str] = mapped_column(Text, default="")

    maker: Mapped[User] = relationship(foreign_keys=maker_id)
    ended_by: Mapped[User | None] = relationship(foreign_keys=ended_by_id)
    reference: Mapped[Reference | None] = relationship()


class BlindPair(Base):
    __tablename__ = "blind_pairs"
    __table_args__ = (UniqueConstraint("test_id", "position"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    test_id: Mapped[int] = mapped_column(ForeignKey("blind_tests.id"))
    position: Mapped[int]  # from 1; nobody sees the pairs in this order
    a_image_id: Mapped[int] = mapped_column(ForeignKey("images.id"))
    b_image_id: Mapped[int] = mapped_column(ForeignKey("images.id"))
    left_out: Mapped[LeftOut | None] = mapped_column(String(16))

    a_image: Mapped[Image] = relationship(foreign_keys=a_image_id)
    b_image: Mapped[Image] = relationship(foreign_keys=b_image_id)


class BlindJudge(Base):
    """A person who was invited."""

    __tablename__ = "blind_judges"

    test_id: Mapped[int] = mapped_column(ForeignKey("blind_tests.id"), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True, index=True)
    invited_at: Mapped[datetime] = mapped_column(default=now)
    left_at: Mapped[datetime | None]  # they judge no more; what they judged counts

    person: Mapped[User] = relationship()


class BlindJudgement(Base):
    __tablename__ = "blind_judgements"
    __table_args__ = (UniqueConstraint("pair_id", "person_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    test_id: Mapped[int] = mapped_column(ForeignKey("blind_tests.id"), index=True)
    pair_id: Mapped[int] = mapped_column(ForeignKey("blind_pairs.id"))
    person_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    choice: Mapped[BlindChoice] = mapped_column(String(8))
    a_left: Mapped[bool]  # where side A was shown
    created_at: Mapped[datetime] = mapped_column(default=now)
