"""Tags: words on pictures that everyone can search for."""

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base


class ImageTag(Base):
    """A word that someone put on a picture, for everyone to search for."""

    __tablename__ = "image_tags"
    __table_args__ = (Index("ix_image_tags_tag_image_id", "tag", "image_id"),)

    image_id: Mapped[int] = mapped_column(ForeignKey("images.id", ondelete="CASCADE"), primary_key=True)
    tag: Mapped[str] = mapped_column(String(40), primary_key=True)  # lower case
    added_by_id: Mapped[int] = mapped_column(ForeignKey("users.id"))


class TagUse(Base):
    """How many pictures have a tag. Database triggers keep it in step with `ImageTag`; nothing else writes it."""

    __tablename__ = "tag_uses"

    tag: Mapped[str] = mapped_column(String(40), primary_key=True)
    pictures: Mapped[int]
