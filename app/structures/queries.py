"""Read structure maps. Everyone who is signed in may use all of them, like references."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from app.accounts.queries import signed_in
from app.errors import NotFound
from app.languages import gettext as _
from app.models import ImageSet, MapKind, StructureMap, User


@dataclass(frozen=True)
class Used:
    """A structure of a set, with its maps: one, or one per prompt."""

    kind: str
    maps: Sequence[StructureMap]
    weight: float
    start: float
    end: float


def get(session: Session, user: User, map_id: int) -> StructureMap:
    """The map. Raises NotFound."""
    found = session.scalar(select(StructureMap).where(StructureMap.id == map_id, signed_in(user)))
    if found is None:
        raise NotFound(_("There is no such map."))
    return found


def recent(session: Session, user: User, kind: MapKind | None = None, limit: int = 24) -> Sequence[StructureMap]:
    """The newest maps, of one kind or all."""
    wanted = select(StructureMap).where(signed_in(user)).options(joinedload(StructureMap.uploaded_by))
    if kind:
        wanted = wanted.where(StructureMap.kind == kind)
    return session.scalars(wanted.order_by(StructureMap.id.desc()).limit(limit)).all()


def by_id(session: Session, map_ids: Iterable[int]) -> dict[int, StructureMap]:
    """The maps that exist, by id."""
    if not (wanted := set(map_ids)):  # as usual
        return {}
    found = session.scalars(select(StructureMap).where(StructureMap.id.in_(wanted)))
    return {each.id: each for each in found}


def of_set(session: Session, image_set: ImageSet) -> list[Used]:
    """The structures of a set, in order."""
    maps = by_id(session, (map_id for part in image_set.structures for map_id in part.maps))
    return [
        Used(part.control, [maps[map_id] for map_id in part.maps if map_id in maps], part.weight, part.start, part.end)
        for part in image_set.structures
    ]
