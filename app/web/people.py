"""The administrators' list of people: roles, accounts, and the open links."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from app import undo as undos
from app.accounts import queries, service
from app.errors import Conflict, Invalid, NotFound, UserError
from app.gallery import handover
from app.languages import gettext as _
from app.languages import ngettext
from app.models import Role, User
from app.quotas import queries as quotas
from app.text import clean_line, whole_number
from app.web import drafts, once
from app.web.deps import Admin, ConfirmedAdmin, Read, Resources, ResourcesDep, count_try
from app.web.drafts import FormDraft
from app.web.forms.accounts import InviteForm, PersonForm, TransferForm
from app.web.forms.form import Sent
from app.web.parts import part
from app.web.pools import Route
from app.web.templating import page, role_word, see_other

router = APIRouter(route_class=Route)

INVITE_PLACE = "/people#invite"
HEIRS = 50  # suggested, to hand work over to; the address of anyone can be typed


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
    opened: int | None = None,
    heir: str = "",
    draft: FormDraft | None = None,
) -> Response:
    """With `errors`, the refused form is shown again: `form`, or the handing over of the person `opened` to `heir`."""
    asked = request.query_params
    wanted = queries.PeopleFilter(clean_line(asked.get("q", "")[:100]), asked.get("role", ""), asked.get("state", ""))
    opened = opened or whole_number(asked.get("open", ""))
    found = queries.people(session, me, wanted, whole_number(asked.get("after", "")), queries.PEOPLE_PAGE + 1)
    shown, last = part(found, queries.PEOPLE_PAGE)
    listed = list(shown)
    ids = [each.id for each in listed]
    if opened and opened not in ids and (person := session.get(User, opened)):  # on a later page, or changed
        listed.insert(0, person)
        ids.insert(0, opened)
    invitations = queries.invitations(session, me)
    draft = draft or drafts.found(session, me, INVITE_PLACE, drafts.wanted_of(request))
    context: dict[str, Any] = {
        "people": listed,
        "total": queries.people_count(session, me, wanted),
        "after": last,
        "wanted": wanted,
        "heirs": queries.people(session, me, queries.PeopleFilter(state="active"), limit=HEIRS),
        "seen": queries.last_seen(session, me, ids),
        "unseen_days": queries.UNSEEN_DAYS,
        "opened": opened,
        "used": quotas.of_people(session, me, ids),
        "browsers": queries.sessions_by_person(session, me, ids, resources.settings.idle_minutes),
        "open": [each for each in invitations if each.open],
        "ended": [each for each in invitations if not each.open],
        "resets": queries.resets(session, me),
        "roles": list(Role),
        "link": link,
        "me": me,
        "form": form or InviteForm(**draft.over({"role": Role.DESIGNER, "email": ""})),
        "draft": draft,
        "heir": heir,
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
            drafts.sent(request, session, me)
    except Invalid as error:
        draft = drafts.kept(request, resources, me)
        with resources.database.read() as session:
            return people_page(request, resources, me, session, None, form, error.errors, draft=draft)
    return once.show_once(resources, "/people", token)


@router.post("/people/invitations/{invitation_id}/revoke")
def revoke_invitation(resources: ResourcesDep, me: ConfirmedAdmin, invitation_id: int) -> Response:
    try:
        with resources.database.write() as session:
            service.revoke_invitation(session, me, invitation_id)
    except Conflict as error:
        return see_other("/people", str(error), refused=True)
    return see_other("/people", _("Link revoked. It no longer works."), undo=undos.offered(session))


@router.post("/people/resets/{reset_id}/revoke")
def revoke_reset(resources: ResourcesDep, me: ConfirmedAdmin, reset_id: int) -> Response:
    try:
        with resources.database.write() as session:
            service.revoke_reset(session, me, reset_id)
    except Conflict as error:
        return see_other("/people", str(error), refused=True)
    return see_other("/people", _("Link revoked. It no longer works."), undo=undos.offered(session))


@router.post("/people/{person_id}")
def change_person(resources: ResourcesDep, me: ConfirmedAdmin, form: Sent[PersonForm], person_id: int) -> Response:
    with resources.database.write() as session:
        person = queries.person(session, person_id)
        if form.role:
            person = service.set_role(session, me, person_id, form.role)
        if form.active:
            person = service.set_active(session, me, person_id, form.active == "1")
        there = of_person(person_id, form.back)
        if person.active:
            words = _("%(name)s now has the role %(role)s.", name=person.name, role=role_word(person.role))
        else:
            words = _("%(name)s can no longer sign in.", name=person.name)
        return see_other(there, words, undo=undos.offered(session))


def of_person(person_id: int, query: str = "") -> str:
    """The page with what can be done with a person, unfolded."""
    return f"/people?{query}{'&' if query else ''}open={person_id}#person-{person_id}"


@router.post("/people/{person_id}/transfer")
def transfer(
    request: Request, resources: ResourcesDep, me: ConfirmedAdmin, form: Sent[TransferForm], person_id: int
) -> Response:
    """Hand over someone's work, set by set in short transactions, all undone together."""
    token = undos.new_token()
    try:
        with resources.database.read() as session:
            person, to, work = handover.work_of(session, me, person_id, form.to)
        for set_id in work.sets:
            with resources.database.write() as session:
                undos.part_of(session, token)
                handover.hand_over_set(session, me, set_id, person.id, to.id)
        with resources.database.write() as session:
            undos.part_of(session, token)
            handover.hand_over_others(session, me, work, person.id, to.id)
    except Invalid as error:
        with resources.database.read() as session:
            return people_page(
                request, resources, me, session, None, errors=error.errors, opened=person_id, heir=form.to
            )
    except UserError as error:
        return see_other(of_person(person_id), str(error), refused=True)
    return see_other(
        of_person(person_id),
        _("%(heir)s now owns %(work)s of %(name)s.", heir=to.name, work=work.words, name=person.name),
        undo=token,
    )


@router.post("/people/{person_id}/reset")
def make_reset(request: Request, resources: ResourcesDep, me: ConfirmedAdmin, person_id: int) -> Response:
    count_try(request, "invite", me.id)
    try:
        with resources.database.write() as session:
            token = service.create_reset(session, me, person_id)
    except Conflict as error:
        return see_other(of_person(person_id), str(error), refused=True)
    return once.show_once(resources, "/people", token)


@router.post("/people/{person_id}/sessions/end")
def end_sessions(resources: ResourcesDep, me: ConfirmedAdmin, person_id: int) -> Response:
    with resources.database.write() as session:
        person, ended = service.end_sessions_of(session, me, person_id)
    return see_other(
        of_person(person_id),
        ngettext(
            "%(name)s was signed out of %(number)s browser.",
            "%(name)s was signed out of %(number)s browsers.",
            ended,
            name=person.name,
        ),
    )
