"""The administrators' list of people: roles, accounts, and the open links."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from app.accounts import queries, service
from app.errors import Conflict, Invalid, NotFound
from app.models import Role, User
from app.quotas import queries as quotas
from app.text import plural
from app.web import once
from app.web.deps import Admin, ConfirmedAdmin, Read, Resources, ResourcesDep, count_try
from app.web.forms.accounts import InviteForm, PersonForm
from app.web.forms.form import Sent
from app.web.pools import Route
from app.web.templating import page, see_other

router = APIRouter(route_class=Route)


@router.get("/people")
def people(request: Request, resources: ResourcesDep, me: Admin, session: Read) -> Response:
    """Show everyone, and a new link once: only its hash is stored."""
    token = once.secret_of(request)
    response = people_page(request, resources, me, session, new_link(resources, session, token))
    if token:
        once.forget(resources, "/people", response)
    return response


def people_page(
    request: Request,
    resources: Resources,
    me: User,
    session: Session,
    link: dict[str, Any] | None,
    form: InviteForm | None = None,
    errors: dict[str, str] | None = None,
) -> Response:
    invitations = queries.invitations(session, me)
    context: dict[str, Any] = {
        "people": queries.people(session, me),
        "used": quotas.of_people(session, me),
        "browsers": queries.sessions_by_person(session, me, resources.settings.idle_minutes),
        "open": [each for each in invitations if each.open],
        "ended": [each for each in invitations if not each.open],
        "resets": queries.resets(session, me),
        "roles": list(Role),
        "link": link,
        "me": me,
        "form": form or InviteForm(role=Role.DESIGNER),
        "errors": errors or {},
    }
    return page(request, "accounts/people.html", 422 if errors else 200, nav="people", **context)


def new_link(resources: Resources, session: Session, token: str) -> dict[str, Any] | None:
    """The open link with that token, for the page; None if it was used or has ended."""
    for kind, find in (("setup", queries.invitation), ("reset", queries.reset)):
        try:
            if token:
                return {
                    "kind": kind,
                    "row": find(session, token),
                    "url": f"{resources.settings.public_url}/{kind}/{token}",
                }
        except NotFound:
            continue
    return None


@router.post("/people/invite")
def invite(request: Request, resources: ResourcesDep, me: ConfirmedAdmin, form: Sent[InviteForm]) -> Response:
    count_try(request, "invite", me.id)
    role = service.parse_role(form.role)
    try:
        with resources.database.write() as session:
            token = service.invite(session, me, role, form.email)
    except Invalid as error:
        with resources.database.read() as session:
            return people_page(request, resources, me, session, None, form, error.errors)
    return once.show_once(resources, "/people", token)


@router.post("/people/invitations/{invitation_id}/revoke")
def revoke_invitation(resources: ResourcesDep, me: ConfirmedAdmin, invitation_id: int) -> Response:
    try:
        with resources.database.write() as session:
            service.revoke_invitation(session, me, invitation_id)
    except Conflict as error:
        return see_other("/people", str(error), refused=True)
    return see_other("/people", "Link revoked. It no longer works.")


@router.post("/people/resets/{reset_id}/revoke")
def revoke_reset(resources: ResourcesDep, me: ConfirmedAdmin, reset_id: int) -> Response:
    try:
        with resources.database.write() as session:
            service.revoke_reset(session, me, reset_id)
    except Conflict as error:
        return see_other("/people", str(error), refused=True)
    return see_other("/people", "Link revoked. It no longer works.")


@router.post("/people/{person_id}")
def change_person(resources: ResourcesDep, me: ConfirmedAdmin, form: Sent[PersonForm], person_id: int) -> Response:
    with resources.database.write() as session:
        person = queries.person(session, person_id)
        if form.role:
            person = service.set_role(session, me, person_id, form.role)
        if form.active:
            person = service.set_active(session, me, person_id, form.active == "1")
        state = f"now has the role {Role(person.role).word}" if person.active else "can no longer sign in"
        return see_other("/people", f"{person.name} {state}.")


@router.post("/people/{person_id}/reset")
def make_reset(request: Request, resources: ResourcesDep, me: ConfirmedAdmin, person_id: int) -> Response:
    count_try(request, "invite", me.id)
    try:
        with resources.database.write() as session:
            token = service.create_reset(session, me, person_id)
    except Conflict as error:
        return see_other("/people", str(error), refused=True)
    return once.show_once(resources, "/people", token)


@router.post("/people/{person_id}/sessions/end")
def end_sessions(resources: ResourcesDep, me: ConfirmedAdmin, person_id: int) -> Response:
    with resources.database.write() as session:
        person, ended = service.end_sessions_of(session, me, person_id)
    return see_other("/people", f"{person.name} was signed out of {plural(ended, 'browser')}.")
