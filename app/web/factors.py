"""The second step of signing in, and the account's page for sign-in and security."""

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from app import undo as undos
from app.accounts import demands, factors, identities, known, passkeys, queries, service
from app.errors import Conflict, Invalid, Later
from app.languages import N_, translated
from app.languages import gettext as _
from app.models import User
from app.text import listed
from app.web import door, once
from app.web.deps import (
    Admin,
    Confirmed,
    ConfirmedAdmin,
    Read,
    Resources,
    ResourcesDep,
    browser_mark,
    count_try,
    login_of,
    origin_of,
)
from app.web.errors import answered
from app.web.forms.accounts import CodeForm, DemandForm
from app.web.forms.form import Sent
from app.web.pending import short
from app.web.pools import Route
from app.web.signing_in import KNOWN_COOKIE, remember_browser, signed_in
from app.web.templating import page, see_other

router = APIRouter(route_class=Route)

ENDED = N_("Signing in took too long or was already finished. Sign in again.")
CODES = "/account/authenticator/codes"
PAGE = "/account/security"
DEMANDS = "/people/second-step"


@dataclass(frozen=True)
class FirstStep:
    """Someone has entered the right password, and still needs a code."""

    user_id: int
    password_hash: str
    next: str


# Signing in


def passed(request: Request, resources: Resources, user: User, next: str) -> Response | None:
    """The second step for someone with the right password; None for people without one."""
    with resources.database.read() as session:
        if not factors.has_app(session, user):
            return None
    visitor = door.new_visitor()
    resources.first_steps.keep(visitor, visitor, FirstStep(user.id, user.password_hash, short(next)))
    response = see_other("/login/second")
    door.mark(request, response, visitor)
    return response


@router.get("/login/second")
def second(request: Request, resources: ResourcesDep) -> Response:
    visitor = door.visitor_of(request)
    if not resources.first_steps.look(visitor, visitor):
        return see_other("/login", translated(ENDED), refused=True)
    return page(request, "accounts/second.html", errors={})


@router.post("/login/second")
def check(request: Request, resources: ResourcesDep, form: Sent[CodeForm]) -> Response:
    """The code is right: sign this browser in."""
    visitor = door.visitor_of(request)
    first: FirstStep | None = resources.first_steps.look(visitor, visitor)
    if not first:
        return see_other("/login", translated(ENDED), refused=True)
    try:
        count_code(request, resources, first)
        with resources.database.write() as session:
            user = queries.person(session, first.user_id)
            if not user.active or user.password_hash != first.password_hash:
                resources.first_steps.take(visitor, visitor)
                return see_other("/login", translated(ENDED), refused=True)
            by = factors.check(session, user, resources.vault, form.code)
            response = signed_in(request, session, user, first.next, by=by)
    except (Invalid, Later) as error:
        return refused(request, resources, first, error)
    resources.first_steps.take(visitor, visitor)
    remember_browser(request, response, user)
    return response


def count_code(request: Request, resources: Resources, first: FirstStep) -> None:
    """Count an attempt at a code. Raises Later.

    Browsers in which the account was signed in before are counted separately, all together: someone who stole the
    password and tries codes elsewhere cannot keep the owner out of them.
    """
    with resources.database.read() as session:
        email = queries.person(session, first.user_id).email
        proven = known.browser(session, email, request.cookies.get(KNOWN_COOKIE, ""))
    count_try(request, "code", f"{first.user_id} known" if proven else first.user_id)


def refused(request: Request, resources: Resources, first: FirstStep, error: Invalid | Later) -> Response:
    late = isinstance(error, Later)
    if not late or resources.tries.first(f"code {first.user_id}"):
        with resources.database.write() as session:
            user = queries.person(session, first.user_id)
            reason = "too many tries" if late else "wrong code"
            service.note_refused_step(session, user, reason, **origin_of(request))
    return answered(page(request, "accounts/second.html", error.status, errors={"code": str(error)}), error)


# The account's page


@router.get(PAGE)
def security(request: Request, resources: ResourcesDep, me: Confirmed, session: Read, name: str = "") -> Response:
    """With the `name` for a new passkey that was typed before a confirmation."""
    return security_page(request, resources, me, session, {}, name or "Passkey")


def security_page(
    request: Request, resources: Resources, me: User, session: Session, errors: dict[str, str], typed: str = "Passkey"
) -> Response:
    """With `errors` of a new passkey and the name `typed` for it."""
    reset, login = factors.told_of_reset(session, me), login_of(request)
    context: dict[str, Any] = {
        "has_app": factors.has_app(session, me),
        "codes_left": factors.codes_left(session, me),
        "passkeys": passkeys.of_person(session, me),
        "identities": identities.of_person(session, me),
        "site": passkeys.Site.of(resources.settings.public_url),
        "reset": reset,
        "needed": bool(login and login.needs_factor),
        "errors": errors,
        "typed": typed,
    }
    return page(request, "accounts/security.html", 422 if errors else 200, nav="account", **context)


@router.get("/account/authenticator")
def begin(request: Request, resources: ResourcesDep, me: Confirmed) -> Response:
    """Show a new secret to scan, kept for some minutes until a code proves it, and the same in all tabs."""
    with resources.database.read() as session:
        if factors.has_app(session, me):
            return see_other(PAGE, _("You already have an authenticator app. Remove it first."), refused=True)
    secret = resources.secrets.kept(*place_of(request), factors.new_secret())  # another tab may show it
    return authenticator_page(request, me, secret, {})


@router.post("/account/authenticator")
def enable(request: Request, resources: ResourcesDep, me: Confirmed, form: Sent[CodeForm]) -> Response:
    secret = resources.secrets.look(*place_of(request))
    if not secret:
        return see_other("/account/authenticator", _("That took too long. Scan the new code."), refused=True)
    try:
        count_try(request, "code", me.id)
        with resources.database.write() as session:
            codes = factors.enable(session, me, resources.vault, secret, form.code)
    except (Invalid, Later) as error:
        return answered(authenticator_page(request, me, secret, {"code": str(error)}, error.status), error)
    except Conflict as error:
        return see_other(PAGE, str(error), refused=True)
    resources.secrets.take(*place_of(request))
    return once.show_once(resources, CODES, " ".join(codes))


def place_of(request: Request) -> tuple[str, str]:
    """The key of this browser's new secret, and the browser: a confirmation on the way to the code changes neither."""
    browser = browser_mark(request)
    return f"app {browser}", browser


def authenticator_page(request: Request, me: User, secret: str, errors: dict[str, str], status: int = 200) -> Response:
    context = {"qr": factors.qr(secret, me), "secret": secret, "errors": errors}
    return page(request, "accounts/authenticator.html", status, nav="account", **context)


@router.get(CODES)
def show_codes(request: Request, resources: ResourcesDep, me: Confirmed) -> Response:
    """Show the new recovery codes once."""
    codes = once.secret_of(request).split()
    if not codes:
        return see_other(PAGE)
    response = page(request, "accounts/codes.html", nav="account", codes=codes)
    once.forget(resources, CODES, response)
    return response


@router.post(CODES)
def make_codes(resources: ResourcesDep, me: Confirmed) -> Response:
    with resources.database.write() as session:
        if not factors.has_app(session, me):
            raise Conflict(_("Recovery codes belong to an authenticator app. Set one up first."))
        codes = factors.new_codes(session, me)
    return once.show_once(resources, CODES, " ".join(codes))


@router.post("/account/authenticator/remove")
def remove(resources: ResourcesDep, me: Confirmed) -> Response:
    with resources.database.write() as session:
        factors.remove(session, me)
    return see_other(PAGE, _("Authenticator app removed. You now sign in with your password alone."))


# For administrators


@router.get(DEMANDS)
def demanded(request: Request, me: Admin, session: Read) -> Response:
    """Which roles must have a second step."""
    return page(request, "accounts/demands.html", nav="people", demands=demands.listed(session, me))


@router.post(DEMANDS)
def demand(resources: ResourcesDep, me: ConfirmedAdmin, form: Sent[DemandForm]) -> Response:
    try:
        with resources.database.write() as session:
            role = demands.demand(session, me, form.role, form.on == "1")
    except Conflict as error:
        return see_other(DEMANDS, str(error), refused=True)
    return see_other(DEMANDS, demands.said(role, form.on == "1"), undo=undos.offered(session))


@router.post("/people/{person_id}/second-step/reset")
def reset(resources: ResourcesDep, me: ConfirmedAdmin, person_id: int) -> Response:
    with resources.database.write() as session:
        person, removed = factors.reset_by_id(session, me, person_id)
    if not removed:
        return see_other(
            "/people",
            _("%(name)s signs in with a password only; there is nothing to remove.", name=person.name),
            refused=True,
        )
    return see_other(
        "/people",
        _(
            "Removed from %(name)s: %(removed)s. They were signed out everywhere.",
            name=person.name,
            removed=listed(removed),
        ),
    )
