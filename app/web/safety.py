"""A picture that the safety check flagged: blurred, until a reviewer clears it with a reason."""

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from app.errors import Conflict, Invalid
from app.languages import gettext as _
from app.models import Role, User
from app.sets import queries, safety
from app.sets.safety import SafetyReason
from app.web.deps import Me, Read, ResourcesDep
from app.web.forms.form import Sent
from app.web.forms.safety import SafetyForm
from app.web.pools import Route
from app.web.templating import page, see_other

router = APIRouter(route_class=Route)


@router.get("/images/{image_id}/safety")
def show(request: Request, me: Me, session: Read, image_id: int) -> Response:
    return safety_page(request, me, session, image_id)


@router.post("/images/{image_id}/safety")
def clear(request: Request, resources: ResourcesDep, me: Me, form: Sent[SafetyForm], image_id: int) -> Response:
    there = f"/review?image={image_id}"
    try:
        reason = SafetyReason.parse({"reason": form.reason})
        with resources.database.write() as session:
            safety.clear(session, me, image_id, reason)
    except Invalid as error:
        with resources.database.read() as session:
            return safety_page(request, me, session, image_id, form.reason, error.errors)
    except Conflict as error:
        return see_other(there, str(error), refused=True)
    return see_other(there, _("Picture cleared, and recorded with your reason."))


def safety_page(
    request: Request, me: User, session: Session, image_id: int, reason: str = "", errors: dict[str, str] | None = None
) -> Response:
    return page(
        request,
        "review/safety.html",
        422 if errors else 200,
        nav="review",
        image=queries.image(session, me, image_id),
        flag=safety.of(session, image_id),
        can_clear=me.can(Role.REVIEWER),
        reason=reason,
        errors=errors or {},
    )
