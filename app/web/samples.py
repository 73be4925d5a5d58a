"""Open the sample campaign, and remove it."""

from fastapi import APIRouter
from fastapi.responses import Response

from app import undo
from app.errors import Conflict
from app.languages import gettext as _
from app.samples import queries, service
from app.web.deps import Me, ResourcesDep, tried
from app.web.pools import Route
from app.web.templating import see_other

router = APIRouter(route_class=Route)


@router.post("/sample/open", dependencies=[tried("export")])
def open_sample(resources: ResourcesDep, me: Me) -> Response:
    """Make the sample, or lead to the one that is already open: in another tab, or by a second click."""
    with resources.database.read() as session:
        known = queries.opened(session, me)
    if known:
        return see_other(f"/sets/{known.set_id}", _("Your sample campaign is already open."))
    stored = service.store(resources.files)
    try:
        with resources.database.write() as session:
            set_id = service.open_sample(session, me, stored).set_id
    except Conflict as error:
        return see_other("/", str(error), refused=True)
    resources.exporter.background.wake()
    return see_other(f"/sets/{set_id}", _("This is the sample campaign. Try everything on it."))


@router.post("/sample/remove")
def remove_sample(resources: ResourcesDep, me: Me) -> Response:
    try:
        with resources.database.write() as session:
            said = service.remove(session, me)
        offer = undo.offered(session)
    except Conflict as error:
        return see_other("/", str(error), refused=True)
    return see_other("/", said, undo=offer)
