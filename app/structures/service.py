"""Structure maps: making them from pictures, and the picture sizes they fit."""

import io
from dataclasses import asdict, dataclass
from math import log

from PIL import Image as Picture
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import grounds
from app.accounts.service import need_active
from app.audit.service import record
from app.engine.base import Engine, ModelFacts
from app.errors import Invalid
from app.files import Files, Kind, Room
from app.grounds import GroundNeeded
from app.languages import gettext as _
from app.languages import translated
from app.models import Act, MapKind, StructureMap, User
from app.pictures import CleanPicture, Limits, Map, cropped_map, drawn_map, own_thumbnails
from app.quotas.service import take_upload
from app.rights import queries as rights
from app.text import clean_line

OFF = 0.04  # maximum log ratio between the shapes of map and pictures: about 4 per cent


@dataclass(frozen=True)
class KeptMap:
    """A map whose file is stored, but which has no row yet."""

    kind: MapKind
    sha256: str
    width: int  # px
    height: int
    source_sha256: str | None = None  # of its source picture
    bytes: int = 0
    sent: int = 0  # bytes, as uploaded


def draw(
    user: User,
    files: Files,
    data: bytes,
    kind: MapKind,
    *,
    size: tuple[int, int],
    ready: bool = False,
    name: str = "",
    ground: str = "",
    engine: Engine,
    limits: Limits | None = None,
    room: Room | None = None,
) -> tuple[KeptMap, str]:
    """Draw a map for pictures of `size` px from an upload, or take a `ready` one, and store its file.

    Also returns a message about it, a sentence or "". Slow, so call it before the transaction. Raises
    Invalid("picture", ...), GroundNeeded for edges and depth of a transparent picture without a `ground`, NoDepth,
    Busy, what `room` raises, and CannotSave.
    """
    need_active(user)
    if ready or kind == MapKind.SILHOUETTE:  # there, transparency says something
        ground = ""
    drawn = drawn_map(data, kind, size, ready=ready, ground=ground, limits=limits)
    if isinstance(drawn, CleanPicture):
        raise GroundNeeded(grounds.keep(files, drawn, name, room))
    if not isinstance(drawn, Map):
        picture, source = drawn
        drawn = _deep(engine.depth_map(picture), source)
    return _kept(files, drawn, kind, len(data), room), translated(drawn.remark)


def crop(files: Files, given: StructureMap, size: tuple[int, int], room: Room | None = None) -> KeptMap | None:
    """Crop a map to its largest centred part with the shape of pictures of `size` px, stored as a new map.

    None if the map already has that shape. Slow, so call it before the transaction. Raises Flawed.
    """
    if _off(given.width, given.height, *size) <= OFF:
        return None
    png = files.read(Kind.MAPS, given.sha256, _("the map %(name)s", name=given.original_name))
    return _kept(files, cropped_map(png, size), given.kind, 0, room)


def add(session: Session, user: User, kept: KeptMap, name: str, **details: int) -> StructureMap:
    """Add the row of a stored map. The same map from a file of the same name is the same row.

    Raises Invalid("picture", ...) if rights to the picture are not valid.
    """
    need_active(user)
    Invalid.check({"picture": rights.pictures_refusal(session, (kept.source_sha256 or "", kept.sha256), user)})
    name = clean_line(name)[:255] or "map"
    wanted = (
        StructureMap.sha256 == kept.sha256,
        StructureMap.kind == kept.kind,
        StructureMap.original_name == name,
    )
    known = session.scalar(select(StructureMap).where(*wanted))
    take_upload(session, user, "picture", kept.sent, 0 if known else kept.bytes)
    if known:
        return known
    facts = asdict(kept)
    del facts["bytes"], facts["sent"]
    made = StructureMap(**facts, original_name=name, uploaded_by_id=user.id)
    session.add(made)
    record(session, user, Act.MAP_UPLOAD, made, name=made.original_name, kind=str(kept.kind), **details)
    return made


def shape_problem(name: str, shape: tuple[int, int], size: tuple[int, int], model: ModelFacts) -> str | None:
    """Why pictures of `size` px cannot follow a map of `shape` px, in a sentence; None if they can."""
    if _off(*shape, *size) <= OFF:
        return None
    facts = {"name": name, "shape": _written(shape), "size": _written(size)}
    if suits := fitting_size(*shape, model):
        return _(
            "The map %(name)s is %(shape)s px and pictures of %(size)s would distort it: crop the map or choose "
            "%(fitting)s.",
            **facts,
            fitting=_written(suits),
        )
    return _("The map %(name)s is %(shape)s px and pictures of %(size)s would distort it: crop the map.", **facts)


def _written(size: tuple[int, int]) -> str:
    return f"{size[0]} × {size[1]}"


def fitting_size(width: int, height: int, model: ModelFacts) -> tuple[int, int] | None:
    """The size in px with the shape width : height that the model makes, nearest to its own area; None without one."""
    multiple = model.size_multiple
    sides = range(multiple, model.max_side + 1, multiple)
    sizes = [(wide, round(wide * height / width / multiple) * multiple) for wide in sides]
    possible = [(w, h) for w, h in sizes if h in sides and w * h <= model.max_pixels]
    like = [size for size in possible if _off(width, height, *size) <= OFF]
    area = model.default_size[0] * model.default_size[1]
    return min(like, key=lambda size: abs(log(size[0] * size[1] / area)), default=None)


def _off(width: int, height: int, other_width: int, other_height: int) -> float:
    return abs(log(width / height * other_height / other_width))


def _deep(drawn: Picture.Image, source: str) -> Map:
    """A depth map, drawn by the engine."""
    png = io.BytesIO()
    drawn.convert("L").save(png, "PNG", optimize=True)
    data = png.getvalue()
    return Map(data, drawn.width, drawn.height, own_thumbnails(data), source)


def _kept(files: Files, drawn: Map, kind: MapKind, sent: int, room: Room | None) -> KeptMap:
    sha256 = files.put(Kind.MAPS, drawn.png, drawn.small, room)
    return KeptMap(kind, sha256, drawn.width, drawn.height, drawn.source or None, len(drawn.png), sent)
