"""Approved pictures as a zip, streamed while it is made, with its exact length so that browsers show the time left."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query
from fastapi.responses import Response, StreamingResponse

from app.exports import service
from app.models import User
from app.web.deps import App, Me, Parts

router = APIRouter()


@router.get("/sets/{set_id}/approved.zip")
def of_set(app: App, me: Me, set_id: int) -> Response:
    return download(app, me, set_id=set_id)


@router.get("/campaigns/{campaign_id}/approved.zip")
def of_campaign(app: App, me: Me, campaign_id: int) -> Response:
    return download(app, me, campaign_id=campaign_id)


@router.get("/pictures/approved.zip")
def of_pictures(app: App, me: Me, ids: Annotated[list[int], Query(min_length=1, max_length=1000)]) -> Response:
    return download(app, me, image_ids=ids)


def download(
    app: Parts,
    me: User,
    *,
    set_id: int | None = None,
    campaign_id: int | None = None,
    image_ids: list[int] | None = None,
) -> Response:
    # Downloading leaves an entry in the record, so this GET writes; no cross-site page can read what it answers.
    with app.database.write() as session:
        plan = service.approved(session, me, app.files, set_id=set_id, campaign_id=campaign_id, image_ids=image_ids)
    made = service.stream(plan)
    headers = {
        "Content-Length": str(made.length),
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(made.name)}",
    }
    return StreamingResponse(made.chunks, media_type="application/zip", headers=headers)
