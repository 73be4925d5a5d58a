"""Brand rules of styles and campaigns, and how well each picture keeps them."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, now
from app.models.user import User


class BrandVersion(Base):
    """The rules of a style or of a campaign as somebody saved them. Append-only: the newest version counts."""

    __tablename__ = "brand_versions"
    __table_args__ = (
        CheckConstraint("(style_id IS NULL) <> (campaign_id IS NULL)", name="of_one_thing"),
        UniqueConstraint("style_id", "number"),
        UniqueConstraint("campaign_id", "number"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    style_id: Mapped[int | None] = mapped_column(ForeignKey("styles.id", ondelete="CASCADE"))
    campaign_id: Mapped[int | None] = mapped_column(ForeignKey("campaigns.id", ondelete="CASCADE"))
    number: Mapped[int]  # from 1
    rules: Mapped[dict[str, Any]] = mapped_column(JSON)  # `app.brand.spec.BrandSpec`; empty: no rules
    pictures: Mapped[int] = mapped_column(default=0)  # approved pictures that they were proposed from
    note: Mapped[str] = mapped_column(Text, default="")
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime] = mapped_column(default=now)

    user: Mapped[User] = relationship()


class BrandScore(Base):
    """How well a picture keeps the rules that applied to it."""

    __tablename__ = "brand_scores"

    image_id: Mapped[int] = mapped_column(ForeignKey("images.id", ondelete="CASCADE"), primary_key=True)
    stamp: Mapped[str] = mapped_column(String(120))  # of the rules and the features: another one is computed again
    score: Mapped[float | None]  # 0 to 100; None: nothing is known
    parts: Mapped[dict[str, float]] = mapped_column(JSON, default=dict)  # by `BrandPart`
