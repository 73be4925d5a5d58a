"""The reset link for choosing another password."""

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from app.accounts import queries, service
from app.errors import Invalid
from app.languages import gettext as _
from app.web.deps import Read, ResourcesDep, count_try
from app.web.forms.accounts import NewPasswordForm
from app.web.forms.form import Sent
from app.web.pools import Route
from app.web.templating import page, see_other

router = APIRouter(route_class=Route)


@router.get("/reset/{token}")
def show(request: Request, session: Read, token: str) -> Response:
    count_try(request, "link")
    return reset_page(request, session, token, {})


@router.post("/reset/{token}")
def choose(request: Request, resources: ResourcesDep, form: Sent[NewPasswordForm], token: str) -> Response:
    """Use up the link. The person then signs in with the new password and anything else their account requires."""
    count_try(request, "sign-up")
    try:
        with resources.database.read() as session:
            chosen = service.choose_password(session, token, form.password)
    except Invalid as error:
        with resources.database.read() as session:
            return reset_page(request, session, token, error.errors)
    with resources.database.write() as session:
        service.use_reset(session, token, chosen)
    return see_other("/login", _("Password changed, and every browser signed out. Sign in with the new one."))


def reset_page(request: Request, session: Session, token: str, errors: dict[str, str]) -> Response:
    person = queries.reset(session, token).user
    return page(request, "accounts/reset.html", 422 if errors else 200, token=token, person=person, errors=errors)
