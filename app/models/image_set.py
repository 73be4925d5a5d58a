"""Sets: requests, stored so that each picture can be reproduced."""

from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import JSON, ColumnElement, ForeignKey, Select, String, Text, column, exists, func, or_, select
from sqlalchemy.orm import Mapped, column_property, mapped_column, relationship

from app.models.base import Base, now
from app.models.campaign import Campaign
from app.models.drawn import DrawnColumns
from app.models.filed import ArchiveColumns, BinColumns
from app.models.ingredient import Parts, SetRegion, SetStructure, SetSubject
from app.models.sample import Sample
from app.models.style import StyleVersion
from app.models.user import Role, User

if TYPE_CHECKING:
    from app.models.image import Image


class ImageSet(ArchiveColumns, BinColumns, DrawnColumns, Base):
    """One request: a style version, prompts, and everything needed to reproduce it."""

    __tablename__ = "image_sets"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"), index=True)
    style_version_id: Mapped[int] = mapped_column(ForeignKey("style_versions.id"), index=True)
    model: Mapped[str] = mapped_column(String(255))  # as given in SOROE_MODEL
    prompts: Mapped[list[str]] = mapped_column(JSON)
    negative_prompt: Mapped[str] = mapped_column(Text, default="")
    count: Mapped[int]  # images per prompt
    width: Mapped[int]  # px
    height: Mapped[int]
    steps: Mapped[int]
    guidance: Mapped[float]
    scheduler: Mapped[str] = mapped_column(String(40))
    strength: Mapped[float]  # the style's, unless the set says otherwise
    seed: Mapped[int]  # of the first image; each next image has the next seed
    # What else shapes the images: the ingredients, see `app.sets.ingredients`.
    structures: Mapped[tuple[SetStructure, ...]] = mapped_column(Parts(SetStructure), default=())
    subjects: Mapped[tuple[SetSubject, ...]] = mapped_column(Parts(SetSubject), default=())
    regions: Mapped[tuple[SetRegion, ...]] = mapped_column(Parts(SetRegion), default=())
    seamless: Mapped[bool] = mapped_column(default=False)  # the ends of the picture match
    priority: Mapped[int] = mapped_column(default=0)  # higher first
    created_at: Mapped[datetime] = mapped_column(default=now, index=True)
    cancelled_at: Mapped[datetime | None]
    locked_at: Mapped[datetime | None] = mapped_column(index=True)  # from then on, decisions cannot change
    locked_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    locked_as: Mapped[Role | None] = mapped_column(String(16))  # the role they had then

    # Whether its pictures came with Soroe, in a sample campaign: nobody made them.
    sample: Mapped[bool] = column_property(exists(select(1).where(Sample.set_id == id).correlate_except(Sample)))

    owner: Mapped[User] = relationship(foreign_keys=owner_id)
    locked_by: Mapped[User | None] = relationship(foreign_keys=locked_by_id)
    campaign: Mapped[Campaign] = relationship()
    style_version: Mapped[StyleVersion] = relationship()
    images: Mapped[list["Image"]] = relationship(
        back_populates="image_set", order_by="Image.position, Image.version", cascade="all, delete-orphan"
    )

    @property
    def version_ids(self) -> list[int]:
        """The style versions that its images take their look from: its own, then those of its regions."""
        regions = (region.style_version_id for region in self.regions if region.style_version_id)
        return list(dict.fromkeys((self.style_version_id, *regions)))

    @classmethod
    def has_subject(cls, subject_ids: Select[int]) -> ColumnElement[bool]:
        """A condition: one of these subjects is among the set's."""
        part = func.json_each(cls.subjects).table_valued(column("value")).alias("subject")
        own = func.json_extract(part.c.value, "$.id")
        return exists(select(1).select_from(part).where(own.in_(subject_ids)).correlate(cls))

    @classmethod
    def has_version(cls, version_ids: Select[int]) -> ColumnElement[bool]:
        """A condition: one of these style versions is among the set's `version_ids`."""
        region = func.json_each(cls.regions).table_valued(column("value")).alias("region")
        own = func.json_extract(region.c.value, "$.style_version_id")
        return or_(
            cls.style_version_id.in_(version_ids),
            exists(select(1).select_from(region).where(own.in_(version_ids)).correlate(cls)),
        )
