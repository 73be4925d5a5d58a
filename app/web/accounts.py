"""Set-up, signing in and out, and one's own account."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session
from starlette.background import BackgroundTask

from app.accounts import browsers, known, queries, service
from app.errors import Busy, Forbidden, Invalid, Later, NotFound
from app.languages import N_, translated
from app.languages import gettext as _
from app.models import User
from app.quotas import queries as quotas
from app.web import door, factors, leaving
from app.web.deps import (
    Confirmed,
    Me,
    Read,
    Resources,
    ResourcesDep,
    address_of,
    count_try,
    origin_of,
    resources_of,
    session_token,
    set_session_cookie,
    signed_in_user,
)
from app.web.errors import answered
from app.web.forms.accounts import OwnNameForm, PasswordForm, SetupForm, SignInForm
from app.web.forms.form import Sent
from app.web.pools import Route
from app.web.signing_in import KNOWN_COOKIE, remember_browser, signed_in
from app.web.templating import inner_path, page, see_other

router = APIRouter(route_class=Route)

MISSING = {"email": N_("Enter your e-mail."), "password": N_("Enter your password.")}
NO_ACCOUNTS = N_("There are no accounts yet. Open the link that the server printed when it started.")


@dataclass(frozen=True)
class Browser:
    """A signed-in browser, for the account page."""

    id: int
    name: str
    place: str
    created_at: datetime
    seen_at: datetime
    current: bool


# One-time links


@router.get("/setup/{token}")
def setup(request: Request, session: Read, token: str) -> Response:
    count_try(request, "link")
    return setup_page(request, session, token, {}, {})


@router.post("/setup/{token}")
def accept(request: Request, resources: ResourcesDep, form: Sent[SetupForm], token: str) -> Response:
    """Use up the link: create the account, and sign this browser in."""
    count_try(request, "sign-up")
    try:
        with resources.database.read() as session:
            new = service.newcomer(session, token, form.name, form.email, form.password)
        with resources.database.write() as session:
            user = service.accept_invitation(session, token, new)
            return signed_in(request, session, user, "/")
    except Invalid as error:
        with resources.database.read() as session:
            return setup_page(request, session, token, {"name": form.name, "email": form.email}, error.errors)


def setup_page(
    request: Request, session: Session, token: str, form: dict[str, str], errors: dict[str, str]
) -> Response:
    invitation = queries.invitation(session, token)
    first = invitation.invited_by_id is None
    known_of = {"name": invitation.reopens.name if invitation.reopens else "", "email": invitation.email or ""}
    context: dict[str, Any] = {"token": token, "invitation": invitation, "first": first, "errors": errors}
    return page(request, "accounts/setup.html", 422 if errors else 200, form=known_of | form, **context)


# Signing in and out


@router.get("/login")
def login(request: Request, session: Read, next: str = "/") -> Response:
    if signed_in_user(request):
        return see_other(inner_path(next))
    errors = {} if queries.has_admin(session) else {"form": translated(NO_ACCOUNTS)}
    response = page(request, "accounts/login.html", form={"email": ""}, next=inner_path(next), errors=errors)
    leaving.ran_out(request, response)
    return response


@router.post("/login")
def sign_in(request: Request, resources: ResourcesDep, form: Sent[SignInForm]) -> Response:
    email, next_page = form.email, inner_path(form.next)
    if not resources.settings.password_sign_in:
        raise Forbidden(_("Passwords are turned off here. Use the other button on the sign-in page."))
    if missing := {name: translated(words) for name, words in MISSING.items() if not getattr(form, name).strip()}:
        return page(request, "accounts/login.html", 422, form={"email": email}, next=next_page, errors=missing)
    try:
        with resources.database.read() as session:
            proven = known.browser(session, email, request.cookies.get(KNOWN_COOKIE, ""))
        count_try(request, "sign-in", service.normal_email(email), proven)
        with resources.database.read() as session:
            user = service.authenticate(session, email, form.password)
        if second := factors.passed(request, resources, user, next_page):
            return second
        with resources.database.write() as session:
            user = service.let_in(session, user)
            answer = signed_in(request, session, user, next_page)
    except (Invalid, Later) as error:
        errors = error.errors if isinstance(error, Invalid) else {"form": str(error)}
        context: dict[str, Any] = {"form": {"email": email}, "next": next_page, "errors": errors}
        response = answered(page(request, "accounts/login.html", error.status, **context), error)
        # After the answer, whose time must not reveal whether the account exists.
        if not isinstance(error, Busy):
            response.background = BackgroundTask(note_refusal, resources, email, error, origin_of(request))
        return response
    remember_browser(request, answer, user)
    return answer


def note_refusal(resources: Resources, email: str, error: Invalid | Later, origin: dict[str, str]) -> None:
    """Record a refused sign-in; too many attempts only once a minute."""
    field = error.field if isinstance(error, Invalid) else "form"
    if field == "form" and not resources.tries.first(f"sign-in {service.normal_email(email)} {origin['address']}"):
        return
    with resources.database.write() as session:
        service.note_refused_sign_in(session, email, field, **origin)


@router.post("/logout")
def logout(request: Request, resources: ResourcesDep) -> Response:
    with resources.database.write() as session:
        service.sign_out(session, session_token(request))
    resources.streams.end_session(session_token(request))
    response = see_other("/login/oidc/ended" if door.came_by_provider(request) else "/login")
    leaving.signed_out(request, response)
    return response


# One's own account


@router.get("/account")
def account(request: Request, me: Me, session: Read) -> Response:
    return account_page(request, me, session, {})


@router.post("/account/name")
def rename(request: Request, resources: ResourcesDep, me: Me, form: Sent[OwnNameForm]) -> Response:
    try:
        with resources.database.write() as session:
            service.rename(session, me, form.name)
    except Invalid as error:
        with resources.database.read() as session:
            return account_page(request, me, session, error.errors, form.name)
    return see_other("/account", _("Name saved."))


@router.post("/account/password")
def change_password(request: Request, resources: ResourcesDep, me: Me, form: Sent[PasswordForm]) -> Response:
    try:
        count_try(request, "password", me.id)
        with resources.database.read() as session:
            new = service.new_password(session, me, form.current, form.password)
        with resources.database.write() as session:
            token = service.change_password(session, me, new, session_token(request))
            person = queries.person(session, me.id)
    except Invalid as error:
        if error.field == "current":
            with resources.database.write() as session:
                service.note_refused_password(session, me, **origin_of(request))
        with resources.database.read() as session:
            return account_page(request, me, session, error.errors)
    except Later as error:
        with resources.database.read() as session:
            return answered(account_page(request, me, session, {"current": str(error)}), error)
    response = see_other("/account", _("Password changed. Your other browsers were signed out."))
    set_session_cookie(request, response, token)
    remember_browser(request, response, person)
    return response


@router.post("/account/sessions/{session_id}/end")
def end_session(resources: ResourcesDep, me: Confirmed, session_id: int) -> Response:
    try:
        with resources.database.write() as session:
            service.end_session(session, me, session_id)
    except NotFound as error:
        return see_other("/account", str(error), refused=True)
    return see_other("/account", _("Browser signed out."))


@router.post("/account/sessions/end")
def end_other_sessions(request: Request, resources: ResourcesDep, me: Confirmed) -> Response:
    with resources.database.write() as session:
        service.end_other_sessions(session, me, session_token(request))
    return see_other("/account", _("Your other browsers were signed out."))


def account_page(
    request: Request, me: User, session: Session, errors: dict[str, str], name: str | None = None
) -> Response:
    """With `name`, that was refused, and is shown again."""
    present = service.token_hash(session_token(request))
    rows = [
        Browser(
            row.id,
            browsers.browser_name(row.user_agent),
            browsers.place(address_of(request) if row.token_hash == present else row.address),
            row.created_at,
            row.seen_at,
            row.token_hash == present,
        )
        for row in queries.sessions(session, me, resources_of(request).settings.idle_minutes)
    ]
    used = quotas.uses(session, me)
    status = 422 if errors else 200
    return page(
        request,
        "accounts/account.html",
        status,
        nav="account",
        sessions=rows,
        name=me.name if name is None else name,
        errors=errors,
        quotas=used.values(),
        again=quotas.starts_again(),
    )
