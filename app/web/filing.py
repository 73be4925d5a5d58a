"""Rename, move, archive and delete sets, campaigns, styles, subjects and references: one page for each, and its acts.

Lists and pages link to that page; with scripts it opens as a sheet (`static/js/sheet.js`).
"""

from collections.abc import Callable
from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from app import bin, search
from app import undo as undos
from app.accounts import authority
from app.campaign_names import folder
from app.customs import queries as customs
from app.customs.queries import ListView
from app.errors import Conflict, Forbidden, Invalid, NotFound
from app.filing import service
from app.filing.kinds import KINDS, Filed, name_of, own_name, owner_name
from app.gallery import queries as gallery
from app.languages import formats, ngettext
from app.languages import gettext as _
from app.models import Campaign, ImageSet, Reference, Role, State, Style, Subject, User
from app.samples import queries as samples
from app.sets import campaigns
from app.sets import queries as sets
from app.text import whole_number
from app.web.deps import Me, Read, Resources, ResourcesDep
from app.web.forms.filing import MoveSetForm, NameForm
from app.web.forms.form import Sent
from app.web.forms.queue import BackForm
from app.web.parts import part
from app.web.pools import Route
from app.web.templating import Page, inner_path, page, render, see_other

router = APIRouter(route_class=Route)

NAVS = {"set": "sets", "campaign": "sets", "style": "styles", "subject": "subjects", "reference": "styles"}
LISTS = {"set": "/sets", "campaign": "/campaigns", "style": "/styles", "subject": "/subjects", "reference": "/styles"}


@dataclass(frozen=True, kw_only=True)
class ManagePage(Page):
    template = "filing/manage.html"

    noun: str
    row_id: int
    name: str
    value: str  # of the field of the name
    url: str
    list_url: str
    owner: str
    can_change: bool
    can_move: bool
    campaign: str
    campaigns: list[str]
    duplicate: str  # the address of the form with its values; "" if it has none
    can_archive: bool
    no_archive: str  # why it cannot be archived now; "" if it can. Then it cannot be deleted for the same reason.
    no_delete: str
    archived: bool
    can_restore: bool  # from the archive, or from the bin
    restored_by: str  # who else can
    deleted: bool
    days: int  # left in the bin
    consequence: str  # of deleting it
    kept_days: int
    checklists: list[ListView]  # for a campaign, those that it can require
    required: list[int]
    can_require: bool
    back: str
    errors: dict[str, str]


def manage_page(
    request: Request,
    session: Session,
    me: User,
    noun: str,
    row_id: int,
    back: str,
    error: Invalid | None = None,
    form: BackForm | None = None,
) -> Response:
    """With an `error`, what was typed into the refused `form` is shown again."""
    if noun not in KINDS:
        raise NotFound(_("There is no such thing."))
    row = KINDS[noun].get(session, me, row_id)
    archived = not isinstance(row, Reference) and row.archived_at is not None
    archived_as = None if isinstance(row, Reference) else row.archived_as
    stopped_as = row.deleted_as if row.deleted_at else archived_as
    campaign = row.campaign.name if isinstance(row, ImageSet) else ""
    typed = form.model_dump() if form else {}
    shown = ManagePage(
        noun=noun,
        row_id=row_id,
        name=name_of(row),
        value=typed.get("name", "" if isinstance(row, Reference) else own_name(row)),
        url=url_of(row),
        list_url=LISTS[noun],
        owner=owner_name(row),
        can_change=service.may_change(me, row) and not row.deleted_at,
        can_move=isinstance(row, ImageSet) and not row.locked_at,
        campaign=typed.get("campaign_name", folder(campaign)),
        campaigns=gallery.campaigns(session, me) if isinstance(row, ImageSet) else [],
        duplicate=duplicate_of(row),
        can_archive=not isinstance(row, Reference),
        no_archive=refusal(lambda: service.need_dispensable(row)),
        no_delete=refusal(lambda: service.need_deletable(session, me, row)),
        archived=archived,
        can_restore=service.may_change(me, row) and authority.may_undo(me, stopped_as),
        restored_by=authority.undone_by(stopped_as),
        deleted=row.deleted_at is not None,
        days=bin.days_left(row),
        consequence=consequence(session, row),
        kept_days=bin.kept_days(),
        checklists=customs.listed(session, me) if isinstance(row, Campaign) else [],
        required=row.checklists if isinstance(row, Campaign) else [],
        can_require=me.can(Role.MANAGER),
        back=inner_path(back) if back else url_of(row),
        errors=error.errors if error else {},
    )
    return render(request, shown, 422 if error else 200)


def refusal(need: Callable[[], object]) -> str:
    """Why an act would be refused, in a sentence; "" if it would not."""
    try:
        need()
    except (Conflict, Forbidden) as error:
        return str(error)
    return ""


def url_of(row: Filed) -> str:
    match row:
        case ImageSet():
            return f"/sets/{row.id}"
        case Campaign():
            return f"/sets?campaign={row.id}"
        case Style():
            return f"/styles/{row.code}"
        case Subject():
            return f"/subjects/{row.id}"
        case Reference():
            return f"/references/{row.id}"


def duplicate_of(row: Filed) -> str:
    if isinstance(row, ImageSet):
        return f"/sets/new?from={row.id}"
    return f"/styles/new?from={row.code}" if isinstance(row, Style) else ""


def consequence(session: Session, row: Filed) -> str:
    """What deleting it means, in a sentence."""
    match row:
        case ImageSet():
            open_ = sum(image.state in (State.QUEUED, State.GENERATING) for image in row.images)
            number = len(row.prompts) * row.count
            if not open_:
                return ngettext("%(number)s picture goes with it.", "%(number)s pictures go with it.", number)
            return ngettext(
                "%(number)s picture goes with it. %(open)s is still to be generated.",
                "%(number)s pictures go with it. %(open)s of them are still to be generated.",
                number,
                open=open_,
            )
        case Campaign():
            number = sets.count(session, row.created_by, campaign_id=row.id)
            archived = sets.count(session, row.created_by, campaign_id=row.id, archived=True)
            return ngettext(
                "%(number)s set goes with it. Move it first to keep it.",
                "%(number)s sets go with it. Move them first to keep them.",
                number + archived,
            )
        case Style():
            return _("New sets cannot use it. Its sets keep their pictures.")
        case Subject():
            return _("New sets cannot use it. Sets that use it keep their pictures.")
        case Reference():
            return _("Only a reference that no style and no set uses can be deleted. Its rights and licences stay.")


@router.get("/campaigns")
def campaign_list(
    request: Request, me: Me, session: Read, archived: str = "", q: str = "", after: str = ""
) -> Response:
    words = search.query_of(q)
    found = campaigns.listed(session, me, bool(archived), True, whole_number(after), campaigns.PAGE + 1, words)
    shown, last = part(found, campaigns.PAGE)
    return page(
        request,
        "filing/campaigns.html",
        nav="sets",
        campaigns=shown,
        after=last,
        words=words,
        archived=bool(archived),
        can_export=me.can(Role.MANAGER),
        sample=samples.opened(session, me),
    )


@router.get("/manage/{noun}/{row_id}")
def manage(request: Request, me: Me, session: Read, noun: str, row_id: int) -> Response:
    return manage_page(request, session, me, noun, row_id, request.query_params.get("from", ""))


@router.post("/manage/{noun}/{row_id}/rename")
def rename(request: Request, resources: ResourcesDep, me: Me, form: Sent[NameForm], noun: str, row_id: int) -> Response:
    def act(session: Session) -> str:
        return _("Renamed to %(name)s.", name=service.rename(session, me, noun, row_id, form.name).name)

    return done(request, resources, me, form, noun, row_id, act)


@router.post("/manage/set/{row_id}/move")
def move(request: Request, resources: ResourcesDep, me: Me, form: Sent[MoveSetForm], row_id: int) -> Response:
    def act(session: Session) -> str:
        name = service.move(session, me, row_id, form.campaign_name).campaign.name
        return _("Moved to %(name)s.", name=folder(name))

    return done(request, resources, me, form, "set", row_id, act)


@router.post("/manage/{noun}/{row_id}/archive")
def archive(
    request: Request, resources: ResourcesDep, me: Me, form: Sent[BackForm], noun: str, row_id: int
) -> Response:
    def act(session: Session) -> str:
        return _("%(name)s archived.", name=name_of(service.archive(session, me, noun, row_id)))

    return done(request, resources, me, form, noun, row_id, act)


@router.post("/manage/{noun}/{row_id}/unarchive")
def unarchive(
    request: Request, resources: ResourcesDep, me: Me, form: Sent[BackForm], noun: str, row_id: int
) -> Response:
    def act(session: Session) -> str:
        name = name_of(service.unarchive(session, me, noun, row_id))
        return _("%(name)s restored from the archive.", name=name)

    return done(request, resources, me, form, noun, row_id, act)


@router.post("/manage/{noun}/{row_id}/delete")
def delete(request: Request, resources: ResourcesDep, me: Me, form: Sent[BackForm], noun: str, row_id: int) -> Response:
    def act(session: Session) -> str:
        service.delete(session, me, noun, row_id)
        name = name_of(KINDS[noun].get(session, me, row_id))
        return _("%(name)s is in the bin for %(days)s days.", name=name, days=bin.kept_days())

    return done(request, resources, me, form, noun, row_id, act)


@router.post("/manage/{noun}/{row_id}/restore")
def restore(
    request: Request, resources: ResourcesDep, me: Me, form: Sent[BackForm], noun: str, row_id: int
) -> Response:
    def act(session: Session) -> str:
        queued = service.restore(session, me, noun, row_id)
        restored = _("%(name)s restored.", name=name_of(KINDS[noun].get(session, me, row_id)))
        if not queued:
            return restored
        again = ngettext("%(number)s picture is queued again.", "%(number)s pictures are queued again.", queued)
        return formats.sentences((restored, again))

    return done(request, resources, me, form, noun, row_id, act)


def done(
    request: Request,
    resources: Resources,
    me: User,
    form: BackForm,
    noun: str,
    row_id: int,
    act: Callable[[Session], str],
) -> Response:
    """Act, and return to the page that the form came from, or to the thing itself; a refused form is shown again."""
    back = inner_path(form.source) if form.source else ""
    try:
        with resources.database.write() as session:
            said = act(session)
        offer = undos.offered(session)
    except Invalid as error:
        with resources.database.read() as session:
            return manage_page(request, session, me, noun, row_id, back, error, form)
    except Conflict as error:
        return see_other(back or there(resources, me, noun, row_id), str(error), refused=True)
    return see_other(back or there(resources, me, noun, row_id), said, undo=offer)


def there(resources: Resources, me: User, noun: str, row_id: int) -> str:
    with resources.database.read() as session:
        return url_of(KINDS[noun].get(session, me, row_id)) if noun in KINDS else "/"
