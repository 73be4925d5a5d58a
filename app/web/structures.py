"""Structure maps: made from pictures while the form of a set is filled in, cropped, or picked from earlier ones.

The form's script calls these addresses; a refusal is its sentence as plain text.
"""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from sqlalchemy.orm import Session

from app import grounds
from app.engine.base import ModelFacts
from app.errors import Invalid
from app.files import Kind
from app.grounds import GroundNeeded
from app.languages import gettext as _
from app.models import MapKind, StructureMap
from app.pictures import Limits
from app.sets.spec import MOST_PROMPTS, MOST_STRUCTURES
from app.specs import read_json
from app.structures import queries, service
from app.text import whole_number
from app.web.deps import Me, Quota, Read, ResourcesDep, tried
from app.web.forms.form import Sent
from app.web.forms.sets import MapCropForm, MapForm
from app.web.pictures import Side, png, webp
from app.web.pools import Route
from app.web.templating import page

router = APIRouter(route_class=Route)

# Upload addresses, where a body may be that large.
UPLOAD_PATHS = ("/maps",)

MOST_MAPS = MOST_STRUCTURES * MOST_PROMPTS  # per form


@router.get("/maps")
def library(request: Request, me: Me, session: Read, kind: MapKind | None = None) -> Response:
    """The newest maps, for the form's chooser."""
    return page(request, "structures/_library.html", maps=queries.recent(session, me, kind), kind=kind)


@router.post("/maps", dependencies=[tried("upload")])
def create(resources: ResourcesDep, me: Me, form: Sent[MapForm]) -> Response:
    """Make a map from the uploaded picture, or take an uploaded ready map."""
    waiting = next(iter(form.asked), None)
    if form.picture:
        data, name, limits = form.picture.read(), form.picture.name, Limits.of(resources.settings)
    elif waiting:
        data, name = grounds.stored(resources.files, waiting), waiting.name
        limits = grounds.limits_of(data)
    else:
        raise Invalid("picture", _("Choose a picture first."))
    try:
        kept, remark = service.draw(
            me,
            resources.files,
            data,
            kind_of(form.kind),
            size=size_of(form.size, resources.engine.model),
            ready=form.ready,
            name=name,
            ground=form.colour,
            engine=resources.engine,
            limits=limits,
            room=Quota(resources, me, "picture", data),
        )
    except GroundNeeded as error:
        return JSONResponse(grounds.told(error.waiting), error.status)
    with resources.database.write() as session:
        made = service.add(session, me, kept, name)
        session.flush()
        return JSONResponse(facts(made) | {"remark": remark}, 201)


@router.post("/maps/{map_id}/crop", dependencies=[tried("upload")])
def crop(resources: ResourcesDep, me: Me, form: Sent[MapCropForm], map_id: int) -> Response:
    with resources.database.read() as session:
        given = queries.get(session, me, map_id)
    part = service.crop(
        resources.files,
        given,
        size_of(form.size, resources.engine.model),
        Quota(resources, me, "picture", b""),
    )
    if part is None:
        return JSONResponse(facts(given), 201)
    with resources.database.write() as session:
        made = service.add(session, me, part, given.original_name, cropped_from=given.id)
        session.flush()
        return JSONResponse(facts(made), 201)


@router.get("/maps/{map_id}.png")
def picture(resources: ResourcesDep, me: Me, session: Read, map_id: int) -> Response:
    found = queries.get(session, me, map_id)
    return png(resources.files, Kind.MAPS, found.sha256, _("the map %(name)s", name=found.original_name))


@router.get("/maps/{map_id}/thumb-{side}.webp")
def thumbnail(resources: ResourcesDep, me: Me, session: Read, map_id: int, side: Side) -> Response:
    return webp(resources.files, queries.get(session, me, map_id).sha256, int(side))


def facts(given: StructureMap) -> dict[str, Any]:
    """A map for the form's script."""
    return {
        "id": given.id,
        "kind": str(given.kind),
        "name": given.original_name,
        "width": given.width,
        "height": given.height,
    }


def named_facts(session: Session, field: str) -> list[dict[str, Any]]:
    """Facts about the maps in a form's field; none if the field is unreadable."""
    try:
        map_ids = {map_id for part in read_json(field or "[]") for map_id in part["maps"]}
    except (ValueError, TypeError, KeyError):
        return []
    numbers = {map_id for map_id in map_ids if isinstance(map_id, int)}
    known = queries.by_id(session, sorted(numbers)[:MOST_MAPS])
    return [facts(known[map_id]) for map_id in sorted(known)]


def kind_of(name: str) -> MapKind:
    if name not in list(MapKind):
        raise Invalid(
            "kind", _("A map shows %(kinds)s; %(given)s was given.", kinds=", ".join(MapKind), given=repr(name[:40]))
        )
    return MapKind(name)


def size_of(value: str, model: ModelFacts) -> tuple[int, int]:
    """The form's current size in px, as in "1024x768"; the model's own while it is being typed."""
    width, _, height = value.lower().partition("x")
    sides = whole_number(width.strip()), whole_number(height.strip())
    fits = all(side and side <= model.max_side for side in sides)
    return (sides[0] or 0, sides[1] or 0) if fits else model.default_size
