"""Campaigns, sets, their images and units. These tables are the only queue there is."""

from datetime import datetime
from enum import StrEnum
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
from app.models.style import StyleVersion
from app.models.user import Role, User


class State(StrEnum):
    """The life of an image and of a unit."""

    QUEUED = "queued"
    GENERATING = "generating"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Verdict(StrEnum):
    APPROVED = "approved"
    CHANGES_REQUESTED = "changes_requested"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


class Campaign(Base):
    """The folder that sets belong to."""

    __tablename__ = "campaigns"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(120), unique=True)
    approvals_needed: Mapped[int] = mapped_column(default=1)  # people who must approve a picture, 1 to 5
    four_eyes: Mapped[bool] = mapped_column(default=True, index=True)  # nobody approves their own pictures
    created_by_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime] = mapped_column(default=now)


class ImageSet(Base):
    """One request: a style version, prompts, and everything needed to make it again."""

    __tablename__ = "image_sets"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"), index=True)
    style_version_id: Mapped[int] = mapped_column(ForeignKey("style_versions.id"), index=True)
    model: Mapped[str] = mapped_column(String(255))  # as SOROE_MODEL named it
    prompts: Mapped[list[str]] = mapped_column(JSON)
    negative_prompt: Mapped[str] = mapped_column(Text, default="")
    count: Mapped[int]  # images a prompt
    width: Mapped[int]  # px
    height: Mapped[int]
    steps: Mapped[int]
    guidance: Mapped[float]
    scheduler: Mapped[str] = mapped_column(String(40))
    strength: Mapped[float]  # the style's, unless the set says otherwise
    seed: Mapped[int]  # of the first image; each next image has the next seed
    # What else shapes the images; each list as `app.sets.spec` defines its items, empty without.
    structures: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    subjects: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    regions: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    seamless: Mapped[bool] = mapped_column(default=False)  # the right end goes on at the left one
    priority: Mapped[int] = mapped_column(default=0)  # higher first
    created_at: Mapped[datetime] = mapped_column(default=now, index=True)
    cancelled_at: Mapped[datetime | None]
    locked_at: Mapped[datetime | None] = mapped_column(index=True)  # from then on no decision changes
    locked_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    locked_as: Mapped[Role | None] = mapped_column(String(16))  # the role that they had then

    owner: Mapped[User] = relationship(foreign_keys=owner_id)
    locked_by: Mapped[User | None] = relationship(foreign_keys=locked_by_id)
    campaign: Mapped[Campaign] = relationship()
    style_version: Mapped[StyleVersion] = relationship()
    images: Mapped[list["Image"]] = relationship(
        back_populates="image_set", order_by="Image.position, Image.version", cascade="all, delete-orphan"
    )

    @property
    def version_ids(self) -> list[int]:
        """Of the style versions that its images take their look from: its own, then those of its regions."""
        regions = (region["style_version_id"] for region in self.regions if region["style_version_id"])
        return list(dict.fromkeys((self.style_version_id, *regions)))


class Unit(Base):
    """The piece of work given to the engine: a batch of images of one set, or the training of one subject."""

    __tablename__ = "units"
    __table_args__ = (
        Index("ix_units_state_priority", "state", "priority"),
        CheckConstraint("(set_id IS NULL) <> (subject_id IS NULL)", name="one_purpose"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    set_id: Mapped[int | None] = mapped_column(ForeignKey("image_sets.id", ondelete="CASCADE"), index=True)
    subject_id: Mapped[int | None] = mapped_column(ForeignKey("subjects.id", ondelete="CASCADE"), index=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id"))  # the set's or subject's, kept here for fair claiming
    priority: Mapped[int] = mapped_column(default=0)
    state: Mapped[State] = mapped_column(String(16), default=State.QUEUED)
    tries: Mapped[int] = mapped_column(default=0)  # at most three
    error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(default=now)
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]

    image_set: Mapped[ImageSet | None] = relationship()
    images: Mapped[list["Image"]] = relationship(back_populates="unit", order_by="Image.position")


class Image(Base):
    """One picture of a set, from queued to decided.

    Made again, it has the same place in the set and the next version: a stack, of which the newest finished one counts.
    """

    __tablename__ = "images"
    __table_args__ = (
        UniqueConstraint("set_id", "position", "version"),
        # What lists show, kept beside its causes so that an index can begin with it; the database keeps them together.
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
        # A review goes from place to place.
        Index("ix_images_shown_set_id_position", "shown", "set_id", "position"),
        Index("ix_images_shown_decision_set_id_position", "shown", "decision", "set_id", "position"),
        Index("ix_images_shown_campaign_id_set_id_position", "shown", "campaign_id", "set_id", "position"),
        Index("ix_images_shown_style_id_set_id_position", "shown", "style_id", "set_id", "position"),
        Index("ix_images_shown_owner_id_set_id_position", "shown", "owner_id", "set_id", "position"),
        # Few, and asked for on every page: of those, who has approved is done with them.
        Index(
            "ix_images_partly_approved",
            "shown",
            "decision",  # named, though there is one, or SQLite would prefer an index that names it
            "approvals",
            "set_id",
            sqlite_where=text("approvals > 0 AND decision IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    set_id: Mapped[int] = mapped_column(ForeignKey("image_sets.id", ondelete="CASCADE"))
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("units.id", ondelete="SET NULL"), index=True)
    position: Mapped[int]  # 1, 2, ... in the set
    version: Mapped[int] = mapped_column(default=1)  # 1, 2, ... at that place
    # The set's, except that a picture can move to another campaign; kept here so that lists need no joins.
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    made_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"), index=True)  # of one that was made again
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"), index=True)
    style_id: Mapped[int] = mapped_column(ForeignKey("styles.id"), index=True)
    prompt: Mapped[str] = mapped_column(Text)
    seed: Mapped[int] = mapped_column(index=True)
    strength: Mapped[float | None]  # None: the set's
    state: Mapped[State] = mapped_column(String(16), default=State.QUEUED)
    error: Mapped[str | None] = mapped_column(Text)
    sha256: Mapped[str | None] = mapped_column(String(64), index=True)  # of the PNG; it names the files
    bytes: Mapped[int | None]
    measures: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    decision: Mapped[Verdict | None] = mapped_column(String(20))  # the outcome of all; None: not (fully) reviewed
    approvals: Mapped[int] = mapped_column(default=0)  # people whose approval stands
    superseded: Mapped[bool] = mapped_column(default=False)  # a newer version is finished
    shown: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(default=now)
    finished_at: Mapped[datetime | None] = mapped_column(index=True)
    deleted_at: Mapped[datetime | None] = mapped_column(index=True)  # in the bin, for 30 days
    deleted_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    deleted_as: Mapped[Role | None] = mapped_column(String(16))  # the role that they had then
    purged_at: Mapped[datetime | None]  # its files are gone for good

    image_set: Mapped[ImageSet] = relationship(back_populates="images")
    unit: Mapped[Unit | None] = relationship(back_populates="images")
    campaign: Mapped[Campaign] = relationship()
    owner: Mapped[User] = relationship(foreign_keys=owner_id)
    deleted_by: Mapped[User | None] = relationship(foreign_keys=deleted_by_id)

    @hybrid_property
    def used_strength(self) -> float:
        """What it was, or will be, made with: its own strength, else the set's."""
        return self.image_set.strength if self.strength is None else self.strength

    @used_strength.inplace.expression
    @classmethod
    def _used_strength(cls) -> ColumnElement[float]:
        of_set = select(ImageSet.strength).where(ImageSet.id == cls.set_id).scalar_subquery()
        return func.coalesce(cls.strength, of_set)


class Star(Base):
    """A picture that a person wants to find again."""

    __tablename__ = "stars"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id", ondelete="CASCADE"), primary_key=True, index=True)


class ImageTag(Base):
    """A word that somebody put on a picture, for all to find it by."""

    __tablename__ = "image_tags"
    __table_args__ = (Index("ix_image_tags_tag_image_id", "tag", "image_id"),)

    image_id: Mapped[int] = mapped_column(ForeignKey("images.id", ondelete="CASCADE"), primary_key=True)
    tag: Mapped[str] = mapped_column(String(40), primary_key=True)  # lower case
    added_by_id: Mapped[int] = mapped_column(ForeignKey("users.id"))


class TagUse(Base):
    """How many pictures have a tag: the database keeps it in step with `ImageTag` by itself, nothing else writes it."""

    __tablename__ = "tag_uses"

    tag: Mapped[str] = mapped_column(String(40), primary_key=True)
    pictures: Mapped[int]


class SavedSearch(Base):
    """A search of the pictures under a name: its maker's own, or everybody's."""

    __tablename__ = "saved_searches"
    __table_args__ = (UniqueConstraint("owner_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(60))
    query: Mapped[str] = mapped_column(String(2000))  # of the address: "style=SOR-7K2Q&decision=approved"
    shared: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(default=now)

    owner: Mapped[User] = relationship()
