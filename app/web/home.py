"""Home: what needs me now, what is being made, and where things are."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.reviews import queries as reviews
from app.sets import queries as sets
from app.styles import queries as styles
from app.web.deps import App, Me, Read
from app.web.filters import filesize
from app.web.templating import page

router = APIRouter()

RECENT_SETS = 8


@router.get("/")
def home(request: Request, app: App, me: Me, session: Read) -> Response:
    return page(
        request,
        "home/home.html",
        nav="home",
        needs=reviews.needs(session, me),
        queue=sets.queue(session, me),
        recent_sets=sets.cards(session, me, limit=RECENT_SETS),
        sets_total=sets.count(session, me),
        campaigns=sets.campaigns(session, me),
        first_run=not styles.cards(session, me),
        model_words=app.engine.model.device,
        upload_limit=filesize(app.settings.upload_bytes),
    )
