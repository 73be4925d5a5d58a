"""Checklists: what each says, who changed it, and which of them a campaign requires."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from app import undo as undos
from app.campaign_names import folder
from app.customs import delivered, queries, service
from app.customs.delivered import Item
from app.customs.queries import ListView
from app.errors import Conflict, Invalid
from app.languages import gettext as _
from app.languages import translated
from app.models import ChecklistVersion, Role, User
from app.reviews import requirements
from app.web import drafts
from app.web.deps import Me, Read, Resources, ResourcesDep, require
from app.web.drafts import Drafted, FormDraft
from app.web.forms.customs import ItemForm, ListForm, RequireForm
from app.web.forms.form import Sent
from app.web.pools import Route
from app.web.templating import Page, inner_path, page, render, see_other

router = APIRouter(route_class=Route)

HERE = "/checklists"

Manager = Annotated[User, Depends(require(Role.MANAGER))]


@dataclass(frozen=True, kw_only=True)
class ListPage(Page):
    template = "customs/show.html"
    nav = "review"

    shown: ListView
    left_out: list[Item]  # delivered items that the team removed
    versions: list[ChecklistVersion]
    topics: dict[str, str]
    campaigns: list[str]  # that require it
    can_edit: bool
    refused: str  # the key of the item whose form was refused; "new", "name", or "" for none
    typed: ItemForm
    name: str  # of the field
    errors: dict[str, str] = field(default_factory=dict)
    draft: FormDraft


@router.get("/checklists")
def index(request: Request, me: Me, session: Read) -> Response:
    return index_page(request, session, me)


def index_page(
    request: Request, session: Session, me: User, typed: str = "", errors: dict[str, str] | None = None
) -> Response:
    return page(
        request,
        "customs/index.html",
        422 if errors else 200,
        nav="review",
        lists=queries.listed(session, me),
        deleted=queries.listed(session, me, deleted=True) if me.can(Role.MANAGER) else [],
        can_edit=me.can(Role.MANAGER),
        typed=typed,
        errors=errors or {},
    )


@router.post("/checklists")
def create(request: Request, resources: ResourcesDep, me: Manager, form: Sent[ListForm]) -> Response:
    try:
        with resources.database.write() as session:
            checklist = service.create(session, me, form.name)
    except Invalid as error:
        with resources.database.read() as session:
            return index_page(request, session, me, form.name, error.errors)
    return see_other(f"{HERE}/{checklist.id}", _("Checklist %(name)s created. Add its items.", name=checklist.name))


@router.get("/checklists/{list_id}")
def show(request: Request, me: Me, session: Read, draft: Drafted, list_id: int) -> Response:
    return list_page(request, session, me, list_id, draft)


def list_page(
    request: Request,
    session: Session,
    me: User,
    list_id: int,
    draft: FormDraft | None = None,
    refused: str = "",
    typed: ItemForm | None = None,
    name: str | None = None,
    errors: dict[str, str] | None = None,
) -> Response:
    """With `errors`, what was typed into the form `refused` is shown again. The draft is of a new item."""
    draft = draft or drafts.found(session, me, f"{HERE}/{list_id}", "")
    row = queries.row(session, me, list_id)
    shown = queries.view(row)
    known = queries.items_of(row, None) if row.market else []
    begun = ItemForm.of_fields(draft.fields) if draft.at and refused != "new" else None
    shown_page = ListPage(
        shown=shown,
        left_out=[item for item in known if item.key not in shown.by_key],
        versions=queries.versions(session, me, list_id),
        topics={key: translated(words) for key, words in delivered.TOPICS.items()},
        campaigns=queries.uses(session).get(list_id, []),
        can_edit=me.can(Role.MANAGER) and not shown.deleted,
        refused=refused,
        typed=typed or begun or ItemForm(),
        name=shown.name if name is None else name,
        errors=errors or {},
        draft=draft,
    )
    return render(request, shown_page, 422 if errors else 200)


@router.post("/checklists/{list_id}/rename")
def rename(request: Request, resources: ResourcesDep, me: Manager, form: Sent[ListForm], list_id: int) -> Response:
    try:
        return changed(resources, list_id, partial(service.rename, user=me, checklist_id=list_id, name=form.name))
    except Invalid as error:
        with resources.database.read() as session:
            return list_page(request, session, me, list_id, refused="name", name=form.name, errors=error.errors)


@router.post("/checklists/{list_id}/delete")
def delete(resources: ResourcesDep, me: Manager, list_id: int) -> Response:
    try:
        with resources.database.write() as session:
            checklist = service.delete(session, me, list_id)
    except Conflict as error:
        return see_other(f"{HERE}/{list_id}", str(error), refused=True)
    return see_other(HERE, _("Checklist %(name)s deleted.", name=checklist.name), undo=undos.offered(session))


@router.post("/checklists/{list_id}/restore")
def restore(resources: ResourcesDep, me: Manager, list_id: int) -> Response:
    act = partial(service.restore, user=me, checklist_id=list_id)
    return changed(resources, list_id, act, _("Checklist restored."))


# Items


@router.post("/checklists/{list_id}/items")
def add(request: Request, resources: ResourcesDep, me: Manager, form: Sent[ItemForm], list_id: int) -> Response:
    def act(session: Session) -> None:
        service.add(session, me, list_id, form.topic, form.text, form.why, form.source)
        drafts.sent(request, session, me)

    return item_changed(request, resources, me, form, list_id, "new", act)


@router.post("/checklists/{list_id}/items/{key}")
def change(
    request: Request, resources: ResourcesDep, me: Manager, form: Sent[ItemForm], list_id: int, key: str
) -> Response:
    act = partial(
        service.change,
        user=me,
        checklist_id=list_id,
        key=key,
        seen=form.seen,
        topic=form.topic,
        text=form.text,
        why=form.why,
        source=form.source,
    )
    return item_changed(request, resources, me, form, list_id, key, act)


@router.post("/checklists/{list_id}/items/{key}/remove")
def remove(resources: ResourcesDep, me: Manager, list_id: int, key: str) -> Response:
    return at_once(resources, list_id, partial(service.remove, user=me, checklist_id=list_id, key=key))


@router.post("/checklists/{list_id}/items/{key}/restore")
def restore_item(resources: ResourcesDep, me: Manager, list_id: int, key: str) -> Response:
    return changed(resources, list_id, partial(service.restore_item, user=me, checklist_id=list_id, key=key))


@router.post("/checklists/{list_id}/versions/{version}/restore")
def restore_version(resources: ResourcesDep, me: Manager, list_id: int, version: int) -> Response:
    return at_once(resources, list_id, partial(service.restore_version, user=me, checklist_id=list_id, number=version))


def item_changed(
    request: Request,
    resources: Resources,
    me: User,
    form: ItemForm,
    list_id: int,
    key: str,
    act: Callable[[Session], object],
) -> Response:
    """Change an item; shows the page with what was typed if that is refused."""
    try:
        return changed(resources, list_id, act)
    except (Invalid, Conflict) as error:
        errors = error.errors if isinstance(error, Invalid) else {"form": str(error)}
        draft = drafts.kept(request, resources, me) if key == "new" else None
        with resources.database.read() as session:
            return list_page(request, session, me, list_id, draft, key, form, errors=errors)


def at_once(resources: Resources, list_id: int, act: Callable[[Session], object]) -> Response:
    """`changed` for a button, which loses nothing that was typed: the page says why it cannot be done."""
    try:
        return changed(resources, list_id, act)
    except Conflict as error:
        return see_other(f"{HERE}/{list_id}", str(error), refused=True)


def changed(resources: Resources, list_id: int, act: Callable[[Session], object], said: str = "") -> Response:
    """Act, and return to the page of the list. Raises Invalid, and Conflict for items."""
    with resources.database.write() as session:
        act(session)
    offer = undos.offered(session)
    return see_other(f"{HERE}/{list_id}", said or (_("Saved.") if offer else ""), undo=offer)


# Campaigns


@router.post("/review/campaigns/{campaign_id}/checklists")
def set_required(resources: ResourcesDep, me: Manager, form: Sent[RequireForm], campaign_id: int) -> Response:
    """Which lists a campaign requires, from its page."""
    there = f"/manage/campaign/{campaign_id}"
    if form.source:
        there = f"{there}?from={inner_path(form.source)}"
    try:
        with resources.database.write() as session:
            campaign = requirements.require(session, me, campaign_id, form.checklists)
    except (Invalid, Conflict) as error:
        return see_other(there, str(error), refused=True)
    offer = undos.offered(session)
    if not offer:
        return see_other(there)
    said = (
        _(
            "%(campaign)s requires these checklists from now on. What is approved stays approved.",
            campaign=folder(campaign.name),
        )
        if campaign.checklists
        else _("%(campaign)s no longer requires checklists.", campaign=folder(campaign.name))
    )
    return see_other(there, said, undo=offer)
