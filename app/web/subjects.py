"""Subjects: the list, the form for a new one, and the page that shows its training."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from sqlalchemy.orm import Session

from app.accounts import authority
from app.engine.base import ModelFacts, Restart
from app.errors import Conflict, Invalid, NotFound
from app.files import Kind
from app.models import State, Subject, SubjectSample, User
from app.pictures import Limits
from app.specs import read_json
from app.storage import Pause
from app.subjects import queries, service, training
from app.subjects.spec import SubjectSpec
from app.web.deps import (
    Me,
    Quota,
    Read,
    Resources,
    ResourcesDep,
    resources_of,
    tried,
)
from app.web.downloads import WatchedFile, as_long_as
from app.web.forms.form import Sent
from app.web.forms.sets import LoraForm, SubjectForm, SubjectPictureForm, TrainingForm
from app.web.pictures import UNKEPT_HEADERS, Sha256, Side, webp
from app.web.pools import Route, writing
from app.web.stream import EVERYTHING, May, Message, Watching, what_may
from app.web.templating import Page, page, render, see_other
from app.work import line
from app.work.queue import OPEN, WAITING

router = APIRouter(route_class=Route)

# Upload addresses for pictures and for LoRA files, which are larger.
UPLOAD_PATHS = ("/subjects",)
LORA_PATH = "/subjects/lora"

SAMPLES_SHOWN = 12  # the newest


@router.get("/subjects")
def index(request: Request, resources: ResourcesDep, me: Me, session: Read) -> Response:
    return page(
        request,
        "subjects/index.html",
        nav="subjects",
        subjects=queries.every(session, me),
        model=resources.engine.model,
    )


@router.get("/subjects/new")
def new(request: Request, resources: ResourcesDep, me: Me) -> Response:
    return form_page(request, empty_form(resources), [], {})


@router.post("/subjects/pictures", dependencies=[tried("upload")])
def keep(resources: ResourcesDep, me: Me, form: Sent[SubjectPictureForm]) -> Response:
    """Store one picture before the rest of the form is sent; answers its name, for the form."""
    if form.picture is None:
        raise Invalid("picture", "Choose a picture first.")
    data = form.picture.read()
    quota = Quota(resources, me, "pictures", data)
    sha256 = service.keep_picture(
        me, resources.files, data, resources.engine.model, Limits.of(resources.settings), quota
    )
    with resources.database.write() as session:
        service.note_pictures(session, me, [len(data)], quota.held)
    return JSONResponse({"sha256": sha256, "thumb": f"/subjects/pictures/{sha256}/thumb-320.webp"}, 201)


@router.get("/subjects/pictures/{sha256}/thumb-{side}.webp")
def kept_thumbnail(resources: ResourcesDep, me: Me, sha256: Sha256, side: Side) -> Response:
    """A thumbnail of a picture in a form, which belongs to no subject yet."""
    if not resources.files.has(Kind.SUBJECTS, sha256):
        raise NotFound("There is no such picture.")
    return webp(resources.files, sha256, int(side))


@router.post("/subjects", dependencies=[tried("set")])
def create(request: Request, resources: ResourcesDep, me: Me, form: Sent[TrainingForm]) -> Response:
    values = typed(form)
    pictures = [name for name in form.kept if resources.files.has(Kind.SUBJECTS, name)]
    try:
        pictures += sent_pictures(resources, me, form)
        spec = SubjectSpec.from_form(values | {"pictures": tuple(pictures)}, resources.engine.model.training)
        kept = service.sizes(resources.files, spec.pictures)
        with resources.database.write() as session:
            subject = service.create_from_pictures(session, me, kept, spec, resources.engine.model)
    except Invalid as error:
        return form_page(request, values, list(dict.fromkeys(pictures)), error.errors)
    return see_other(f"/subjects/{subject.id}")


@router.post(LORA_PATH, dependencies=[tried("upload")])
def create_from_file(request: Request, resources: ResourcesDep, me: Me, form: Sent[LoraForm]) -> Response:
    values = typed(form)
    try:
        if form.file is None:
            raise Invalid("file", "Choose the LoRA, a .safetensors file.")
        spec = SubjectSpec.from_form(
            {name: values[name] for name in ("name", "class_words", "phrase")}, resources.engine.model.training
        )
        with resources.database.read() as session:
            service.need_free_name(session, me, spec)
        data = form.file.read()
        quota = Quota(resources, me, "file", data)
        lora = service.keep_lora(me, resources.files, data, form.file.name, resources.engine, quota)
        with resources.database.write() as session:
            subject = service.create_from_file(session, me, spec, lora)
    except Invalid as error:
        return form_page(request, values, [], error.errors, from_file=True)
    return see_other(f"/subjects/{subject.id}", f"@{subject.handle} is ready.")


@router.get("/subjects/{subject_id}")
def show(request: Request, resources: ResourcesDep, me: Me, session: Read, subject_id: int) -> Response:
    # Taken before the rows are read: events cover every change from here on.
    cursor = resources.bus.cursor()
    subject = queries.get(session, me, subject_id)
    may = may_on(subject, me)
    now = view(session, resources, me, subject_id, may)
    return render(request, SubjectPage(**now.variables, cursor=cursor, may=may))


@router.post("/subjects/{subject_id}/cancel")
def cancel(resources: ResourcesDep, me: Me, subject_id: int) -> Response:
    try:
        with resources.database.write() as session:
            service.cancel(session, me, subject_id)
    except Conflict as error:
        return see_other(f"/subjects/{subject_id}", str(error), refused=True)
    return see_other(f"/subjects/{subject_id}")


@router.post("/subjects/{subject_id}/retry", dependencies=[tried("set")])
def retry(resources: ResourcesDep, me: Me, subject_id: int) -> Response:
    try:
        with resources.database.write() as session:
            service.retry(session, me, subject_id)
    except Conflict as error:
        return see_other(f"/subjects/{subject_id}", str(error), refused=True)
    return see_other(f"/subjects/{subject_id}")


@router.post("/subjects/{subject_id}/archive")
def archive(resources: ResourcesDep, me: Me, subject_id: int) -> Response:
    try:
        with resources.database.write() as session:
            subject = service.archive(session, me, subject_id)
    except Conflict as error:
        return see_other(f"/subjects/{subject_id}", str(error), refused=True)
    return see_other("/subjects", f"@{subject.handle} archived.")


@router.post("/subjects/{subject_id}/unarchive")
def unarchive(resources: ResourcesDep, me: Me, subject_id: int) -> Response:
    with resources.database.write() as session:
        subject = service.unarchive(session, me, subject_id)
    return see_other(f"/subjects/{subject_id}", f"@{subject.handle} restored.")


@router.get("/subjects/{subject_id}/lora.safetensors")
@writing
def download(request: Request, resources: ResourcesDep, me: Me, subject_id: int) -> Response:
    # Downloads are recorded, so this GET writes; no cross-site page can read the answer.
    with resources.database.write() as session:
        subject = queries.get(session, me, subject_id)
        if subject.sha256 is None:
            raise NotFound("This subject has no LoRA file yet.")
        service.note_download(session, me, subject)
    return WatchedFile(
        resources.files.whole(Kind.LORAS, subject.sha256, f"@{subject.handle}"),
        as_long_as(
            request, resources, lambda session, now: service.may_change(now, queries.get(session, now, subject_id))
        ),
        headers=UNKEPT_HEADERS,
        media_type="application/octet-stream",
        filename=f"{subject.handle}.safetensors",
    )


@router.get("/subjects/{subject_id}/pictures/{position}/thumb-{side}.webp")
def picture(resources: ResourcesDep, me: Me, session: Read, subject_id: int, position: int, side: Side) -> Response:
    return webp(resources.files, queries.picture(session, me, subject_id, position).sha256, int(side))


@router.get("/subjects/samples/{sample_id}/thumb-{side}.webp")
def sample(resources: ResourcesDep, me: Me, session: Read, sample_id: int, side: Side) -> Response:
    return webp(resources.files, queries.sample(session, me, sample_id).sha256, int(side))


# Live updates


@dataclass(frozen=True, kw_only=True)
class LivePart(Page):
    """Everything that changes on a subject's page, for one person."""

    template = "subjects/_live.html"
    nav = "subjects"

    subject: Subject
    pause: Pause | Restart | None  # why it is not trained at the moment
    step: int
    loss: float | None
    class_pictures: tuple[int, int]  # drawn before the training, of how many
    seconds_left: float | None
    samples: list[SubjectSample]  # newest first
    line: int | None  # how many sets and trainings come before
    done: bool
    usable: bool  # with the server's model
    can_cancel: bool
    can_retry: bool
    can_archive: bool
    can_bring_back: bool  # from the archive, depending on the role that archived it
    brought_back_by: str
    can_download: bool
    oob: bool = False  # for htmx to swap out of band


@dataclass(frozen=True, kw_only=True)
class SubjectPage(LivePart):
    template = "subjects/show.html"

    cursor: str  # of the bus, where the page starts to listen
    may: May


def view(session: Session, resources: Resources, me: User, subject_id: int, may: May) -> LivePart:
    """The current state of a subject, with the acts of those who `may`. Raises NotFound."""
    subject = queries.get(session, me, subject_id)
    topic = training.topic(subject_id)
    running = next(iter(resources.bus.running_for(topic)), None) if subject.state == State.GENERATING else None
    mine, done = "change" in may, subject.state not in WAITING
    restores = authority.power(subject.archived_as)
    return LivePart(
        subject=subject,
        pause=resources.pause,
        step=max(running.step if running else 0, subject.step),
        loss=running.loss if running else None,
        class_pictures=running.class_pictures if running else (0, 0),
        seconds_left=running.seconds_left if running else None,
        samples=subject.samples[-SAMPLES_SHOWN:][::-1],
        line=line.place(session, topic) if subject.state == State.QUEUED else None,
        done=done,
        usable=subject.model == resources.engine.model.name,
        can_cancel=mine and subject.state in OPEN,
        can_retry=mine and subject.state in service.ENDED,
        can_archive=mine and done,
        can_bring_back=restores is None or restores in may,
        brought_back_by=authority.undone_by(subject.archived_as),
        can_download=mine,
    )


def need_subject(me: Me, session: Read, subject_id: int) -> None:
    """Raise NotFound before a stream starts."""
    queries.get(session, me, subject_id)


@router.get("/subjects/{subject_id}/events", response_class=EventSourceResponse, dependencies=[Depends(need_subject)])
async def events(watch: Watching, subject_id: int) -> AsyncIterator[ServerSentEvent]:
    """The changes of a subject, until it is done."""
    async for event in watch.messages(training.topic(subject_id), changed):
        yield event


def changed(
    resources: Resources, subject_id: int, session: Session, me: User, images: frozenset[int] | None
) -> Message:
    """Everything that changes on the page."""
    now = view(session, resources, me, subject_id, EVERYTHING)
    return Message(replace(now, oob=True).html(resources.environment), partial(may_on, now.subject), done=now.done)


def may_on(subject: Subject, me: User) -> May:
    return what_may(me, change=service.may_change(me, subject))


# The form


@dataclass(frozen=True, kw_only=True)
class NewSubjectPage(Page):
    template = "subjects/new.html"
    nav = "subjects"

    form: dict[str, Any]
    pictures: list[str]  # already stored, by SHA-256
    errors: dict[str, str]
    from_file: bool  # the LoRA form was the one sent
    model: ModelFacts
    upload_bytes: int
    lora_bytes: int


def empty_form(resources: Resources) -> dict[str, Any]:
    usual = resources.engine.model.training
    return {
        "name": "",
        "class_words": "",
        "phrase": "",
        "steps": str(usual.steps),
        "rank": str(usual.rank),
        "rate": f"{usual.rate:g}",
        "text_encoders": "on" if usual.text_encoders else "",
    }


def typed(form: SubjectForm) -> dict[str, Any]:
    """The form's values to show again; a missing checkbox is off."""
    return form.model_dump(include=set(SubjectForm.model_fields)) | {"text_encoders": form.text_encoders or "off"}


def sent_pictures(resources: Resources, me: User, form: TrainingForm) -> list[str]:
    """Pictures sent with the form itself, by a browser without scripts."""
    limits, pictures = Limits.of(resources.settings), [file.read() for file in form.picture]
    quota = Quota(resources, me, "pictures", *pictures)
    kept = [service.keep_picture(me, resources.files, data, resources.engine.model, limits, quota) for data in pictures]
    if kept:
        with resources.database.write() as session:
            service.note_pictures(session, me, [len(data) for data in pictures], quota.held)
    return kept


def form_page(
    request: Request, form: dict[str, Any], pictures: list[str], errors: dict[str, str], from_file: bool = False
) -> Response:
    resources = resources_of(request)
    shown = NewSubjectPage(
        form=empty_form(resources) | {name: value for name, value in form.items() if value},
        pictures=pictures,
        errors=errors,
        from_file=from_file,
        model=resources.engine.model,
        upload_bytes=resources.settings.upload_bytes,
        lora_bytes=resources.settings.lora_bytes,
    )
    return render(request, shown, 422 if errors else 200)


# For set pages


def offered(session: Session, resources: Resources, me: User, form: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The subjects that a set's form offers, with its values for them."""
    chosen = asked(form.get("subjects", ""))
    return [
        {
            "id": subject.id,
            "handle": subject.handle,
            "name": subject.name,
            "picture": bool(subject.pictures),
            "chosen": subject.id in chosen,
            "weight": chosen.get(subject.id, 1.0),
        }
        for subject in queries.choices(session, me, resources.engine.model.name)
    ]


def asked(value: str) -> dict[int, float]:
    """Weights by subject, from the form's hidden field; ignores the unreadable, which the service reports."""
    try:
        return {int(part["id"]): float(part.get("weight", 1)) for part in read_json(value or "[]")}
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}
