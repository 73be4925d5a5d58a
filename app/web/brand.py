"""Brand rules of a style or campaign: the form, proposals, history, and how pictures keep them."""

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from app import undo as undos
from app.brand import queries, service, words
from app.brand.queries import BrandSummary, Noun
from app.brand.spec import BrandSpec
from app.customs import queries as customs
from app.customs.queries import ListView
from app.errors import Conflict, Invalid
from app.filing.kinds import name_of
from app.languages import gettext as _
from app.languages import ngettext
from app.models import BrandVersion, Role, Style, User
from app.text import whole_number
from app.web import drafts
from app.web.deps import Me, Read, ResourcesDep, require
from app.web.drafts import Drafted, FormDraft
from app.web.forms.brand import BrandForm
from app.web.forms.form import Sent
from app.web.pools import Route
from app.web.templating import Page, render, see_other

router = APIRouter(route_class=Route)

Manager = Annotated[User, Depends(require(Role.MANAGER))]


@dataclass(frozen=True, kw_only=True)
class BrandPage(Page):
    template = "brand/show.html"
    nav = "styles"

    noun: str
    row_id: int
    name: str
    url: str  # of the style or campaign
    form: BrandForm
    swatches: dict[str, list[str]]  # valid colours of a field
    seen: int
    proposed: int  # approved pictures that the form was filled in from; 0: it was not
    versions: list[tuple[BrandVersion, str]]  # each with the words of its rules
    checklists: list[ListView]
    summary: BrandSummary | None
    parts: list[tuple[str, int]]
    can_edit: bool
    errors: dict[str, str] = field(default_factory=dict)
    draft: FormDraft
    saved: dict[str, str] = field(default_factory=dict)  # the rules now, after someone else saved them


@router.get("/brand/{of}/{of_id}")
def show(request: Request, me: Me, session: Read, draft: Drafted, of: Noun, of_id: int) -> Response:
    return brand_page(request, session, me, of, of_id, draft)


@router.get("/brand/{of}/{of_id}/proposal")
def propose(request: Request, me: Manager, session: Read, draft: Drafted, of: Noun, of_id: int) -> Response:
    """The form filled in from approved pictures; what they cannot tell stays as it is."""
    if draft.at:
        return brand_page(request, session, me, of, of_id, draft)
    try:
        found, pictures = service.propose(session, me, of, of_id)
    except Conflict as error:
        return see_other(f"/brand/{of}/{of_id}", str(error), refused=True)
    form = form_of(found)
    return brand_page(request, session, me, of, of_id, draft, form, proposed=pictures)


@router.post("/brand/{of}/{of_id}")
def save(
    request: Request, resources: ResourcesDep, me: Manager, form: Sent[BrandForm], of: Noun, of_id: int
) -> Response:
    there = f"/brand/{of}/{of_id}"
    try:
        spec = BrandSpec.checked(form.model_dump())
        with resources.database.write() as session:
            made = service.save(
                session,
                me,
                of,
                of_id,
                spec,
                whole_number(form.seen) or 0,
                note=form.note,
                pictures=whole_number(form.pictures) or 0,
            )
            drafts.sent(request, session, me)
    except (Invalid, Conflict) as error:
        late = isinstance(error, Conflict)
        errors = error.errors if isinstance(error, Invalid) else {"form": str(error)}
        draft = drafts.kept(request, resources, me)
        with resources.database.read() as session:
            return brand_page(request, session, me, of, of_id, draft, form, errors=errors, late=late)
    said = _("Brand rules saved. Pictures are scored within a minute.") if made else _("Nothing changed.")
    return see_other(there, said, undo=undos.offered(session))


@router.post("/brand/{of}/{of_id}/versions/{number}/restore")
def restore(resources: ResourcesDep, me: Manager, of: Noun, of_id: int, number: int) -> Response:
    with resources.database.write() as session:
        made = service.restore(session, me, of, of_id, number)
    said = _("The rules of version %(number)s apply again.", number=number) if made else _("Nothing changed.")
    return see_other(f"/brand/{of}/{of_id}", said, undo=undos.offered(session))


def form_of(spec: BrandSpec) -> BrandForm:
    return BrandForm.of_fields([*spec.shown().items(), *(("checks", str(each)) for each in spec.checks)])


def brand_page(
    request: Request,
    session: Session,
    me: User,
    of: Noun,
    of_id: int,
    draft: FormDraft,
    form: BrandForm | None = None,
    *,
    proposed: int = 0,
    errors: dict[str, str] | None = None,
    late: bool = False,
) -> Response:
    """Show `form`, the draft, or the rules now. `late`: someone else saved rules, shown where they differ."""
    row = queries.owner(session, me, of, of_id)
    versions = queries.versions(session, me, of, of_id)
    now = queries.spec_of(versions[0] if versions else None)
    begun = BrandForm.of_fields(draft.fields) if draft.at else form_of(now)
    shown = form or begun
    newest = versions[0].number if versions else 0
    from_before = not late and bool(errors or (draft.at and not form))  # the rules may be newer than the form
    summary = queries.of_owner(session, of, of_id)
    page = BrandPage(
        noun=of,
        row_id=of_id,
        name=name_of(row),
        url=f"/styles/{row.code}" if isinstance(row, Style) else f"/pictures?campaign={row.id}",
        form=shown,
        swatches={name: swatches(getattr(shown, name)) for name in ("colours", "never", "background")},
        seen=whole_number(shown.seen) or 0 if from_before else newest,
        proposed=proposed or whole_number(shown.pictures) or 0,
        versions=[(each, said(each)) for each in versions],
        checklists=(lists := customs.listed(session, me)),
        summary=summary,
        parts=words.parts({str(part): value for part, value in summary.parts.items()}) if summary else [],
        can_edit=me.can(Role.MANAGER),
        errors=errors or {},
        draft=draft,
        saved=saved_values(now, lists) if late else {},
    )
    return render(request, page, 422 if errors else 200)


def saved_values(now: BrandSpec, checklists: list[ListView]) -> dict[str, str]:
    """What the fields of the form would show."""
    checks = [each.name for each in checklists if each.id in now.checks]
    return now.shown() | {"checks": _(", ").join(checks)}


def swatches(text: str) -> list[str]:
    """The colours of a field; none of one with a mistake in it."""
    try:
        return list(BrandSpec.parse({"colours": text}).colours)
    except Invalid:
        return []


def said(version: BrandVersion) -> str:
    """What rules there are, in a line."""
    parts = [words.part(part) for part in queries.spec_of(version).rules.parts]
    text = _(", ").join(parts) if parts else _("No rules")
    from_pictures = ngettext("from %(number)s approved picture", "from %(number)s approved pictures", version.pictures)
    return _("%(what)s (%(detail)s)", what=text, detail=from_pictures) if version.pictures else text
