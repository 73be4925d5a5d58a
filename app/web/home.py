"""Home: what needs attention, what is running, and where things are."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.reviews import needs
from app.rights import queries as rights
from app.sets import queries as sets
from app.styles import queries as styles
from app.subjects import training
from app.web.deps import Admin, Me, Read, Resources, ResourcesDep
from app.web.filters import filesize
from app.web.pools import Route
from app.web.templating import page
from app.work import line
from app.work.kinds import Row

router = APIRouter(route_class=Route)

RECENT_SETS = 8
RIGHTS_SHOWN = 4  # the rest is collapsed


def live_row(resources: Resources, row: Row) -> Row:
    """A row of the queue; with a training's current step, which the database only gets occasionally."""
    if isinstance(row, training.TrainingRow):
        running = resources.bus.running_for(row.topic)
        row.step = (running and running[0].step) or row.step
    return row


@router.get("/warnings")
def news_of_warnings(request: Request, me: Admin) -> Response:
    """The warnings at the top of an open page."""
    return page(request, "_warnings.html")


@router.get("/")
def home(request: Request, resources: ResourcesDep, me: Me, session: Read) -> Response:
    ending = rights.needs(session, me)
    return page(
        request,
        "home/home.html",
        nav="home",
        needs=[*ending[:RIGHTS_SHOWN], *needs.of_user(session, me)],
        more_needs=ending[RIGHTS_SHOWN:],
        queue=[live_row(resources, row) for row in line.listed(session, me)],
        pause=resources.pause,
        recent_sets=sets.cards(session, me, limit=RECENT_SETS),
        sets_total=sets.count(session, me),
        campaigns=sets.campaigns(session, me),
        first_run=not styles.cards(session, me),
        model_words=resources.engine.model.device,
        upload_limit=filesize(resources.settings.upload_bytes),
    )
