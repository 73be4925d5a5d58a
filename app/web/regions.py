"""Painted masks of regions, stored while the form of a set is being filled in."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from app.errors import Invalid
from app.files import Kind
from app.languages import gettext as _
from app.pictures import Limits
from app.sets import masks
from app.web.deps import Me, Quota, ResourcesDep, tried
from app.web.forms.form import Sent
from app.web.forms.sets import MaskForm
from app.web.pictures import Sha256, png
from app.web.pools import Route

router = APIRouter(route_class=Route)

# Upload addresses, where a body may be that large.
UPLOAD_PATHS = ("/regions",)


@router.post("/regions/masks", dependencies=[tried("upload")])
def keep(resources: ResourcesDep, me: Me, form: Sent[MaskForm]) -> Response:
    """Store a painted mask; answers its name, for the form's regions field."""
    if form.mask is None:
        raise Invalid("picture", _("Paint a mask first."))
    data = form.mask.read()
    quota = Quota(resources, me, "picture", data)
    mask = masks.keep(resources.files, data, Limits.of(resources.settings), quota)
    with resources.database.write() as session:
        masks.note(session, me, mask, len(data), quota.held)
    return JSONResponse({"mask": mask})


@router.get("/regions/masks/{mask}.png")
def picture(resources: ResourcesDep, me: Me, mask: Sha256) -> Response:
    return png(resources.files, Kind.MAPS, mask, _("this mask"))
