"""Structure maps for the pictures of a set to follow, made from a picture or uploaded ready."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, now
from app.models.user import User


class MapKind(StrEnum):
    """What a map shows, white on black; for depth, nearer is lighter."""

    EDGES = "edges"
    SILHOUETTE = "silhouette"
    DEPTH = "depth"


class StructureMap(Base):
    """A map, stored once by the SHA-256 of its PNG."""

    __tablename__ = "structure_maps"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[MapKind] = mapped_column(String(16))
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    source_sha256: Mapped[str | None] = mapped_column(String(64))  # of its source picture; None: uploaded ready
    width: Mapped[int]  # px
    height: Mapped[int]
    original_name: Mapped[str] = mapped_column(String(255))
    uploaded_by_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=now)

    uploaded_by: Mapped[User] = relationship()
