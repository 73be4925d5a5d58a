"""The queue: what waits, in order, for whom, and how long; its order, and its pauses."""

from collections.abc import Callable

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from app.errors import Conflict, Forbidden, Invalid
from app.languages import gettext as _
from app.models import Role
from app.scheduling import queries, service
from app.scheduling.queries import QueuePaused
from app.scheduling.service import Place
from app.sets.aside import AsideRow
from app.sets.units import QueuedSet
from app.subjects.training import TrainingRow
from app.text import whole_number
from app.web.deps import Me, Paused, Read, Resources, ResourcesDep
from app.web.forms.form import Sent
from app.web.forms.queue import BackForm, PauseForm, PlaceInQueueForm
from app.web.pools import Route
from app.web.templating import inner_path, page, see_other
from app.work.kinds import Row
from app.work.topics import Topic

router = APIRouter(route_class=Route)

Standstill = Paused | QueuePaused | None
"""Why nothing is generated at the moment."""


def why_nothing_runs(session: Session, resources: Resources) -> Standstill:
    """Why nothing is generated at the moment, for the people who wait; the server's own trouble first."""
    return resources.pause or queries.current_pause(session)


def live_row(resources: Resources, row: Row) -> Row:
    """A row of the queue, with what the engine has done of it, which the database only gets occasionally."""
    if isinstance(row, TrainingRow) and row.runs and (running := resources.bus.running_for(row.topic)):
        row.step = max(running[0].step, row.step)
        row.class_pictures = running[0].class_pictures
    elif isinstance(row, QueuedSet):
        row.under_way = row.making * resources.bus.fraction_of(row.topic)
    elif isinstance(row, AsideRow) and (running := resources.bus.running_for(row.topic)):
        row.reached(running[0].step, running[0].steps)
    return row


@router.get("/queue")
def index(request: Request, resources: ResourcesDep, me: Me, session: Read) -> Response:
    return queue_page(request, session, resources, me)


def queue_page(
    request: Request, session: Session, resources: Resources, me: Me, reason: str = "", error: Invalid | None = None
) -> Response:
    running = {unit.topic: unit.seconds_left for unit in resources.bus.running_units() if unit.seconds_left is not None}
    queue = queries.listed(session, me, running)
    for each in queue:
        live_row(resources, each.row)
    return page(
        request,
        "queue/index.html",
        422 if error else 200,
        nav="home",
        queue=queue,
        pause=why_nothing_runs(session, resources),
        paused=queries.current_pause(session),
        can_pause=me.can(Role.ADMIN),
        reason=reason,
        errors=error.errors if error else {},
        model_words=resources.model_words,
    )


@router.post("/queue/pause")
def pause_queue(request: Request, resources: ResourcesDep, me: Me, form: Sent[PauseForm]) -> Response:
    try:
        with resources.database.write() as session:
            service.pause_queue(session, me, form.reason)
    except Invalid as error:
        with resources.database.read() as session:
            return queue_page(request, session, resources, me, form.reason, error)
    except Conflict as error:
        return see_other("/queue", str(error), refused=True)
    return see_other("/queue", _("Queue paused. What is being generated now is finished."))


@router.post("/queue/resume")
def resume_queue(resources: ResourcesDep, me: Me) -> Response:
    return done(resources, "/queue", _("Queue resumed."), lambda session: service.resume_queue(session, me))


@router.post("/queue/{noun}/{row_id}/move")
def move(resources: ResourcesDep, me: Me, form: Sent[PlaceInQueueForm], noun: str, row_id: int) -> Response:
    topic, place = Topic(noun, row_id), place_of(form.to)
    return done(resources, "/queue", _("Order changed."), lambda session: service.move(session, me, topic, place))


@router.post("/queue/{noun}/{row_id}/pause")
def pause(resources: ResourcesDep, me: Me, form: Sent[BackForm], noun: str, row_id: int) -> Response:
    if noun == "subject":
        said = _("Paused. It resumes where it stopped.")
    else:
        said = _("Paused. What is being generated now is finished.")
    topic = Topic(noun, row_id)
    return done(resources, back(form), said, lambda session: service.pause(session, me, topic))


@router.post("/queue/{noun}/{row_id}/resume")
def resume(resources: ResourcesDep, me: Me, form: Sent[BackForm], noun: str, row_id: int) -> Response:
    topic = Topic(noun, row_id)
    return done(resources, back(form), _("Resumed."), lambda session: service.resume(session, me, topic))


@router.post("/queue/{noun}/{row_id}/cancel")
def cancel(resources: ResourcesDep, me: Me, form: Sent[BackForm], noun: str, row_id: int) -> Response:
    topic = Topic(noun, row_id)
    return done(resources, back(form), _("Cancelled."), lambda session: service.cancel(session, me, topic))


def done(resources: Resources, there: str, said: str, act: Callable[[Session], bool | None]) -> Response:
    """Act, and show the page `there`; a conflict is told on it, because it shows the present state.

    Nothing is said of an act that changed nothing, and returns False.
    """
    try:
        with resources.database.write() as session:
            changed = act(session)
    except Conflict as error:
        return see_other(there, str(error), refused=True)
    return see_other(there, "" if changed is False else said)


def place_of(text: str) -> Place:
    """Parse where to: "top", "up", "down", "last", or the topic that follows, such as "set-5"."""
    match text:
        case "top" | "up" | "down" | "last":
            return text
    noun, _sign, number = text.rpartition("-")
    row_id = whole_number(number)
    if not noun or row_id is None:
        raise Forbidden(_("The page sent no place in the queue. Reload it and try again."))
    return Topic(noun, row_id)


def back(form: BackForm) -> str:
    return inner_path(form.source) if form.source else "/queue"
