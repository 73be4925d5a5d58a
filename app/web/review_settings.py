"""Managers' settings for all reviews: the reasons for rejections, and each campaign's approvals."""

from collections.abc import Callable
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from app import undo as undos
from app.errors import Conflict, Invalid
from app.languages import gettext as _
from app.models import Role, User
from app.reviews import queries, reasons, service
from app.text import whole_number
from app.web.deps import Read, Resources, ResourcesDep, require
from app.web.forms.form import Sent
from app.web.forms.reviews import ApprovalsForm, FourEyesForm, ReasonForm, ReasonMoveForm
from app.web.parts import part
from app.web.pools import Route
from app.web.templating import page, see_other

router = APIRouter(route_class=Route)

HERE = "/review/settings"

Manager = Annotated[User, Depends(require(Role.MANAGER))]


@router.get("/review/settings")
def settings(request: Request, me: Manager, session: Read) -> Response:
    return settings_page(request, me, session)


@router.post("/review/reasons")
def add_reason(request: Request, resources: ResourcesDep, me: Manager, form: Sent[ReasonForm]) -> Response:
    return say_reason(request, resources, me, form, None, reasons.add)


@router.post("/review/reasons/{reason_id}")
def rename_reason(
    request: Request, resources: ResourcesDep, me: Manager, form: Sent[ReasonForm], reason_id: int
) -> Response:
    return say_reason(request, resources, me, form, reason_id, partial(reasons.rename, reason_id=reason_id))


@router.post("/review/reasons/{reason_id}/move")
def move_reason(resources: ResourcesDep, me: Manager, form: Sent[ReasonMoveForm], reason_id: int) -> Response:
    return changed(resources, reasons.move, me, reason_id, -1 if form.to == "up" else 1)


@router.post("/review/reasons/{reason_id}/remove")
def remove_reason(resources: ResourcesDep, me: Manager, reason_id: int) -> Response:
    return changed(resources, reasons.remove, me, reason_id)


@router.post("/review/campaigns/{campaign_id}")
def set_approvals(resources: ResourcesDep, me: Manager, form: Sent[ApprovalsForm], campaign_id: int) -> Response:
    return of_campaign(resources, me, campaign_id, service.set_approvals, form.approvals)


@router.post("/review/campaigns/{campaign_id}/four-eyes")
def set_four_eyes(resources: ResourcesDep, me: Manager, form: Sent[FourEyesForm], campaign_id: int) -> Response:
    return of_campaign(resources, me, campaign_id, service.set_four_eyes, form.on == "1")


def of_campaign(
    resources: Resources, me: User, campaign_id: int, act: Callable[..., object], value: object
) -> Response:
    """Change a setting of a campaign, and return to the part of the list that has it."""
    there = f"{HERE}?open={campaign_id}#campaign-{campaign_id}"
    try:
        return changed(resources, act, me, campaign_id, value, there=there)
    except Invalid as error:  # the page offers no such number
        return see_other(there, str(error), refused=True)


def say_reason(
    request: Request,
    resources: Resources,
    me: User,
    form: ReasonForm,
    reason_id: int | None,
    act: Callable[..., object],
) -> Response:
    """Add or rename a reason; shows the page with what was typed if that is refused."""
    try:
        return changed(resources, act, me, words=form.words)
    except Invalid as error:
        with resources.database.read() as session:
            return settings_page(request, me, session, form.words, reason_id, error.errors)


def changed(
    resources: Resources, act: Callable[..., object], *values: object, there: str = HERE, **named: object
) -> Response:
    """Return to the page in its current state. Raises Invalid."""
    try:
        with resources.database.write() as session:
            act(session, *values, **named)
    except Conflict as error:
        return see_other(there, str(error), refused=True)
    offer = undos.offered(session)
    return see_other(there, _("Saved.") if offer else "", undo=offer)


def settings_page(
    request: Request,
    me: User,
    session: Session,
    typed: str = "",
    refused: int | None = None,
    errors: dict[str, str] | None = None,
) -> Response:
    """With `errors`, those of the words `typed` for the reason `refused`, or for a new one."""
    asked = request.query_params
    found = queries.campaigns(session, me, whole_number(asked.get("after", "")), queries.CAMPAIGNS_PAGE + 1)
    campaigns, last = part(found, queries.CAMPAIGNS_PAGE)
    return page(
        request,
        "review/settings.html",
        422 if errors else 200,
        nav="review",
        reasons=queries.reasons(session),
        campaigns=queries.with_opened(session, me, campaigns, whole_number(asked.get("open", ""))),
        after=last,
        typed=typed,
        refused=refused,
        errors=errors or {},
        limits={"reasons": reasons.MOST_REASONS, "approvals": service.MOST_APPROVALS},
    )
