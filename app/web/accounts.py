"""Set-up, signing in and out, the person's own account, and the administrators' list of people."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session
from starlette.background import BackgroundTask

from app.accounts import known, queries, service
from app.errors import Busy, Invalid, Later, NotFound
from app.models import Invitation, Role, User
from app.web import once
from app.web.deps import (
    Admin,
    App,
    Confirmed,
    ConfirmedAdmin,
    Form,
    Me,
    Parts,
    Read,
    browser_of,
    count_try,
    delete_session_cookie,
    origin_of,
    parts_of,
    session_token,
    set_session_cookie,
    signed_in_user,
    text,
)
from app.web.templating import inner_path, page, see_other

router = APIRouter()

NO_ACCOUNTS = "Nobody has an account yet; open the link that the server printed when it started."
KNOWN_COOKIE = "known"  # proves that the account of its owner was signed in to in this browser before
KNOWN_SECONDS = 365 * 86400


@dataclass(frozen=True)
class Browser:
    """One signed-in browser, for the account page."""

    user_agent: str
    created_at: datetime
    current: bool


# One-time links


@router.get("/setup/{token}")
def setup(request: Request, session: Read, token: str) -> Response:
    count_try(request, "link")
    return setup_page(request, session, token, {"name": "", "email": ""}, {})


@router.post("/setup/{token}")
def accept(request: Request, app: App, form: Form, token: str) -> Response:
    """Use up the link: the account is made, and this browser signed in to it."""
    name, email = text(form, "name"), text(form, "email")
    count_try(request, "sign-up")
    try:
        with app.database.write() as session:
            user = service.accept_invitation(session, token, name, email, text(form, "password"))
            return signed_in(request, session, user, "/")
    except Invalid as error:
        with app.database.read() as session:
            return setup_page(request, session, token, {"name": name, "email": email}, error.errors)


def setup_page(
    request: Request, session: Session, token: str, form: dict[str, str], errors: dict[str, str]
) -> Response:
    invitation = queries.invitation(session, token)
    first = invitation.invited_by_id is None
    context: dict[str, Any] = {"token": token, "role": invitation.role, "first": first, "form": form, "errors": errors}
    return page(request, "accounts/setup.html", 422 if errors else 200, **context)


# Signing in and out


@router.get("/login")
def login(request: Request, session: Read, next: str = "/") -> Response:
    if signed_in_user(request):
        return see_other(inner_path(next))
    errors = {} if queries.has_admin(session) else {"form": NO_ACCOUNTS}
    return page(request, "accounts/login.html", form={"email": ""}, next=inner_path(next), errors=errors)


@router.post("/login")
def sign_in(request: Request, app: App, form: Form) -> Response:
    email, next_page = text(form, "email"), inner_path(text(form, "next"))
    try:
        with app.database.read() as session:
            proven = known.browser(session, email, request.cookies.get(KNOWN_COOKIE, ""))
        count_try(request, "sign-in", service.normal_email(email), proven)
        with app.database.read() as session:
            user = service.authenticate(session, email, text(form, "password"))
    except (Invalid, Later) as error:
        errors = error.errors if isinstance(error, Invalid) else {"form": str(error)}
        context: dict[str, Any] = {"form": {"email": email}, "next": next_page, "errors": errors}
        response = page(request, "accounts/login.html", error.status, **context)
        if isinstance(error, Later):
            response.headers["Retry-After"] = str(error.retry_after)
        # After the answer, whose time must not tell whether there is such an account.
        if not isinstance(error, Busy):
            response.background = BackgroundTask(note_refusal, app, email, error, origin_of(request))
        return response
    with app.database.write() as session:
        answer = signed_in(request, session, user, next_page)
    remember_browser(request, answer, user)
    return answer


def remember_browser(request: Request, response: Response, user: User) -> None:
    """From now on, strangers who guess this person's password cannot keep them from signing in here."""
    response.set_cookie(
        KNOWN_COOKIE,
        known.proof(user),
        path="/login",
        max_age=KNOWN_SECONDS,
        httponly=True,
        samesite="lax",
        secure=parts_of(request).https,
    )


def note_refusal(app: Parts, email: str, error: Invalid | Later, origin: dict[str, str]) -> None:
    """Too many tries are written down once a minute, not each."""
    field = error.field if isinstance(error, Invalid) else "form"
    if field == "form" and not app.tries.first(f"sign-in {service.normal_email(email)} {origin['address']}"):
        return
    with app.database.write() as session:
        service.note_refused_sign_in(session, email, field, **origin)


def signed_in(request: Request, session: Session, user: User, url: str) -> Response:
    """Begin a new session in this browser, and end the one that it may have had."""
    if old := session_token(request):
        service.sign_out(session, old)
    days = parts_of(request).settings.session_days
    token = service.start_session(session, user, browser_of(request), days, **origin_of(request))
    response = see_other(url)
    set_session_cookie(request, response, token)
    return response


@router.post("/logout")
def logout(request: Request, app: App) -> Response:
    with app.database.write() as session:
        service.sign_out(session, session_token(request))
    response = see_other("/login")
    delete_session_cookie(request, response)
    return response


# The person's own account


@router.get("/account")
def account(request: Request, me: Me, session: Read) -> Response:
    return account_page(request, me, session, {})


@router.post("/account/password")
def change_password(request: Request, app: App, me: Me, form: Form) -> Response:
    count_try(request, "password", me.id)
    try:
        with app.database.write() as session:
            service.change_password(session, me, text(form, "current"), text(form, "password"), session_token(request))
    except Invalid as error:
        if error.field == "current":
            with app.database.write() as session:
                service.note_refused_password(session, me, **origin_of(request))
        with app.database.read() as session:
            return account_page(request, me, session, error.errors)
    return see_other("/account", "The password was changed, and every other browser signed out.")


@router.post("/account/sessions/end")
def end_other_sessions(request: Request, app: App, me: Confirmed) -> Response:
    with app.database.write() as session:
        service.end_other_sessions(session, me, session_token(request))
    return see_other("/account", "Every other browser was signed out.")


def account_page(request: Request, me: User, session: Session, errors: dict[str, str]) -> Response:
    present = service.token_hash(session_token(request))
    browsers = [
        Browser(row.user_agent, row.created_at, row.token_hash == present) for row in queries.sessions(session, me)
    ]
    status = 422 if errors else 200
    return page(request, "accounts/account.html", status, nav="account", sessions=browsers, errors=errors)


# People, for administrators


@router.get("/people")
def people(request: Request, app: App, me: Admin, session: Read) -> Response:
    """Everybody, and the link that was just made, this once: only its hash is kept."""
    token = once.secret_of(request)
    invitation = new_invitation(session, token)
    response = page(
        request,
        "accounts/people.html",
        nav="people",
        people=queries.people(session, me),
        roles=list(Role),
        link=f"{app.settings.public_url}/setup/{token}" if invitation else "",
        link_role=invitation.role if invitation else None,
        me=me,
    )
    if token:
        once.forget(app, "/people", response)
    return response


@router.post("/people/invite")
def invite(request: Request, app: App, me: ConfirmedAdmin, form: Form) -> Response:
    count_try(request, "invite", me.id)
    role = service.parse_role(text(form, "role"))
    with app.database.write() as session:
        token = service.invite(session, me, role)
    return once.show_once(app, "/people", token)


def new_invitation(session: Session, token: str) -> Invitation | None:
    """The open one-time link of that token; None for one that was used or has ended."""
    try:
        return queries.invitation(session, token) if token else None
    except NotFound:
        return None


@router.post("/people/{person_id}")
def change_person(app: App, me: ConfirmedAdmin, form: Form, person_id: int) -> Response:
    with app.database.write() as session:
        person = queries.person(session, person_id)
        if role := text(form, "role"):
            person = service.set_role(session, me, person_id, role)
        if active := text(form, "active"):
            person = service.set_active(session, me, person_id, active == "1")
        state = f"is {Role(person.role)} now" if person.active else "cannot sign in any more"
        return see_other("/people", f"{person.name} {state}.")
