"""Exports: choosing the form, watching the preparation, downloading, and sharing them outside."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from app import undo as undos
from app.errors import Invalid, NotFound, UserError
from app.exports import approved, certificates, contents, names, queries, service, set_facts, shares
from app.exports.options import FORMATS, ORIGINAL, PRESETS, ExportOptions, PictureFormat, custom
from app.exports.service import Selection
from app.exports.shares import ShareSpec
from app.languages import gettext as _
from app.languages import ngettext
from app.models import Export, ExportState, Role, Share, User
from app.rights import queries as rights
from app.rights.standing import Held
from app.text import whole_number
from app.web import drafts, once
from app.web.deps import Me, Read, Resources, ResourcesDep, tried
from app.web.drafts import Drafted, FormDraft
from app.web.forms.form import Sent
from app.web.forms.pictures import ExportForm, RevokeForm, ShareForm
from app.web.parts import part
from app.web.pools import Route
from app.web.templating import Page, page, render, see_other

router = APIRouter(route_class=Route)

PAGE = 20
EXAMPLES = 3  # names shown on the page


@dataclass(frozen=True, kw_only=True)
class ExamplePart(Page):
    """Names from the chosen options, or what is wrong with them."""

    template = "exports/_example.html"

    names: list[str]
    problem: str | None = None


@dataclass(frozen=True, kw_only=True)
class NewExportPage(ExamplePart):
    template = "exports/new.html"
    nav = "exports"

    wanted: Selection
    image_ids: list[int]  # if pictures were chosen individually
    shown: dict[str, Any]  # the options, as typed
    own_sizes: str
    draft: FormDraft
    errors: dict[str, str]
    count: int  # pictures
    left_out: int
    held_back: int  # approved pictures that were reported
    without_consent: int  # approved pictures of real people
    consent_helds: list[Held]
    restrained: int  # pictures without valid rights
    helds: list[Held]
    unstated: int  # pictures from a reference without recorded rights
    unstated_helds: list[Held]
    bytes: int
    smallest: int  # px, the shortest side of all pictures
    formats: dict[str, PictureFormat]
    presets: dict[str, str]
    name_fields: Mapping[str, str]
    earlier: list[tuple[Export, str]]
    signer: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class ExportPage(Page):
    template = "exports/show.html"
    nav = "exports"

    export: Export
    options: ExportOptions
    original: str  # the option for the original size
    cleared: bool  # its files were removed
    changed: queries.Changed | None
    helds: list[Held]  # of the pictures without valid rights
    unstated_helds: list[Held]  # whose rights nobody has recorded
    download: bool  # start immediately
    others: int  # exports that are prepared before it
    names: list[str]  # the first
    lost_names: list[str]
    open_links: int
    shares: Sequence[Share]  # the newest links
    shares_after: int | None  # the last of them, if there are more
    new: Share | None  # the new link
    link: str
    draft: FormDraft  # of a link's form
    values: dict[str, str]
    errors: dict[str, str]
    days: Sequence[int]
    password_min: int


@router.get("/exports")
def index(request: Request, me: Me, session: Read, before: str = "", after: str = "", campaign: str = "") -> Response:
    shown, older = part(queries.recent(session, me, before=whole_number(before), limit=PAGE + 1), PAGE)
    found = queries.open_shares(session, me, whole_number(after), queries.SHARES_PAGE + 1)
    links, last_link = part(found, queries.SHARES_PAGE)
    exportable = approved.campaigns(session, me, whole_number(campaign), approved.CAMPAIGNS_PAGE + 1)
    campaigns, last_campaign = part(exportable, approved.CAMPAIGNS_PAGE)
    return page(
        request,
        "exports/index.html",
        nav="exports",
        exports=shown,
        changed=queries.changed(session, [export.id for export in shown]),
        forms={export.id: service.options_of(export).told for export in shown},
        older=older,
        first=not before,
        links=links,
        links_total=queries.open_shares_count(session, me) if links else 0,
        links_after=last_link,
        open_links=queries.open_by_export(session, [export.id for export in shown]),
        campaigns=campaigns,
        campaigns_after=last_campaign,
    )


# Choosing


@router.get("/campaigns/{campaign_id}/export")
def of_campaign(
    request: Request, resources: ResourcesDep, me: Me, session: Read, draft: Drafted, campaign_id: int
) -> Response:
    wanted = service.selection(session, me, campaign_id=campaign_id)
    return form_page(request, resources, me, session, wanted, draft, form=typed_before(draft))


@router.get("/sets/{set_id}/export")
def of_set(request: Request, resources: ResourcesDep, me: Me, session: Read, draft: Drafted, set_id: int) -> Response:
    wanted = service.selection(session, me, set_id=set_id)
    return form_page(request, resources, me, session, wanted, draft, form=typed_before(draft))


@router.get("/pictures/export")
def of_pictures(request: Request, resources: ResourcesDep, me: Me, session: Read, draft: Drafted) -> Response:
    wanted, image_ids = asked_selection(session, me, ExportForm.of(request.query_params))
    return form_page(request, resources, me, session, wanted, draft, image_ids, typed_before(draft))


def typed_before(draft: FormDraft) -> ExportForm | None:
    """The form as the draft has it; None without one."""
    return ExportForm.of_fields(draft.fields) if draft.at else None


@router.post("/exports", dependencies=[tried("export")])
def create(request: Request, resources: ResourcesDep, me: Me, form: Sent[ExportForm]) -> Response:
    with resources.database.read() as session:
        wanted, image_ids = asked_selection(session, me, form)
    try:
        export = resources.exporter.ask(me, wanted, ExportOptions.parse(form.options))
    except Invalid as error:
        draft = drafts.kept(request, resources, me)
        with resources.database.read() as session:
            return form_page(request, resources, me, session, wanted, draft, image_ids, form, error.errors)
    with resources.database.write() as session:
        drafts.sent(request, session, me)
    return see_other(f"/exports/{export.id}?download=1")


@router.get("/exports/example")
def example(request: Request, me: Me, session: Read) -> Response:
    """The names from the chosen options, or what is wrong with them, while someone types."""
    try:
        form = ExportForm.of(request.query_params)
        wanted, _ = asked_selection(session, me, form)
        shown = ExamplePart(names=example_names(session, me, wanted, ExportOptions.parse(form.options)))
    except UserError as error:
        shown = ExamplePart(names=[], problem=str(error))
    return render(request, shown)


def form_page(
    request: Request,
    resources: Resources,
    me: User,
    session: Session,
    wanted: Selection,
    draft: FormDraft,
    image_ids: list[int] | None = None,
    form: ExportForm | None = None,
    errors: dict[str, str] | None = None,
) -> Response:
    taken = service.tally(session, me, wanted)
    chosen = form.options if form else queries.latest_options(session, wanted.campaign_id) or {}
    shown = ExportOptions().model_dump(mode="json") | chosen
    try:
        options = ExportOptions.parse(shown)
    except Invalid:
        options = ExportOptions()
    facts = set_facts.of_sets(session, (each.set_id for each in taken))
    restrained, helds = service.restrained(taken, facts)
    consent_helds = rights.without_consent(session)
    unstated, unstated_helds = service.unstated(taken, facts)
    form_shown = NewExportPage(
        wanted=wanted,
        image_ids=image_ids or [],
        shown=shown,
        draft=draft,
        own_sizes=form.own_sizes if form else ", ".join(each.replace("x", " x ") for each in custom(shown["sizes"])),
        errors=errors or {},
        count=sum(each.pictures for each in taken),
        left_out=service.left_out(session, me, wanted, taken),
        held_back=approved.count_held(session, me, wanted.which),
        without_consent=approved.count_without_consent(session, me, wanted.which, consent_helds),
        consent_helds=consent_helds,
        restrained=restrained,
        helds=helds,
        unstated=unstated,
        unstated_helds=unstated_helds,
        bytes=sum(each.bytes for each in taken),
        smallest=min((min(each.width, each.height) for each in facts.values()), default=0),
        names=service.example(service.first(session, me, wanted, EXAMPLES), facts, options)[:EXAMPLES],
        formats=FORMATS,
        presets=PRESETS,
        name_fields=names.FIELDS,
        earlier=[(export, service.options_of(export).told) for export in earlier(session, me, wanted)],
        signer=signer(resources, me),
    )
    return render(request, form_shown, 422 if errors else 200)


def asked_selection(session: Session, me: User, form: ExportForm) -> tuple[Selection, list[int]]:
    """The selection of the form, and the pictures if they were chosen individually."""
    if form.all:
        return service.selection(session, me, search=form.wanted), []
    ids = list(form.ids)
    return service.selection(session, me, set_id=form.set_id, campaign_id=form.campaign_id, image_ids=ids), ids


def example_names(session: Session, me: User, wanted: Selection, options: ExportOptions) -> list[str]:
    service.tally(session, me, wanted, len(options.sizes))  # refuses no pictures and too many
    rows = service.first(session, me, wanted, EXAMPLES)
    return service.example(rows, set_facts.of_sets(session, {row.set_id for row in rows}), options)[:EXAMPLES]


def earlier(session: Session, me: User, wanted: Selection) -> list[Export]:
    if wanted.campaign:
        return queries.recent(session, me, campaign_id=wanted.campaign.id, limit=5)
    if wanted.image_set:
        return queries.recent(session, me, set_id=wanted.image_set.id, limit=5)
    return []


def signer(resources: Resources, me: User) -> dict[str, Any]:
    """Who signs the pictures, and any fault of the certificate."""
    try:
        found = certificates.identity(resources.settings)
    except UserError as error:
        return {"problem": str(error)}
    warns = found.ends_soon and me.can(Role.MANAGER)
    return {"problem": None, "subject": found.subject, "own": found.own, "ends": found.ends if warns else None}


# One export


@router.get("/exports/{export_id}")
def show(
    request: Request,
    resources: ResourcesDep,
    me: Me,
    session: Read,
    export_id: int,
    download: Annotated[str, Query()] = "",
) -> Response:
    export, token = queries.get(session, me, export_id), once.secret_of(request)
    draft = drafts.found(session, me, share_place(export_id), drafts.wanted_of(request))
    response = export_page(
        request,
        resources,
        session,
        export,
        draft,
        download=bool(download),
        new=new_share(session, export, token),
        token=token,
    )
    if token:
        once.forget(resources, f"/exports/{export_id}", response)
    return response


@router.post("/exports/{export_id}/again", dependencies=[tried("export")])
def rebuild(resources: ResourcesDep, me: Me, export_id: int) -> Response:
    resources.exporter.rebuild(me, export_id)
    return see_other(f"/exports/{export_id}?download=1")


@router.post("/exports/{export_id}/anew", dependencies=[tried("export")])
def without_changed(resources: ResourcesDep, me: Me, export_id: int) -> Response:
    """Make another export without what has been taken back."""
    export = resources.exporter.ask_without_changed(me, export_id)
    return see_other(f"/exports/{export.id}")


@router.post("/exports/{export_id}/delete")
def delete(resources: ResourcesDep, me: Me, export_id: int) -> Response:
    export = resources.exporter.delete(me, export_id)
    return see_other("/exports", _("Export %(name)s deleted. Its share links no longer work.", name=export.name))


@router.post("/exports/{export_id}/shares", dependencies=[tried("export")])
def share(request: Request, resources: ResourcesDep, me: Me, form: Sent[ShareForm], export_id: int) -> Response:
    """Make a link, and show it once on the export's page: only its hash is stored."""
    values = form.model_dump()
    try:
        spec = ShareSpec.parse(values)
        password_hash = shares.hashed(spec.password, (spec.note,))
        with resources.database.write() as session:
            token = shares.create(session, me, export_id, spec, password_hash)
            drafts.sent(request, session, me)
    except Invalid as error:
        draft = drafts.kept(request, resources, me)
        with resources.database.read() as session:
            export = queries.get(session, me, export_id)
            return export_page(request, resources, session, export, draft, values=values, errors=error.errors)
    return once.show_once(resources, f"/exports/{export_id}", token, "sharing")


@router.post("/exports/{export_id}/shares/revoke")
def revoke_all(resources: ResourcesDep, me: Me, export_id: int) -> Response:
    with resources.database.write() as session:
        number = shares.revoke_all(session, me, export_id)
    said = ngettext(
        "%(number)s link was revoked. Nobody outside can open this export.",
        "%(number)s links were revoked. Nobody outside can open this export.",
        number,
    )
    return see_other(f"/exports/{export_id}#shares", said, undo=undos.offered(session))


@router.post("/exports/{export_id}/shares/{share_id}/revoke")
def revoke(resources: ResourcesDep, me: Me, form: Sent[RevokeForm], export_id: int, share_id: int) -> Response:
    with resources.database.write() as session:
        shares.revoke(session, me, export_id, share_id)
    back = "/exports#links" if form.back == "list" else f"/exports/{export_id}#shares"
    return see_other(back, _("Link revoked. It no longer works."), undo=undos.offered(session))


@router.post("/exports/{export_id}/shares/{share_id}/resume")
def resume(resources: ResourcesDep, me: Me, export_id: int, share_id: int) -> Response:
    with resources.database.write() as session:
        shares.resume(session, me, export_id, share_id)
    return see_other(f"/exports/{export_id}#shares", _("Link resumed."))


def share_place(export_id: int) -> str:
    """Where the form of a new link is."""
    return f"/exports/{export_id}#share"


def export_page(
    request: Request,
    resources: Resources,
    session: Session,
    export: Export,
    draft: FormDraft,
    *,
    download: bool = False,
    new: Share | None = None,
    token: str = "",
    values: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
) -> Response:
    cleared = export.state == ExportState.READY and not service.is_there(session, export, resources.exporter.store)
    changed = queries.changed(session, [export.id]).get(export.id)
    after = whole_number(request.query_params.get("links", ""))
    links, last_link = part(queries.shares_of(session, export.id, after, queries.SHARES_PAGE + 1), queries.SHARES_PAGE)
    shown = ExportPage(
        export=export,
        options=service.options_of(export),
        original=ORIGINAL,
        cleared=cleared,
        changed=changed,
        helds=queries.restraining(session, export.id) if changed and changed.restrained else [],
        unstated_helds=queries.unstated(session, export.id),
        download=download,
        others=queries.waiting_besides(session, export.id) if export.state == ExportState.QUEUED else 0,
        names=contents.first_names(session, export.id),
        lost_names=contents.lost_names(session, export.id) if export.lost else [],
        open_links=queries.open_by_export(session, [export.id]).get(export.id, 0),
        shares=links,
        shares_after=last_link,
        new=new,
        link=f"{resources.settings.public_url}/shared/{token}" if new else "",
        draft=draft,
        values=draft.over({"days": "7", "password": "", "note": ""}) | (values or {}),
        errors=errors or {},
        days=shares.DAYS,
        password_min=shares.PASSWORD_MIN,
    )
    return render(request, shown, 422 if errors else 200)


def new_share(session: Session, export: Export, token: str) -> Share | None:
    """The new link with that token; None if it belongs to another export, or is no longer open."""
    try:
        found = queries.share(session, token) if token else None
    except NotFound:
        return None
    return found if found and found.export_id == export.id else None
