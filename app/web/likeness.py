"""The real people whom a subject shows."""

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from app.errors import Conflict, Invalid
from app.languages import gettext as _
from app.models import Role, User
from app.rights import people
from app.subjects import queries
from app.web.deps import Me, Read, ResourcesDep
from app.web.forms.form import Sent
from app.web.forms.likeness import LikenessForm
from app.web.pools import Route
from app.web.templating import page, see_other

router = APIRouter(route_class=Route)


@router.get("/subjects/{subject_id}/likeness")
def show(request: Request, me: Me, session: Read, subject_id: int) -> Response:
    return likeness_page(request, me, session, subject_id)


@router.post("/subjects/{subject_id}/likeness")
def link(request: Request, resources: ResourcesDep, me: Me, form: Sent[LikenessForm], subject_id: int) -> Response:
    there = f"/subjects/{subject_id}/likeness"
    try:
        with resources.database.write() as session:
            people.link(session, me, queries.get(session, me, subject_id), form.reference_id)
    except Invalid as error:
        with resources.database.read() as session:
            return likeness_page(request, me, session, subject_id, error.errors)
    except Conflict as error:
        return see_other(there, str(error), refused=True)
    return see_other(there, _("Saved. This subject can be used as the consent allows."))


@router.post("/subjects/{subject_id}/likeness/{likeness_id}/remove")
def unlink(resources: ResourcesDep, me: Me, subject_id: int, likeness_id: int) -> Response:
    with resources.database.write() as session:
        people.unlink(session, me, queries.get(session, me, subject_id), likeness_id)
    return see_other(f"/subjects/{subject_id}/likeness", _("Removed."))


def likeness_page(
    request: Request, me: User, session: Session, subject_id: int, errors: dict[str, str] | None = None
) -> Response:
    subject = queries.get(session, me, subject_id)
    can_link = people.may_link(me, subject)
    return page(
        request,
        "rights/likeness.html",
        422 if errors else 200,
        nav="subjects",
        subject=subject,
        shown=people.of_subject(session, me, subject),
        choices=people.choices(session, me) if can_link else [],
        can_link=can_link,
        can_remove=me.can(Role.MANAGER),
        errors=errors or {},
    )
