"""Passkeys: signing in with one, proving with one who is there, adding and removing one.

A browser's script asks for options, lets the device sign, and sends the answer in a form. Each challenge is good once,
for some minutes, and for the browser that asked.
"""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.accounts import passkeys, queries, service
from app.accounts.passkeys import Site
from app.errors import Conflict, Invalid, Later, UserError
from app.web import confirm, door
from app.web.accounts import remember_browser, signed_in
from app.web.deps import App, Confirmed, Form, Me, Parts, count_try, origin_of, session_token, text
from app.web.errors import answered
from app.web.factors import PAGE
from app.web.templating import inner_path, see_other

router = APIRouter()

FIELD = f"{confirm.OURS}passkey"
ENDED = "This took too long or was used already. Try again."


@router.post("/login/passkey/options")
def ask(request: Request, app: App) -> Response:
    count_try(request, "provider")
    options, challenge = passkeys.question(site_of(app))
    visitor = door.visitor_of(request) or door.new_visitor()
    app.challenges.keep(f"in {visitor}", visitor, challenge)
    response = Response(options, media_type="application/json")
    door.mark(request, response, visitor)
    return response


@router.post("/login/passkey")
def sign_in(request: Request, app: App, form: Form) -> Response:
    next, visitor = inner_path(text(form, "next")), door.visitor_of(request)
    try:
        count_try(request, "provider")
        challenge = taken(app, f"in {visitor}", visitor)
        with app.database.write() as session:
            key = passkeys.use(session, site_of(app), challenge, text(form, "passkey"))
            response = signed_in(request, session, key.user, next, by="passkey")
    except UserError as error:
        return answered(door.login_page(request, next, str(error), error.status), error)
    remember_browser(request, response, key.user)
    return response


@router.post("/confirm/passkey/options")
def ask_again(request: Request, app: App, me: Me) -> Response:
    with app.database.read() as session:
        keys = passkeys.of_person(session, me)
    if not keys:
        raise Conflict("You have no passkey yet. Confirm in another way.")
    options, challenge = passkeys.question(site_of(app), keys)
    app.challenges.keep(f"again {me.id}", session_token(request), challenge)
    return Response(options, media_type="application/json")


@router.post("/confirm/passkey")
def prove(request: Request, app: App, me: Me, form: Form) -> Response:
    """In place of the password: this person's own passkey."""
    asked = confirm.Asked.of_form(form)
    try:
        count_try(request, "password", me.id)
        challenge = taken(app, f"again {me.id}", session_token(request))
        with app.database.write() as session:
            if passkeys.use(session, site_of(app), challenge, text(form, FIELD)).user_id != me.id:
                raise Invalid("form", "This passkey belongs to another account.")
    except (Invalid, Later) as error:
        if isinstance(error, Invalid):
            with app.database.write() as session:
                service.note_refused_confirmation(session, me, "wrong passkey", **origin_of(request))
        return answered(confirm.shown(request, asked, {"form": str(error)}, error.status), error)
    return confirm.confirmed(request, app, asked)


@router.post("/account/passkeys/options")
def ask_for_new(request: Request, app: App, me: Confirmed) -> Response:
    with app.database.read() as session:
        options, challenge = passkeys.registration(session, me, site_of(app))
    app.challenges.keep(f"new {me.id}", session_token(request), challenge)
    return Response(options, media_type="application/json")


@router.post("/account/passkeys")
def add(request: Request, app: App, me: Confirmed, form: Form) -> Response:
    try:
        challenge = taken(app, f"new {me.id}", session_token(request))
        with app.database.write() as session:
            person = queries.person(session, me.id)
            key = passkeys.add(session, person, site_of(app), challenge, text(form, "passkey"), text(form, "name"))
    except (Invalid, Conflict) as error:
        return see_other(PAGE, str(error), refused=True)
    return see_other(PAGE, f"The passkey {key.name} was added. It signs you in without the password.")


@router.post("/account/passkeys/{passkey_id}/remove")
def remove(app: App, me: Confirmed, passkey_id: int) -> Response:
    with app.database.write() as session:
        key = passkeys.remove(session, me, passkey_id)
    return see_other(PAGE, f"The passkey {key.name} was removed.")


def taken(app: Parts, key: str, browser: str) -> bytes:
    """The challenge that this browser was given, which is good once. Raises Invalid."""
    challenge = app.challenges.take(key, browser)
    if challenge is None:
        raise Invalid("form", ENDED)
    return challenge


def site_of(app: Parts) -> Site:
    return Site.of(app.settings.public_url)
