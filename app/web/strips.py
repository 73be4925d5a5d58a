"""The strip of drafts in the form of a new set: asked for, followed and cancelled by `static/js/strip.js`."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from sqlalchemy.orm import Session

from app.errors import Invalid, NotFound
from app.languages import gettext as _
from app.languages import translated
from app.languages.formats import sentences
from app.models import State, Strip
from app.sets import strips
from app.sets.spec import SetSpec
from app.text import lines
from app.web.deps import Me, Read, Resources, ResourcesDep, count_try
from app.web.forms.form import Sent
from app.web.forms.sets import SetForm
from app.web.pictures import UNKEPT_HEADERS
from app.web.pools import Route
from app.web.queue import why_nothing_runs
from app.work.topics import Topic

router = APIRouter(route_class=Route)


@router.post("/strips")
def create(request: Request, resources: ResourcesDep, me: Me, form: Sent[SetForm]) -> Response:
    """Start a strip for the first prompt of a form; what is wrong comes back as sentences."""
    count_try(request, "strip", me.id)
    values = form.model_dump() | {"count": "1", "name": "", "campaign": "", "strength": ""}
    values["prompts"] = next(filter(None, map(str.strip, lines(form.prompts))), "")
    model = resources.engine.model
    try:
        spec = SetSpec.from_form(values, model).translated(resources.translator, resources.handles)
        with resources.database.write() as session:
            strip = strips.create(session, me, spec, model, resources.files)
            started = facts(session, resources, strip)
    except Invalid as error:
        return PlainTextResponse(sentences(error.errors.values()), error.status)
    return JSONResponse(started)


@router.get("/strips/{strip_id}")
def show(resources: ResourcesDep, me: Me, session: Read, strip_id: int) -> JSONResponse:
    return JSONResponse(
        facts(session, resources, strips.get(session, me, strip_id)), headers={"Cache-Control": "no-store"}
    )


@router.get("/strips/{strip_id}/{position}.webp")
def draft(me: Me, session: Read, strip_id: int, position: int) -> Response:
    for each in strips.get(session, me, strip_id).drafts:
        if each.position == position and each.webp:
            return Response(each.webp, media_type="image/webp", headers=UNKEPT_HEADERS)
    raise NotFound(_("This draft is not finished."))


@router.post("/strips/{strip_id}/cancel")
def cancel(resources: ResourcesDep, me: Me, strip_id: int) -> Response:
    with resources.database.write() as session:
        strips.cancel(session, me, strip_id)
    return Response(status_code=204)


def facts(session: Session, resources: Resources, strip: Strip) -> dict[str, Any]:
    """What the page shows of a strip: its drafts, and while they are made, how far they are."""
    running = next(iter(resources.bus.running_for(Topic("strip", strip.id))), None)
    pause = why_nothing_runs(session, resources)
    return {
        "id": strip.id,
        "done": strip.state not in (State.QUEUED, State.GENERATING),
        "said": _said(strip, pause.reason if pause else None),
        "step": running.step if running else 0,
        "steps": running.steps if running else 0,
        "drafts": [
            {"strength": each.strength, "url": f"/strips/{strip.id}/{each.position}.webp" if each.webp else None}
            for each in strip.drafts
        ],
    }


def _said(strip: Strip, paused: str | None) -> str:
    match strip.state:
        case State.QUEUED:
            return _("Paused: %(reason)s.", reason=paused) if paused else _("Queued")
        case State.CANCELLED:
            return _("Cancelled. Preview the strengths again if you need them.")
        case State.FAILED | State.HELD:
            return translated(strip.error) if strip.error else _("The drafts could not be generated. Try again.")
    return translated(strip.error or "")
