"""Templates of the form of a new set: saved and applied there, cared for on their own page."""

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from app.errors import Conflict, Invalid
from app.languages import gettext as _
from app.languages.formats import sentences
from app.models import User
from app.sets import templates
from app.web import drafts
from app.web.deps import Me, Read, ResourcesDep
from app.web.errors import answered
from app.web.forms.form import Sent
from app.web.forms.sets import SetForm, TemplateForm, TemplateSaveForm
from app.web.pools import Route
from app.web.sets import form_page
from app.web.templating import page, see_other

router = APIRouter(route_class=Route)


@router.get("/templates")
def index(request: Request, me: Me, session: Read, deleted: int | None = None) -> Response:
    return templates_page(request, session, me, deleted=deleted)


def templates_page(
    request: Request,
    session: Session,
    me: User,
    *,
    deleted: int | None = None,
    refused: int | None = None,
    typed: TemplateForm | None = None,
    errors: dict[str, str] | None = None,
) -> Response:
    """With `errors`, what was typed for the template `refused` is shown again."""
    return page(
        request,
        "templates/index.html",
        422 if errors else 200,
        nav="sets",
        refused=refused,
        typed=typed,
        errors=errors or {},
        templates=templates.listed(session, me),
        gone=templates.listed(session, me, deleted=True),
        undo=deleted,
        recent=templates.recent(session, me),
    )


@router.post("/templates")
def save(request: Request, resources: ResourcesDep, me: Me, form: Sent[TemplateSaveForm]) -> Response:
    """Save the settings of the form, which stays as it is."""
    kind, name, shared = form.named
    values = form.set_values
    draft = drafts.kept(request, resources, me)
    try:
        with resources.database.write() as session:
            template = templates.save(session, me, kind, name, values, shared)
    except Invalid as error:
        with resources.database.read() as session:
            errors = {"form": sentences(error.errors.values())}
            return answered(form_page(request, session, me, values, errors, draft), error)
    with resources.database.read() as session:
        return form_page(request, session, me, values, {}, draft, _("Template %(name)s saved.", name=template.name))


@router.post("/templates/{template_id}/use")
def use(
    request: Request, resources: ResourcesDep, me: Me, session: Read, template_id: int, form: Sent[SetForm]
) -> Response:
    """Fill in the form with a template's settings; what it does not have stays."""
    template = templates.get(session, me, template_id)
    draft = drafts.kept(request, resources, me)
    values = form.model_dump() | template.values
    applied = _("Template %(name)s applied.", name=template.name)
    return form_page(request, session, me, values, {}, draft, applied)


@router.post("/templates/{template_id}")
def change(request: Request, resources: ResourcesDep, me: Me, template_id: int, form: Sent[TemplateForm]) -> Response:
    try:
        with resources.database.write() as session:
            template = templates.change(session, me, template_id, form.template_name, form.template_shared)
    except Invalid as error:
        with resources.database.read() as session:
            return templates_page(request, session, me, refused=template_id, typed=form, errors=error.errors)
    return see_other("/templates", _("Template %(name)s saved.", name=template.name))


@router.post("/templates/{template_id}/delete")
def remove(resources: ResourcesDep, me: Me, template_id: int) -> Response:
    with resources.database.write() as session:
        templates.remove(session, me, template_id)
    return see_other(f"/templates?deleted={template_id}")


@router.post("/templates/{template_id}/restore")
def restore(resources: ResourcesDep, me: Me, template_id: int) -> Response:
    try:
        with resources.database.write() as session:
            template = templates.restore(session, me, template_id)
    except Conflict as error:
        return see_other("/templates", str(error), refused=True)
    return see_other("/templates", _("Template %(name)s restored.", name=template.name))


@router.post("/templates/prompts/{prompt_id}/remove")
def forget_prompt(resources: ResourcesDep, me: Me, prompt_id: int) -> Response:
    with resources.database.write() as session:
        templates.forget_prompt(session, me, prompt_id)
    return see_other("/templates#recent", _("Prompt removed."))
