"""Drafts of forms: what is typed is kept on the server, and shown again in the form.

A form with the macro `draft` (`templates/_macros.html`) has a draft. `static/js/autosave.js` saves it while somebody
types; without scripts it is saved when the form is refused, or sent after the session ended. The page of the form takes
`Drafted`, which finds the newest draft of its address; the route that accepts the form calls `sent` in the same
transaction.

Passwords, codes and tokens are never saved. A form with one file (`FileForm`) uploads it to its draft as soon as it is
chosen, or when the form is refused; `given_file` then finds it there, for its person alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Annotated, Any, NamedTuple
from urllib.parse import parse_qsl, quote, urlencode

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response
from sqlalchemy.orm import Session

from app import days
from app.accounts import service as accounts
from app.drafts import queries, service
from app.drafts.service import FILE_FIELD, UploadedFile
from app.errors import Invalid, UserError
from app.files import Flawed, Kind
from app.languages import gettext as _
from app.models import Draft, User
from app.storage import CannotSave
from app.text import file_name, filesize, whole_number
from app.web.confirm import Asked
from app.web.continuing import whose
from app.web.deps import Me, Read, Resources, ResourcesDep, resources_of, session_token, tried
from app.web.filters import clock, day
from app.web.forms.accounts import ConfirmForm
from app.web.forms.drafts import OURS, DiscardForm, DraftForm, FileForm
from app.web.forms.form import SECRETS, Sent, can_be_sent_again
from app.web.pools import Route
from app.web.templating import asked_path, inner_path, path_in, see_other

router = APIRouter(route_class=Route)

Stored = Mapping[str, Iterable[str]]
"""Fields that name stored files, with their values: instead of those that were sent."""
NOTHING: Stored = {}

OF_NO_FORM = {"draft", "reference", "taken", "trial"}  # parts of an address that do not make it another form


class OtherDraft(NamedTuple):
    """A draft of a form that shows another one."""

    address: str
    saved: str  # when
    tab: str  # which saved it last; "" for a draft of another form


@dataclass(frozen=True)
class FormDraft:
    """The draft of a form on its page; without `at`, nothing is saved yet."""

    place: str
    key: str = field(default_factory=service.new_key)
    revision: int = 0
    tab: str = ""  # which saved it last
    at: datetime | None = None
    fields: tuple[tuple[str, str], ...] = ()
    file: UploadedFile | None = None
    others: tuple[OtherDraft, ...] = ()  # further drafts of the same form

    @property
    def fits(self) -> bool:
        """Whether a draft can be saved: not for a page whose address names hundreds of pictures."""
        return len(self.place) <= service.PLACE_LENGTH

    @property
    def saved(self) -> str:
        """When it was saved, as in "Draft from 14:02"."""
        return when(self.at) if self.at else ""

    @property
    def address(self) -> str:
        """Where the form is shown with this draft, if others are newer."""
        path, _, query = self.place.partition("?")
        return f"{path}?{urlencode([*parse_qsl(query), ('draft', self.key)])}"

    def values(self, name: str) -> list[str]:
        return [value for each, value in self.fields if each == name]

    def over(self, form: Mapping[str, Any], ticks: Iterable[str] = ()) -> dict[str, Any]:
        """The values of a form, with those of the draft in their place. `ticks`: checkboxes, not sent when unticked."""
        if not self.at:
            return dict(form)
        typed = {name: value for name, value in self.fields if name in form}
        return {**form, **dict.fromkeys(ticks, ""), **typed}


def when(moment: datetime) -> str:
    """ "14:02", or "19 Nov, 14:02" if that was not today."""
    today = days.local(moment).date() == days.today()
    return clock(moment) if today else f"{day(moment)}, {clock(moment)}"


def found(session: Session, me: User, place: str, wanted: str) -> FormDraft:
    """The newest draft of the form at `place`, or the one with the key `wanted`: see `wanted_of`."""
    return _shown(place, queries.of_form(session, me, place), wanted)


def found_all(session: Session, me: User, places: Iterable[str], wanted: str) -> dict[str, FormDraft]:
    """As `found`, for each of these forms, by place."""
    asked = list(places)
    drafts = queries.of_forms(session, me, asked)
    return {place: _shown(place, drafts.get(place, []), wanted) for place in asked}


def wanted_of(request: Request) -> str:
    """The key of the draft that the address asks for: that of a link to an older one; "" for the newest."""
    return request.query_params.get("draft", "")


def _shown(place: str, drafts: list[Draft], wanted: str) -> FormDraft:
    chosen = next((each for each in drafts if each.key == wanted), drafts[0] if drafts else None)
    if not chosen:
        return FormDraft(place)
    page, mark, part = place.partition("#")
    path, __, query = page.partition("?")
    others = tuple(
        OtherDraft(
            f"{path}?{urlencode([*parse_qsl(query), ('draft', each.key)])}{mark}{part}", when(each.updated_at), each.tab
        )
        for each in drafts
        if each is not chosen
    )
    return replace(_of(chosen), others=others)


def _of(draft: Draft) -> FormDraft:
    fields = tuple((name, value) for name, value in draft.fields)
    shown = FormDraft(draft.place, draft.key, draft.revision, draft.tab, draft.updated_at, fields)
    named = {value for value in shown.values(FILE_FIELD) if value}
    file = next((each for each in draft.files if each.name and each.sha256 in named), None) if named else None
    return (
        replace(shown, file=UploadedFile(Kind(file.kind), file.sha256, file.name, file.bytes or 0)) if file else shown
    )


def place_of(request: Request) -> str:
    """Which form a page has: its address."""
    return _place(quote(request.scope["path"]), request.query_params.multi_items())


def _place(path: str, query: Iterable[tuple[str, str]]) -> str:
    of_form = [(name, value) for name, value in query if name not in OF_NO_FORM]
    return f"{path}?{urlencode(of_form)}" if of_form else path


def of_address(session: Session, me: User, address: str) -> FormDraft:
    """The draft that the page at this address of ours would show."""
    path, _, query = address.partition("?")
    parts = parse_qsl(query)
    return found(session, me, _place(path, parts), dict(parts).get("draft", ""))


def drafted(request: Request, me: Me, session: Read) -> FormDraft:
    return found(session, me, place_of(request), wanted_of(request))


Drafted = Annotated[FormDraft, Depends(drafted)]


# Saving


@router.post("/drafts", dependencies=[tried("draft")])
def save(request: Request, resources: ResourcesDep, me: Me, form: Sent[DraftForm]) -> Response:
    """Save what somebody is typing. Answers under which key and revision it is kept."""
    draft = keep(request, resources, me)
    return JSONResponse({"key": draft.key, "revision": draft.revision, "saved": draft.saved})


@router.post("/drafts/discard")
def discard(request: Request, resources: ResourcesDep, me: Me, form: Sent[DiscardForm]) -> Response:
    """Remove a draft, or only the file that was uploaded to it."""
    with resources.database.write() as session:
        if form.file:
            service.discard_file(session, me, form.key)
        else:
            service.discard(session, me, form.key)
    if "application/json" in request.headers.get("accept", ""):
        return Response(status_code=204)
    return see_other(inner_path(form.place), _("File removed.") if form.file else _("Draft discarded."))


def keep(
    request: Request,
    resources: Resources,
    me: User,
    stored: Stored = NOTHING,
    uploaded: UploadedFile | None = None,
) -> FormDraft:
    """Save the form of a request as a draft, with what the server has `stored` of it, and a file `uploaded` with it.

    Raises Invalid, Spent and CannotSave.
    """
    form = request.state.form
    if uploaded:
        stored = {**stored, FILE_FIELD: (uploaded.sha256,)}
    fields = [
        (name, value)
        for name, value in form.multi_items()
        if isinstance(value, str) and name not in SECRETS and name not in stored and not name.startswith(OURS)
    ]
    fields += [(name, value) for name, values in stored.items() for value in values]
    ours = DraftForm.of(form)
    named = service.stored_files(resources.files, fields)
    with resources.database.write() as session:
        draft = service.save(
            session,
            me,
            inner_path(ours.place),
            fields,
            key=ours.key,
            revision=whole_number(ours.revision) or 0,
            tab=ours.tab,
            named=named,
            uploaded=uploaded,
        )
        return _of(draft)


def kept(
    request: Request,
    resources: Resources,
    me: User,
    stored: Stored = NOTHING,
    uploaded: UploadedFile | None = None,
) -> FormDraft:
    """The draft of a refused form, for its page; as far as anything can be saved."""
    ours = DraftForm.of(request.state.form)
    if ours.place:  # else it comes from no page of ours
        with suppress(CannotSave, Invalid):
            return keep(request, resources, me, stored, uploaded)
    return FormDraft(inner_path(ours.place), ours.key or service.new_key(), whole_number(ours.revision) or 0)


@dataclass(frozen=True)
class GivenFile:
    """The file of a form."""

    name: str
    data: bytes
    sent: bool  # with the form; otherwise it was uploaded and counted before

    def uploaded(self, kind: Kind, sha256: str) -> UploadedFile | None:
        """For the draft, once it is stored; None if it is there already."""
        return UploadedFile(kind, sha256, file_name(self.name), len(self.data)) if self.sent else None


def given_file(request: Request, resources: Resources, me: User, form: FileForm, kind: Kind, missing: str) -> GivenFile:
    """The file that was sent, or that this person uploaded to the form's draft.

    Raises Invalid("file", ...), with the sentence `missing` if there is none.
    """
    if form.file:
        return GivenFile(form.file.name, form.file.read(), True)
    if not form.kept_file:
        raise Invalid("file", missing)
    place = inner_path(DraftForm.of(request.state.form).place)
    with resources.database.read() as session:
        found = queries.uploaded(session, me, place, (form.kept_file,))
    if not found or found.kind != kind:
        raise Invalid("file", _("The server no longer has this file. Choose it again."))
    try:
        return GivenFile(found.name, resources.files.read(kind, found.sha256, found.name), False)
    except Flawed as error:
        raise Invalid("file", str(error)) from error


def keep_file(request: Request, resources: Resources, me: User, uploaded: UploadedFile | None) -> Response:
    """Answer the script that uploaded a file to a draft: how the form shows it. Raises as `keep`."""
    draft = keep(request, resources, me, uploaded=uploaded)
    told = {"key": draft.key, "revision": draft.revision}
    if draft.file:
        told |= {"sha256": draft.file.sha256, "name": draft.file.name, "size": filesize(draft.file.bytes)}
    return JSONResponse(told, 201)


def person_of_ended(request: Request) -> User | None:
    """Whose session expired in this browser."""
    resources, token = resources_of(request), session_token(request)
    if not token:
        return None
    with resources.database.read() as session:
        person_id = accounts.person_of_ended(session, token)
        return session.get(User, person_id) if person_id else None


def keep_of_ended(request: Request, form: Any) -> str:
    """Keep a form that was sent after its session expired, for its person alone.

    Returns where it is shown after signing in: its page, with the draft, or a page that sends it; "" if it is not kept.
    """
    person = person_of_ended(request) if form is not None else None
    return keep_of(request, person, form) if person else ""


def keep_of(request: Request, person: User, form: Any, scripted: bool = False) -> str:
    """Keep a form that its route did not read, for `person` alone; returns what `keep_of_ended` does.

    `scripted`: one that a script sent is kept too, and sent again as a browser without scripts would.
    """
    resources, request.state.form = resources_of(request), form
    if DraftForm.of(form).place:
        try:
            draft = keep(request, resources, person)
        except (UserError, OSError):
            return ""
        return draft.place.partition("#")[0]
    fields = can_be_sent_again(form)
    if not fields or ("hx-request" in request.headers and not scripted):
        return ""
    key = service.new_key()
    resources.asked.keep(key, whose(person), asked_by(request, form, fields))
    return f"/confirm?waiting={key}"


def asked_by(request: Request, form: Any, fields: Sequence[tuple[str, str]]) -> Asked:
    """The act of a form with these `fields`; if "Confirm it's you" came before it, the act that waits there."""
    if request.scope["path"].startswith("/confirm"):
        return Asked.of_form(ConfirmForm.of(form))
    back = inner_path(path_in(request.headers.get("referer", "/")))
    return Asked(inner_path(asked_path(request)), True, fields, back)


def sent(request: Request, session: Session, me: User) -> None:
    """Remove the draft of an accepted form. Call it in the transaction that accepts it."""
    ours = DraftForm.of(request.state.form)
    service.discard_sent(session, me, ours.key, inner_path(ours.place), ours.tab)
