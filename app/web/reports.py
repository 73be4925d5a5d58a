"""Report a picture, and the list of reports for managers."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from app.errors import Conflict, Invalid, Later
from app.exports import gallery
from app.exports import queries as exports
from app.languages import gettext as _
from app.models import PictureReport, Role, User
from app.reports import queries, service
from app.reports.spec import WORDS, ReportDecision, ReportSpec
from app.text import whole_number
from app.web import drafts
from app.web.deps import Me, Read, Resources, ResourcesDep, count_try, require, tried
from app.web.drafts import Drafted, FormDraft
from app.web.errors import answered
from app.web.forms.form import Sent
from app.web.forms.reports import ReportDecisionForm, ReportForm
from app.web.parts import part
from app.web.pools import Route
from app.web.shares import shared_picture
from app.web.templating import inner_path, page, path_in, see_other

router = APIRouter(route_class=Route)

HERE = "/reports"
Manager = Annotated[User, Depends(require(Role.MANAGER))]


@router.get("/images/{image_id}/report")
def ask(request: Request, me: Me, session: Read, draft: Drafted, image_id: int) -> Response:
    back = inner_path(path_in(request.headers.get("referer", f"/review?image={image_id}")))
    form = ReportForm.of_fields(draft.fields) if draft.at else ReportForm()
    return report_page(request, me, session, image_id, form.model_copy(update={"back": back}), draft)


@router.post("/images/{image_id}/report", dependencies=[tried("report")])
def report(request: Request, resources: ResourcesDep, me: Me, form: Sent[ReportForm], image_id: int) -> Response:
    back = inner_path(form.back)
    try:
        spec = ReportSpec.checked(form.kind, form.words)
        with resources.database.write() as session:
            service.report(session, me, image_id, spec)
            drafts.sent(request, session, me)
    except Invalid as error:
        draft = drafts.kept(request, resources, me)
        with resources.database.read() as session:
            return report_page(request, me, session, image_id, form, draft, error.errors)
    except Conflict as error:
        return see_other(back, str(error), refused=True)
    return see_other(back, _("Picture reported. Managers were told."))


def report_page(
    request: Request,
    me: User,
    session: Session,
    image_id: int,
    form: ReportForm,
    draft: FormDraft,
    errors: dict[str, str] | None = None,
) -> Response:
    image = service.reportable(session, me, image_id)
    return page(
        request,
        "reports/new.html",
        422 if errors else 200,
        nav="review",
        image=image,
        form=form,
        draft=draft,
        kinds=WORDS,
        errors=errors or {},
    )


# Visitors of share links


@router.get("/shared/{token}/pictures/{position}/report")
def ask_visitor(request: Request, resources: ResourcesDep, token: str, position: int) -> Response:
    shared_picture(request, resources, token, position)
    return visitor_page(request, token, position, ReportForm())


@router.post("/shared/{token}/pictures/{position}/report")
def report_shared(
    request: Request, resources: ResourcesDep, form: Sent[ReportForm], token: str, position: int
) -> Response:
    shared_picture(request, resources, token, position)
    try:
        spec = ReportSpec.checked(form.kind, form.words)
        with resources.database.write() as session:
            share = exports.share(session, token)
            count_try(request, "report", f"share {share.id}")
            service.report_shared(session, share, gallery.image_id(session, share.export, position), spec)
    except Invalid as error:
        return visitor_page(request, token, position, form, error.errors)
    except Later as error:
        return answered(visitor_page(request, token, position, form, {"form": str(error)}), error)
    return see_other(f"/shared/{token}", _("Thank you. The team will look at the picture."))


def visitor_page(
    request: Request, token: str, position: int, form: ReportForm, errors: dict[str, str] | None = None
) -> Response:
    context: dict[str, Any] = {"token": token, "position": position, "form": form, "kinds": WORDS}
    return page(request, "reports/visitor.html", 422 if errors else 200, **context, errors=errors or {})


# For managers


@router.get(HERE)
def index(request: Request, me: Manager, session: Read) -> Response:
    return reports_page(request, me, session)


@router.post("/reports/{report_id}/hold")
def hold(resources: ResourcesDep, me: Manager, report_id: int) -> Response:
    return did(resources, me, report_id, service.hold, _("Held back from exports; share links with it are on hold."))


@router.post("/reports/{report_id}/release")
def release(resources: ResourcesDep, me: Manager, report_id: int) -> Response:
    return did(resources, me, report_id, service.release, _("No longer held back."))


@router.post("/reports/{report_id}/decide")
def decide(
    request: Request, resources: ResourcesDep, me: Manager, form: Sent[ReportDecisionForm], report_id: int
) -> Response:
    try:
        decision = ReportDecision.parse({"outcome": form.outcome, "reason": form.reason})
        with resources.database.write() as session:
            service.decide(session, me, report_id, decision)
    except Invalid as error:
        with resources.database.read() as session:
            return reports_page(request, me, session, report_id, form, error.errors)
    except Conflict as error:
        return see_other(HERE, str(error), refused=True)
    return see_other(HERE, _("Decided, and recorded with your reason."))


def did(
    resources: Resources, me: User, report_id: int, act: Callable[[Session, User, int], PictureReport], done: str
) -> Response:
    try:
        with resources.database.write() as session:
            act(session, me, report_id)
    except Conflict as error:
        return see_other(HERE, str(error), refused=True)
    return see_other(HERE, done)


def reports_page(
    request: Request,
    me: User,
    session: Session,
    refused: int | None = None,
    form: ReportDecisionForm | None = None,
    errors: dict[str, str] | None = None,
) -> Response:
    """The list; with `errors`, of the decision on the report `refused`."""
    decided, after = request.query_params.get("decided", ""), whole_number(request.query_params.get("after", ""))
    rows, last = part(queries.listed(session, me, bool(decided), after, queries.PAGE + 1), queries.PAGE)
    return page(
        request,
        "reports/index.html",
        422 if errors else 200,
        nav="review",
        rows=rows,
        after=last,
        decided=bool(decided),
        kinds=WORDS,
        refused=refused,
        form=form or ReportDecisionForm(),
        errors=errors or {},
    )
