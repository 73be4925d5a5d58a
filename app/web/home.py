"""Home: what needs attention, what is running, and where things are."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app import checklist
from app.blind import queries as blind
from app.languages import gettext as _
from app.reports import queries as reports
from app.reviews import needs
from app.rights import needs as rights
from app.samples import queries as samples
from app.sets import campaigns
from app.sets import queries as sets
from app.styles import queries as styles
from app.web.deps import Admin, Me, Read, ResourcesDep
from app.web.filters import filesize
from app.web.pools import Route
from app.web.queue import live_row, why_nothing_runs
from app.web.templating import page, see_other
from app.work import line

router = APIRouter(route_class=Route)

RECENT_SETS = 8
CAMPAIGNS = 8  # those with the newest sets
RIGHTS_SHOWN = 4  # the rest is collapsed


@router.get("/warnings")
def news_of_warnings(request: Request, me: Admin) -> Response:
    """The warnings at the top of an open page."""
    return page(request, "_warnings.html")


@router.post("/checklist/hide")
def hide_checklist(resources: ResourcesDep, me: Me) -> Response:
    with resources.database.write() as session:
        checklist.show(session, me, shown=False)
    return see_other("/", _("First steps are hidden. Your account page shows them again."))


@router.post("/checklist/show")
def show_checklist(resources: ResourcesDep, me: Me) -> Response:
    with resources.database.write() as session:
        checklist.show(session, me, shown=True)
        left = checklist.left(session, me)
    return see_other("/", "" if left else _("You have done all first steps of your role."))


@router.get("/")
def home(request: Request, resources: ResourcesDep, me: Me, session: Read) -> Response:
    ending = rights.needs(session, me)
    steps = checklist.steps(session, me)
    first_run = not styles.exist(session, me)
    listed = campaigns.listed(session, me, limit=CAMPAIGNS + 1)
    return page(
        request,
        "home/home.html",
        nav="home",
        needs=[
            *reports.needs(session, me),
            *blind.needs(session, me),
            *ending[:RIGHTS_SHOWN],
            *needs.of_user(session, me),
        ],
        more_needs=ending[RIGHTS_SHOWN:],
        queue=[live_row(resources, row) for row in line.listed(session, me)],
        pause=why_nothing_runs(session, resources),
        recent_sets=sets.cards(session, me, limit=RECENT_SETS),
        sets_total=sets.count(session, me),
        campaigns=listed[:CAMPAIGNS],
        more_campaigns=len(listed) > CAMPAIGNS,
        first_run=first_run,
        steps=steps,
        sample=samples.opened(session, me) if steps and not first_run else None,
        model_words=resources.model_words,
        upload_limit=filesize(resources.settings.upload_bytes),
    )
