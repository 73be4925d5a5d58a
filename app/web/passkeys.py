"""Passkeys: signing in or confirming with one, adding and removing one.

A browser's script requests options, lets the device sign, and sends the answer in a form. Each challenge works once,
for some minutes, and for the browser that requested it, also if that confirms in between who its person is.
"""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.accounts import passkeys, queries, service
from app.accounts.passkeys import Site
from app.errors import Conflict, Invalid, Later, UserError
from app.languages import N_, translated
from app.languages import gettext as _
from app.web import confirm, door
from app.web.deps import Confirmed, Me, Resources, ResourcesDep, browser_mark, count_try, origin_of
from app.web.errors import answered
from app.web.factors import PAGE, security_page
from app.web.forms.accounts import ConfirmForm, PasskeyForm, PasskeySignInForm
from app.web.forms.form import Sent
from app.web.pools import Route
from app.web.signing_in import remember_browser, signed_in
from app.web.templating import inner_path, see_other

router = APIRouter(route_class=Route)

ENDED = N_("This took too long or was already used. Try again.")


@router.post("/login/passkey/options")
def ask(request: Request, resources: ResourcesDep) -> Response:
    count_try(request, "provider")
    options, challenge = passkeys.question(site_of(resources))
    visitor = door.visitor_of(request) or door.new_visitor()
    resources.challenges.keep(f"in {visitor}", visitor, challenge)
    response = Response(options, media_type="application/json")
    door.mark(request, response, visitor)
    return response


@router.post("/login/passkey")
def sign_in(request: Request, resources: ResourcesDep, form: Sent[PasskeySignInForm]) -> Response:
    next, visitor = inner_path(form.next), door.visitor_of(request)
    try:
        count_try(request, "provider")
        challenge = taken(resources, f"in {visitor}", visitor)
        with resources.database.write() as session:
            key = passkeys.use(session, site_of(resources), challenge, form.passkey)
            response = signed_in(request, session, key.user, next, by="passkey")
    except UserError as error:
        return answered(door.login_page(request, next, str(error), error.status), error)
    remember_browser(request, response, key.user)
    return response


@router.post("/confirm/passkey/options")
def ask_again(request: Request, resources: ResourcesDep, me: Me) -> Response:
    with resources.database.read() as session:
        keys = passkeys.of_person(session, me)
    if not keys:
        raise Conflict(_("You have no passkey yet. Confirm another way."))
    options, challenge = passkeys.question(site_of(resources), keys)
    browser = browser_mark(request)
    resources.challenges.keep(f"again {browser}", browser, challenge)
    return Response(options, media_type="application/json")


@router.post("/confirm/passkey")
def prove(request: Request, resources: ResourcesDep, me: Me, form: Sent[ConfirmForm]) -> Response:
    """Confirm with this person's own passkey instead of the password."""
    asked, browser = confirm.Asked.of_form(form), browser_mark(request)
    try:
        count_try(request, "password", me.id)
        challenge = taken(resources, f"again {browser}", browser)
        with resources.database.write() as session:
            if passkeys.use(session, site_of(resources), challenge, form.passkey).user_id != me.id:
                raise Invalid("form", _("This passkey belongs to another account."))
    except (Invalid, Later) as error:
        if isinstance(error, Invalid):
            with resources.database.write() as session:
                service.note_refused_confirmation(session, me, "wrong passkey", **origin_of(request))
        return answered(confirm.shown(request, asked, {"form": str(error)}, error.status), error)
    return confirm.confirmed(request, resources, asked)


@router.post("/account/passkeys/options")
def ask_for_new(request: Request, resources: ResourcesDep, me: Confirmed) -> Response:
    with resources.database.read() as session:
        options, challenge = passkeys.registration(session, me, site_of(resources))
    browser = browser_mark(request)
    resources.challenges.keep(f"new {browser}", browser, challenge)
    return Response(options, media_type="application/json")


@router.post("/account/passkeys")
def add(request: Request, resources: ResourcesDep, me: Confirmed, form: Sent[PasskeyForm]) -> Response:
    browser = browser_mark(request)
    try:
        challenge = taken(resources, f"new {browser}", browser)
        with resources.database.write() as session:
            person = queries.person(session, me.id)
            key = passkeys.add(session, person, site_of(resources), challenge, form.passkey, form.name)
    except Invalid as error:
        with resources.database.read() as session:
            return security_page(request, resources, me, session, error.errors, form.name)
    except Conflict as error:
        return see_other(PAGE, str(error), refused=True)
    return see_other(PAGE, _("Passkey %(name)s added. You can now sign in with it.", name=key.name))


@router.post("/account/passkeys/{passkey_id}/remove")
def remove(resources: ResourcesDep, me: Confirmed, passkey_id: int) -> Response:
    with resources.database.write() as session:
        key = passkeys.remove(session, me, passkey_id)
    return see_other(PAGE, _("Passkey %(name)s removed.", name=key.name))


def taken(resources: Resources, key: str, browser: str) -> bytes:
    """Take the challenge given to this browser, which works once. Raises Invalid."""
    challenge = resources.challenges.take(key, browser)
    if challenge is None:
        raise Invalid("form", translated(ENDED))
    return challenge


def site_of(resources: Resources) -> Site:
    return Site.of(resources.settings.public_url)
