"""Subjects: the list, the form for a new one, and the page that shows its training."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from io import BytesIO
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from sqlalchemy.orm import Session

from app import grounds, search
from app import undo as undos
from app.accounts import authority
from app.drafts.service import UploadedFile
from app.engine.base import ModelFacts
from app.errors import Conflict, Invalid, NotFound
from app.files import Kind
from app.grounds import GroundNeeded, TransparentPicture
from app.languages import gettext as _
from app.models import Role, State, Subject, SubjectSample, User
from app.pictures import Limits
from app.subjects import queries, service, training
from app.subjects.samples import SAMPLES
from app.subjects.spec import SubjectSpec
from app.text import whole_number
from app.web import drafts
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
from app.web.drafts import Drafted, FormDraft
from app.web.filled import FilledSubject
from app.web.filters import to_fix
from app.web.forms.form import Sent, SentFile
from app.web.forms.grounds import GroundForm
from app.web.forms.sets import LoraForm, SubjectForm, SubjectPictureForm, TrainingForm
from app.web.parts import part
from app.web.pictures import UNKEPT_HEADERS, Sha256, Side, webp
from app.web.pools import Route, writing
from app.web.queue import Standstill, why_nothing_runs
from app.web.stream import EVERYTHING, May, Message, Watching, what_may
from app.web.templating import Page, arrived, page, render, see_other
from app.work import line, order
from app.work.queue import OPEN, WAITING

router = APIRouter(route_class=Route)

# Upload addresses for pictures and for LoRA files, which are larger.
UPLOAD_PATHS = ("/subjects",)
LORA_PATH = "/subjects/lora"

LORA_PLACE = "/subjects/new#lora"  # of the drafts of the form for a LoRA file

SAMPLES_SHOWN = 12  # the newest


@router.get("/subjects")
def index(
    request: Request, resources: ResourcesDep, me: Me, session: Read, archived: str = "", q: str = "", after: str = ""
) -> Response:
    words = search.query_of(q)
    found = queries.listed(session, me, bool(archived), whole_number(after), queries.PAGE + 1, words)
    shown, last = part(found, queries.PAGE)
    return page(
        request,
        "subjects/index.html",
        nav="subjects",
        subjects=shown,
        after=last,
        archived=bool(archived),
        words=words,
        model=resources.settings.model,
    )


@router.get("/subjects/new")
def new(
    request: Request, me: Me, session: Read, draft: Drafted, filled: Annotated[FilledSubject, Depends()]
) -> Response:
    return draft_page(request, draft, lora_part(request, session, me), filled.values)


@router.post("/subjects/pictures", dependencies=[tried("upload")])
def keep(resources: ResourcesDep, me: Me, form: Sent[SubjectPictureForm]) -> Response:
    """Store one picture before the rest of the form is sent; answers its name, for the form."""
    if form.picture is None and not form.asked:
        raise Invalid("picture", _("Choose a picture first."))
    kept, waiting = kept_pictures(resources, me, [form.picture] if form.picture else [], form)
    if waiting:
        return JSONResponse(grounds.told(waiting[0]), GroundNeeded.status)
    sha256 = kept[0]
    return JSONResponse({"sha256": sha256, "thumb": f"/subjects/pictures/{sha256}/thumb-320.webp"}, 201)


@router.get("/subjects/pictures/{sha256}/thumb-{side}.webp")
def kept_thumbnail(resources: ResourcesDep, me: Me, sha256: Sha256, side: Side) -> Response:
    """A thumbnail of a picture in a form, which belongs to no subject yet."""
    if not resources.files.has(Kind.SUBJECTS, sha256):
        raise NotFound(_("There is no such picture."))
    return webp(resources.files, sha256, int(side))


@router.post("/subjects", dependencies=[tried("set")])
def create(request: Request, resources: ResourcesDep, me: Me, form: Sent[TrainingForm]) -> Response:
    values = typed(form)
    pictures = [name for name in form.kept if resources.files.has(Kind.SUBJECTS, name)]
    waiting = form.asked
    try:
        sample = [SentFile(each.name, BytesIO(each.read_bytes())) for each in SAMPLES.get(form.sample, ())]
        kept, waiting = kept_pictures(resources, me, [*sample, *form.picture], form)
        pictures += kept
        if waiting:
            raise GroundNeeded(waiting[0], "pictures")
        if form.ground:  # a button of the question, not of the form
            draft = drafts.kept(request, resources, me, {"kept": pictures, "waiting": ()})
            return form_page(request, values, list(dict.fromkeys(pictures)), {}, draft, lora_now(request, me))
        spec = SubjectSpec.from_form(values | {"pictures": tuple(pictures)}, resources.engine.model.training)
        sizes = service.sizes(resources.files, spec.pictures)
        with resources.database.write() as session:
            subject = service.create_from_pictures(session, me, sizes, spec, resources.engine.model)
            drafts.sent(request, session, me)
    except Invalid as error:
        asked = {"kept": pictures, "waiting": [each.text for each in waiting]}
        draft, lora = drafts.kept(request, resources, me, asked), lora_now(request, me)
        return form_page(request, values, list(dict.fromkeys(pictures)), error.errors, draft, lora, waiting=waiting)
    return see_other(f"/subjects/{subject.id}")


@router.post(LORA_PATH, dependencies=[tried("upload")])
def create_from_file(request: Request, resources: ResourcesDep, me: Me, form: Sent[LoraForm]) -> Response:
    """Make a subject from a file that was sent, or uploaded to the form's draft before; or only upload it to that."""
    uploaded = None
    try:
        spec = None if form.keep else lora_spec(resources, me, form)
    except Invalid as error:
        with suppress(Invalid):  # a good file is kept although its name is refused
            uploaded = arrived_lora(request, resources, me, form)[2]
        return lora_refused(request, resources, me, form, error, uploaded)
    try:
        given, lora, uploaded = arrived_lora(request, resources, me, form)
        if not spec:
            return drafts.keep_file(request, resources, me, uploaded)
        with resources.database.write() as session:
            subject = service.create_from_file(session, me, spec, lora, counted=not given.sent)
            drafts.sent(request, session, me)
    except Invalid as error:
        return lora_refused(request, resources, me, form, error, uploaded)
    return arrived(request, see_other(f"/subjects/{subject.id}", _("@%(handle)s is ready.", handle=subject.handle)))


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
    return see_other("/subjects", _("@%(handle)s archived.", handle=subject.handle), undo=undos.offered(session))


@router.post("/subjects/{subject_id}/unarchive")
def unarchive(resources: ResourcesDep, me: Me, subject_id: int) -> Response:
    with resources.database.write() as session:
        subject = service.unarchive(session, me, subject_id)
    return see_other(
        f"/subjects/{subject_id}", _("@%(handle)s restored.", handle=subject.handle), undo=undos.offered(session)
    )


@router.get("/subjects/{subject_id}/lora.safetensors")
@writing
def download(request: Request, resources: ResourcesDep, me: Me, subject_id: int) -> Response:
    # Downloads are recorded, so this GET writes; no cross-site page can read the answer.
    with resources.database.write() as session:
        subject = queries.get(session, me, subject_id)
        if subject.sha256 is None:
            raise NotFound(_("This subject has no LoRA file yet."))
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
    pause: Standstill  # why it is not trained at the moment
    paused: bool  # by its owner or a manager
    can_pause: bool
    resumes: Role | None  # the role needed to resume it; None: that of who may change it
    step: int
    loss: float | None
    class_pictures: tuple[int, int]  # drawn before the training, of how many
    seconds_left: float | None
    samples: list[SubjectSample]  # newest first
    line: int | None  # how many sets and trainings come before
    retry_at: datetime | None  # when it is tried again after a failure
    done: bool
    usable: bool  # with the server's model
    can_cancel: bool
    can_retry_now: bool
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
    retry_at = queries.retry_at(session, me, subject_id)
    restores = authority.power(subject.archived_as)
    paused, paused_as = order.paused(session, topic)
    resumes = authority.power(paused_as)
    return LivePart(
        subject=subject,
        pause=why_nothing_runs(session, resources),
        paused=paused,
        resumes=resumes,
        can_pause=mine and subject.state in WAITING and (resumes is None or resumes in may),
        step=max(running.step if running else 0, subject.step),
        loss=running.loss if running else None,
        class_pictures=running.class_pictures if running else (0, 0),
        seconds_left=running.seconds_left if running else None,
        samples=subject.samples[-SAMPLES_SHOWN:][::-1],
        line=line.place(session, topic) if subject.state == State.QUEUED else None,
        retry_at=retry_at,
        done=done,
        usable=subject.model == resources.settings.model,
        can_cancel=mine and subject.state in OPEN,
        can_retry_now=mine and retry_at is not None,
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


def arrived_lora(
    request: Request, resources: Resources, me: User, form: LoraForm
) -> tuple[drafts.GivenFile, service.KeptLora, UploadedFile | None]:
    """The LoRA that was sent or uploaded before, stored. Raises Invalid."""
    given = drafts.given_file(request, resources, me, form, Kind.LORAS, _("Choose the LoRA, a .safetensors file."))
    quota = Quota(resources, me, "file", given.data)
    lora = service.keep_lora(me, resources.files, given.data, given.name, resources.engine, quota)
    return given, lora, given.uploaded(Kind.LORAS, lora.sha256)


def lora_refused(
    request: Request, resources: Resources, me: User, form: LoraForm, error: Invalid, uploaded: UploadedFile | None
) -> Response:
    refused = LoraPart(drafts.kept(request, resources, me, uploaded=uploaded), typed(form), error.errors)
    with resources.database.read() as session:
        return draft_page(request, drafts.found(session, me, "/subjects/new", ""), refused, {})


def lora_spec(resources: Resources, me: User, form: LoraForm) -> SubjectSpec:
    """What a subject from a file is called. Raises Invalid."""
    spec = SubjectSpec.from_form(form.model_dump(include=set(SPEC_OF_FILE)), resources.engine.model.training)
    with resources.database.read() as session:
        service.need_free_name(session, me, spec)
    return spec


# The form


SPEC_OF_FILE = ("name", "class_words", "phrase")  # what the spec of a subject from a file says
EMPTY_LORA = {"name": "", "phrase": ""}


@dataclass(frozen=True)
class LoraPart:
    """The form for a LoRA file, below the one for pictures."""

    draft: FormDraft
    form: Mapping[str, Any]
    errors: Mapping[str, str]


def lora_part(request: Request, session: Session, me: User) -> LoraPart:
    draft = drafts.found(session, me, LORA_PLACE, drafts.wanted_of(request))
    return LoraPart(draft, draft.over(EMPTY_LORA), {})


def lora_now(request: Request, me: User) -> LoraPart:
    with resources_of(request).database.read() as session:
        return lora_part(request, session, me)


@dataclass(frozen=True, kw_only=True)
class NewSubjectPage(Page):
    template = "subjects/new.html"
    nav = "subjects"

    form: dict[str, Any]
    pictures: list[str]  # already stored, by SHA-256
    waiting: Sequence[TransparentPicture]  # those whose ground is asked for
    draft: FormDraft
    errors: dict[str, str]
    to_fix: str  # of either form
    lora: LoraPart
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
        "sample": "",
    }


def typed(form: SubjectForm) -> dict[str, Any]:
    """The form's values to show again; a missing checkbox is off."""
    return form.model_dump(include=set(SubjectForm.model_fields)) | {"text_encoders": form.text_encoders or "off"}


def kept_pictures(
    resources: Resources, me: User, files: Sequence[SentFile], form: GroundForm
) -> tuple[list[str], list[TransparentPicture]]:
    """Store pictures that were sent, and those that waited for the ground that the form now has.

    Returns the SHA-256 of each, and the transparent ones without a ground, which are stored too, until they have one.
    """
    limits, model, ground = Limits.of(resources.settings), resources.engine.model, form.colour
    sent = [(file.name, file.read()) for file in files]
    quota = Quota(resources, me, "pictures", *(data for _, data in sent))
    kept: list[str] = []
    waiting: list[TransparentPicture] = []
    steps = [partial(service.answer_ground, me, resources.files, each, ground, model, quota) for each in form.asked]
    steps += [
        partial(service.keep_picture, me, resources.files, data, model, limits, quota, name=name, ground=ground)
        for name, data in sent
    ]
    for step in steps:
        try:
            kept.append(step())
        except GroundNeeded as error:
            waiting.append(error.waiting)
    if steps:
        with resources.database.write() as session:
            service.note_pictures(session, me, [len(data) for _, data in sent], quota.held)
    return kept, waiting


def form_page(
    request: Request,
    form: dict[str, Any],
    pictures: list[str],
    errors: dict[str, str],
    draft: FormDraft,
    lora: LoraPart,
    *,
    waiting: Sequence[TransparentPicture] = (),
) -> Response:
    resources = resources_of(request)
    shown = NewSubjectPage(
        form=empty_form(resources) | {name: value for name, value in form.items() if value},
        pictures=pictures,
        waiting=waiting,
        draft=draft,
        errors=errors,
        lora=lora,
        to_fix=to_fix(errors or lora.errors) if errors or lora.errors else "",
        model=resources.engine.model,
        upload_bytes=resources.settings.upload_bytes,
        lora_bytes=resources.settings.lora_bytes,
    )
    return render(request, shown, 422 if errors or lora.errors else 200)


def draft_page(request: Request, draft: FormDraft, lora: LoraPart, filled: dict[str, str]) -> Response:
    """Both forms, the one for pictures as it is in its draft."""
    resources = resources_of(request)
    pictures = [name for name in draft.values("kept") if resources.files.has(Kind.SUBJECTS, name)]
    waiting = grounds.kept(resources.files, draft.values("waiting"))
    values = draft.over(empty_form(resources) | filled)
    if draft.at:
        values["text_encoders"] = next(iter(draft.values("text_encoders")), "off")
    return form_page(request, values, pictures, {}, draft, lora, waiting=waiting)
