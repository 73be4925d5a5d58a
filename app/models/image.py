"""Images: the pictures of a set, from queued to decided."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
    func,
    select,
    text,
)
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, now
from app.models.campaign import Campaign
from app.models.decision import Verdict
from app.models.filed import BinColumns
from app.models.image_set import ImageSet
from app.models.state import State
from app.models.unit import Unit
from app.models.user import User


class Image(BinColumns, Base):
    """One picture of a set, from queued to decided.

    A redone picture has the same position in the set and the next version: a stack, of which the newest finished
    version counts.
    """

    __tablename__ = "images"
    __table_args__ = (
        UniqueConstraint("set_id", "position", "version"),
        # What lists show, stored with its causes so that an index can start with it; the database keeps them
        # consistent.
        CheckConstraint(
            "shown = (state = 'finished' AND NOT superseded AND deleted_at IS NULL)", name="shown_is_what_it_says"
        ),
        Index("ix_images_state_id", "state", "id"),
        Index("ix_images_shown_id", "shown", "id"),
        Index("ix_images_shown_campaign_id_id", "shown", "campaign_id", "id"),
        Index("ix_images_shown_style_id_id", "shown", "style_id", "id"),
        Index("ix_images_shown_owner_id_id", "shown", "owner_id", "id"),
        Index("ix_images_shown_decision_id", "shown", "decision", "id"),
        Index("ix_images_facets", "shown", "decision", "style_id", "campaign_id", "owner_id", "finished_at"),
        Index("ix_images_shown_set_id_decision", "shown", "set_id", "decision"),
        # A review goes through positions in order.
        Index("ix_images_shown_set_id_position", "shown", "set_id", "position"),
        Index("ix_images_shown_decision_set_id_position", "shown", "decision", "set_id", "position"),
        Index("ix_images_shown_campaign_id_set_id_position", "shown", "campaign_id", "set_id", "position"),
        Index("ix_images_shown_style_id_set_id_position", "shown", "style_id", "set_id", "position"),
        Index("ix_images_shown_owner_id_set_id_position", "shown", "owner_id", "set_id", "position"),
        # Few rows, queried on every page: an approver is done with these.
        Index(
            "ix_images_partly_approved",
            "shown",
            "decision",  # named although it is constant, or SQLite would prefer an index that names it
            "approvals",
            "set_id",
            sqlite_where=text("approvals > 0 AND decision IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    set_id: Mapped[int] = mapped_column(ForeignKey("image_sets.id", ondelete="CASCADE"))
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("units.id", ondelete="SET NULL"), index=True)
    position: Mapped[int]  # 1, 2, ... in the set
    version: Mapped[int] = mapped_column(default=1)  # 1, 2, ... at that position
    # Same as the set's, except that a picture can move to another campaign; stored here so that lists need no joins.
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    made_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"), index=True)  # of a redone picture
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"), index=True)
    style_id: Mapped[int] = mapped_column(ForeignKey("styles.id"), index=True)
    prompt: Mapped[str] = mapped_column(Text)
    drawn_as: Mapped[str | None] = mapped_column(Text)  # what the model gets for the prompt, if not the prompt itself
    seed: Mapped[int] = mapped_column(index=True)
    strength: Mapped[float | None]  # None: the set's
    state: Mapped[State] = mapped_column(String(16), default=State.QUEUED)
    error: Mapped[str | None] = mapped_column(Text)
    sha256: Mapped[str | None] = mapped_column(String(64), index=True)  # of the PNG; it names the files
    bytes: Mapped[int | None]
    measures: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    decision: Mapped[Verdict | None] = mapped_column(String(20))  # the combined outcome; None: not (fully) reviewed
    approvals: Mapped[int] = mapped_column(default=0)  # people whose approval counts
    superseded: Mapped[bool] = mapped_column(default=False)  # a newer version is finished
    shown: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(default=now)
    finished_at: Mapped[datetime | None] = mapped_column(index=True)
    deleted_at: Mapped[datetime | None] = mapped_column(index=True)

    image_set: Mapped[ImageSet] = relationship(back_populates="images")
    unit: Mapped[Unit | None] = relationship(back_populates="images")
    campaign: Mapped[Campaign] = relationship()
    owner: Mapped[User] = relationship(foreign_keys=owner_id)

    @property
    def said(self) -> str:
        """The prompt, as the model gets it."""
        return self.drawn_as or self.prompt

    @hybrid_property
    def used_strength(self) -> float:
        """The strength it was, or will be, made with: its own, else the set's."""
        return self.image_set.strength if self.strength is None else self.strength

    @used_strength.inplace.expression
    @classmethod
    def _used_strength(cls) -> ColumnElement[float]:
        of_set = select(ImageSet.strength).where(ImageSet.id == cls.set_id).scalar_subquery()
        return func.coalesce(cls.strength, of_set)
