"""A reference: its picture, its rights and their history, their files, and everything made from it."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from app import undo as undos
from app.errors import Conflict, Forbidden, Invalid
from app.files import Kind
from app.languages import gettext as _
from app.models import Reference, RightsRecord, User
from app.rights import queries, service
from app.rights.spec import USERS, Reason, RightsSpec
from app.text import whole_number
from app.web import advice, drafts
from app.web.deps import Me, Quota, Read, Resources, ResourcesDep, resources_of, tried
from app.web.downloads import WatchedFile, as_long_as
from app.web.drafts import Drafted, FormDraft
from app.web.filled import FilledRights
from app.web.filters import filesize
from app.web.forms.form import Sent
from app.web.forms.styles import RightsFileForm, RightsForm, RightsTurnForm
from app.web.headers import PICTURE_POLICY
from app.web.parts import part
from app.web.pools import Route, writing
from app.web.templating import arrived, page, see_other

router = APIRouter(route_class=Route)

# Upload addresses, where a body may be that large.
UPLOAD_PATHS = ("/references",)

# Browsers only save uploads, and never show them as part of this site.
DOWNLOAD_HEADERS = {"Content-Security-Policy": PICTURE_POLICY, "X-Content-Type-Options": "nosniff"}
FIELDS = tuple(RightsSpec.model_fields)


@router.get("/references/{reference_id}")
def show(request: Request, me: Me, session: Read, reference_id: int) -> Response:
    return reference_page(request, session, me, reference_id, {}, {})


@router.get("/references/{reference_id}/rights")
def edit(
    request: Request,
    me: Me,
    session: Read,
    draft: Drafted,
    filled: Annotated[FilledRights, Depends()],
    reference_id: int,
) -> Response:
    reference = queries.reference(session, me, reference_id)
    if not service.may_change(me, reference):
        raise Forbidden(_("Only the person who uploaded this reference and managers can change its rights."))
    record = queries.held(session, reference).record
    values = (
        {name: queries.said(record, name) for name in FIELDS}
        if record
        else (service.suggested(reference) | filled.values)
    )
    present = record.id if record else None
    seen = whole_number(next(iter(draft.values("seen")), "")) if draft.at else present
    return form_page(request, session, reference, draft.over(values), seen, draft)


@router.post("/references/{reference_id}/rights")
def save(request: Request, resources: ResourcesDep, me: Me, form: Sent[RightsForm], reference_id: int) -> Response:
    """Save the form. Someone who was too late gets it back with their entries and the current values."""
    values, seen = form.model_dump(exclude={"seen"}), form.seen
    try:
        spec = RightsSpec.parse(values)
        with resources.database.write() as session:
            service.save(session, me, queries.reference(session, me, reference_id), spec, seen)
            drafts.sent(request, session, me)
    except Invalid as error:
        draft = drafts.kept(request, resources, me)
        with resources.database.read() as session:
            reference = queries.reference(session, me, reference_id)
            return form_page(request, session, reference, values, seen, draft, errors=error.errors)
    except Conflict as error:
        draft = drafts.kept(request, resources, me)
        with resources.database.read() as session:
            reference = queries.reference(session, me, reference_id)
            return look_again_page(request, session, reference, spec, seen, draft, str(error))
    return see_other(f"/references/{reference_id}", _("Rights saved."))


@router.post("/references/{reference_id}/rights/withdraw")
def withdraw(
    request: Request, resources: ResourcesDep, me: Me, form: Sent[RightsTurnForm], reference_id: int
) -> Response:
    return turn(request, resources, me, form, reference_id, "withdraw")


@router.post("/references/{reference_id}/rights/restore")
def restore(
    request: Request, resources: ResourcesDep, me: Me, form: Sent[RightsTurnForm], reference_id: int
) -> Response:
    return turn(request, resources, me, form, reference_id, "restore")


@router.post("/references/{reference_id}/rights/files", dependencies=[tried("upload")])
def add_file(
    request: Request, resources: ResourcesDep, me: Me, form: Sent[RightsFileForm], reference_id: int
) -> Response:
    """Add a file that was sent, or uploaded to the form's draft before; or only upload it to that, for a script."""
    uploaded = None
    try:
        with resources.database.read() as session:
            service.need_room(session, me, queries.reference(session, me, reference_id))
        missing = _("Choose the licence or consent first.")
        given = drafts.given_file(request, resources, me, form, Kind.RIGHTS, missing)
        kept = service.keep_document(resources.files, given.data, Quota(resources, me, "file", given.data))
        with resources.database.read() as session:
            service.need_new(session, me, queries.reference(session, me, reference_id), kept)
        uploaded = given.uploaded(Kind.RIGHTS, kept.sha256)
        if form.keep:
            return drafts.keep_file(request, resources, me, uploaded)
        with resources.database.write() as session:
            reference = queries.reference(session, me, reference_id)
            row = service.add_file(session, me, reference, kept, given.name, counted=not given.sent)
            drafts.sent(request, session, me)
    except Invalid as error:
        draft = drafts.kept(request, resources, me, uploaded=uploaded)
        with resources.database.read() as session:
            return reference_page(request, session, me, reference_id, {}, error.errors, draft)
    return arrived(request, see_other(f"/references/{reference_id}#files", _("%(name)s was added.", name=row.name)))


@router.get("/references/{reference_id}/rights/files/{file_id}")
@writing
def download(request: Request, resources: ResourcesDep, me: Me, reference_id: int, file_id: int) -> Response:
    # Downloads are recorded, so this GET writes; no cross-site page can read the answer.
    with resources.database.write() as session:
        row = service.note_download(session, me, queries.reference(session, me, reference_id), file_id)
    return WatchedFile(
        resources.files.whole(Kind.RIGHTS, row.sha256, row.name),
        as_long_as(request, resources, lambda session, now: queries.may_read(session, now, reference_id, file_id)),
        headers=DOWNLOAD_HEADERS,
        media_type=row.media_type,
        filename=service.download_name(row),
        content_disposition_type="attachment",
    )


@router.post("/references/{reference_id}/rights/files/{file_id}/remove")
def remove_file(resources: ResourcesDep, me: Me, reference_id: int, file_id: int) -> Response:
    with resources.database.write() as session:
        row = service.remove_file(session, me, queries.reference(session, me, reference_id), file_id)
    return see_other(
        f"/references/{reference_id}#files", _("%(name)s removed.", name=row.name), undo=undos.offered(session)
    )


def turn(
    request: Request, resources: Resources, me: User, form: RightsTurnForm, reference_id: int, what: str
) -> Response:
    """Withdraw or restore the right, with the reason from the form."""
    try:
        reason = Reason.parse({"reason": form.reason})
        with resources.database.write() as session:
            reference = queries.reference(session, me, reference_id)
            if what == "withdraw":
                service.withdraw(session, me, reference, reason)
            else:
                service.restore(session, me, reference, reason, form.seen)
    except Invalid as error:
        with resources.database.read() as session:
            return reference_page(request, session, me, reference_id, {"reason": form.reason}, error.errors)
    except Conflict as error:
        return as_it_is_now(reference_id, error)
    if what == "restore":
        return see_other(f"/references/{reference_id}", _("Rights restored."))
    return see_other(f"/references/{reference_id}", _("Rights withdrawn. Nothing new can be made from this reference."))


def as_it_is_now(reference_id: int, error: Conflict) -> Response:
    """Show the current state, and the refusal, on a page that was outdated."""
    return see_other(f"/references/{reference_id}", str(error), refused=True)


def reference_page(
    request: Request,
    session: Session,
    me: User,
    reference_id: int,
    values: dict[str, str],
    errors: dict[str, str],
    draft: FormDraft | None = None,
) -> Response:
    """The page of a reference. `draft`: of the form for a file, if that was refused."""
    reference = queries.reference(session, me, reference_id)
    held, can_change = queries.held(session, reference), service.may_change(me, reference)
    withdrawal = held.record if held.record and held.record.withdrawn else None
    after = whole_number(request.query_params.get("after", ""))
    uses, last = part(queries.uses(session, me, reference_id, after, queries.USES_PAGE + 1), queries.USES_PAGE)
    return page(
        request,
        "rights/show.html",
        422 if errors else 200,
        nav="styles",
        reference=reference,
        held=held,
        changes=queries.changes(session, me, reference_id),
        files=[(file, service.may_remove(me, file)) for file in queries.files(session, me, reference_id)],
        files_total=queries.files_count(session, me, reference_id),
        uses=uses,
        uses_after=last,
        pictures=queries.newest_pictures(session, me, reference_id),
        pictures_total=queries.pictures_count(session, me, reference_id),
        earlier_total=queries.earlier_versions_count(session, me, reference_id),
        can_change=can_change,
        can_withdraw=can_change and (not withdrawal or service.outweighs(me, withdrawal)),
        can_restore=withdrawal is not None and service.may_restore(me, reference, withdrawal),
        outweighed=service.outweighed_words(me, withdrawal) if withdrawal and can_change else "",
        file_limit=filesize(service.FILE_BYTES),
        draft=draft or file_draft(request, session, me, reference_id) if can_change else None,
        reason=values.get("reason", ""),
        likeness_users=USERS,
        errors=errors,
        advice=advice.noted(resources_of(request), session, me, reference, only_known=True),
    )


def file_draft(request: Request, session: Session, me: User, reference_id: int) -> FormDraft:
    place = f"/references/{reference_id}#files"
    return drafts.found(session, me, place, drafts.wanted_of(request))


def look_again_page(
    request: Request,
    session: Session,
    reference: Reference,
    spec: RightsSpec,
    seen: int | None,
    draft: FormDraft,
    problem: str,
) -> Response:
    """The form as typed, after someone else recorded something or withdrew the rights."""
    changes = queries.later_changes(session, reference.id, seen)
    if changes is None:
        values = {name: queries.said(spec, name) for name in FIELDS}
        return form_page(request, session, reference, values, seen, draft, problem=problem)
    return form_page(
        request,
        session,
        reference,
        changes.merged(spec),
        changes.present.id,
        draft,
        problem=problem,
        present=changes.present,
        current_values=changes.current_values(spec),
    )


def form_page(
    request: Request,
    session: Session,
    reference: Reference,
    values: dict[str, Any],
    seen: int | None,
    draft: FormDraft,
    *,
    errors: dict[str, str] | None = None,
    problem: str = "",
    present: RightsRecord | None = None,
    current_values: dict[str, str] | None = None,
) -> Response:
    """Show the form. `seen` is the record that it started from; `present`, one made since."""
    return page(
        request,
        "rights/edit.html",
        409 if problem else 422 if errors else 200,
        nav="styles",
        reference=reference,
        held=queries.held(session, reference),
        form=values,
        seen=seen,
        draft=draft,
        errors=errors or ({"form": problem} if problem else {}),
        problem=problem,
        present=present,
        stands=queries.changed(None, present) if present else [],
        current_values=current_values or {},
        likeness_users=USERS,
    )
