"""What managers settle for all reviews: the reasons to reject, and how many approvals each campaign needs."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from app.errors import Conflict, Invalid
from app.models import Role, User
from app.reviews import queries, reasons, service
from app.web.deps import App, Form, Parts, Read, require, text, whole
from app.web.templating import page, see_other

router = APIRouter()

HERE = "/review/settings"

Manager = Annotated[User, Depends(require(Role.MANAGER))]


@router.get("/review/settings")
def settings(request: Request, me: Manager, session: Read) -> Response:
    return page(
        request,
        "review/settings.html",
        nav="review",
        reasons=queries.reasons(session),
        campaigns=queries.campaigns(session, me),
        limits={"words": reasons.REASON_LENGTH, "reasons": reasons.MOST_REASONS, "approvals": service.MOST_APPROVALS},
    )


@router.post("/review/reasons")
def add_reason(app: App, me: Manager, form: Form) -> Response:
    return changed(app, reasons.add, me, text(form, "words"))


@router.post("/review/reasons/{reason_id}")
def rename_reason(app: App, me: Manager, form: Form, reason_id: int) -> Response:
    return changed(app, reasons.rename, me, reason_id, text(form, "words"))


@router.post("/review/reasons/{reason_id}/move")
def move_reason(app: App, me: Manager, form: Form, reason_id: int) -> Response:
    return changed(app, reasons.move, me, reason_id, -1 if text(form, "to") == "up" else 1)


@router.post("/review/reasons/{reason_id}/remove")
def remove_reason(app: App, me: Manager, reason_id: int) -> Response:
    return changed(app, reasons.remove, me, reason_id)


@router.post("/review/campaigns/{campaign_id}")
def set_approvals(app: App, me: Manager, form: Form, campaign_id: int) -> Response:
    return changed(app, service.set_approvals, me, campaign_id, whole(form, "approvals"))


def changed(app: Parts, act: Callable[..., object], *values: object) -> Response:
    """Back to the page, with what was refused."""
    try:
        with app.database.write() as session:
            act(session, *values)
    except (Conflict, Invalid) as error:
        return see_other(HERE, str(error), refused=True)
    return see_other(HERE)
