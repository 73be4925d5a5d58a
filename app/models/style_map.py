"""Style maps: how much each part of a picture drew from its references."""

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, now
from app.models.state import State


class StyleMap(Base):
    """The map of one picture, which never changes: a picture has at most one."""

    __tablename__ = "style_maps"

    id: Mapped[int] = mapped_column(primary_key=True)
    set_id: Mapped[int] = mapped_column(ForeignKey("image_sets.id", ondelete="CASCADE"), index=True)
    image_id: Mapped[int] = mapped_column(unique=True)  # no foreign key: images name units, which name maps
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id"))  # the one who asked for it
    png: Mapped[bytes | None] = mapped_column(LargeBinary)  # grey: a row for each group of layers, a column a step
    groups: Mapped[list[str]] = mapped_column(JSON, default=list)  # "down 2": a part of the UNet, its reduction
    steps: Mapped[int] = mapped_column(default=0)  # columns
    state: Mapped[State] = mapped_column(String(16), default=State.QUEUED)
    error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(default=now)
