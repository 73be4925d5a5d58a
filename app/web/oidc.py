"""Sign in through the company's provider: there, and back."""

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from app.accounts import identities, service
from app.accounts.oidc import Flow, Profile, Provider
from app.errors import Forbidden, NotFound, UserError
from app.languages import N_, translated
from app.languages import gettext as _
from app.web import door
from app.web.deps import Resources, ResourcesDep, count_try, current_user, origin_of, session_token, set_session_cookie
from app.web.door import MARK, login_page
from app.web.pending import short
from app.web.pools import Route, writing
from app.web.signing_in import signed_in
from app.web.templating import inner_path, page, see_other

router = APIRouter(route_class=Route)

ENDED = N_("This sign-in was started elsewhere, already used or took too long. Start over.")


@router.get("/login/oidc")
def begin(request: Request, resources: ResourcesDep, next: str = "/", confirm: bool = False) -> Response:
    """Go to the provider, also to confirm who you are. A link, because our policy lets no form lead to another site."""
    provider = provider_of(resources)
    next = short(inner_path(next))
    try:
        count_try(request, "provider")
        url, flow = provider.begin(next, confirm)
    except UserError as error:
        return login_page(request, next, str(error), status=error.status)
    visitor = door.visitor_of(request) or door.new_visitor()
    resources.oidc_flows.keep(flow.state, visitor, flow)
    response = RedirectResponse(url, 303)
    door.mark(request, response, visitor)
    return response


@router.get("/login/oidc/callback")
@writing
def back(request: Request, resources: ResourcesDep) -> Response:
    """Return from the provider: sign this browser in, or say why not."""
    provider = provider_of(resources)
    answer = {name: value[:4096] for name, value in request.query_params.items()}
    flow: Flow | None = resources.oidc_flows.take(answer.get("state", ""), door.visitor_of(request))
    if not flow:
        return login_page(request, "/", translated(ENDED), status=400)
    try:
        profile = provider.finish(flow, answer)
    except UserError as error:
        return login_page(request, flow.next, str(error), status=error.status)
    if flow.confirms:
        return prove(request, resources, flow, profile)
    return arrive(request, resources, flow, profile)


def arrive(request: Request, resources: Resources, flow: Flow, profile: Profile) -> Response:
    origin = origin_of(request)
    with resources.database.write() as session:
        admission = identities.admit(session, resources.settings, profile, **origin)
        if admission.user:
            name = resources.settings.oidc_name
            response = signed_in(request, session, admission.user, flow.next, by_provider=True, by=name)
            response.set_cookie(MARK, "1", httponly=True, samesite="lax", secure=resources.https)
            return response
    return login_page(request, flow.next, admission.refusal, status=Forbidden.status)


def prove(request: Request, resources: Resources, flow: Flow, profile: Profile) -> Response:
    """Confirm the signed-in person, who has just signed in there."""
    me = current_user(request)
    with resources.database.write() as session:
        if not identities.is_of(session, profile, me):
            service.note_refused_confirmation(session, me, "another person", **origin_of(request))
            return see_other(
                flow.next,
                _(
                    "%(oidc_name)s signed in someone other than %(name)s.",
                    oidc_name=resources.settings.oidc_name,
                    name=me.name,
                ),
                refused=True,
            )
        # The provider reports today's groups, and a role lost there is lost here before it is used.
        admission = identities.admit(session, resources.settings, profile, **origin_of(request))
        token = service.confirm(session, session_token(request), **origin_of(request)) if admission.user else ""
    if not admission.user:
        return login_page(request, flow.next, admission.refusal, status=Forbidden.status)
    response = see_other(flow.next, _("Identity confirmed."))
    set_session_cookie(request, response, token)
    return response


@router.get("/login/oidc/ended")
def ended(request: Request, resources: ResourcesDep) -> Response:
    """After signing out here: offer to sign out at the provider too, on a shared computer."""
    provider_of(resources)
    return page(request, "accounts/ended.html")


@router.get("/login/oidc/logout")
def sign_out_there(resources: ResourcesDep) -> Response:
    """Go to the provider's own sign-out page, if it has one."""
    url = provider_of(resources).sign_out_url()
    response = RedirectResponse(url, 303) if url else see_other("/login")
    response.delete_cookie(MARK, httponly=True, samesite="lax", secure=resources.https)
    return response


def provider_of(resources: Resources) -> Provider:
    if not resources.provider:
        raise NotFound(_("There is no page at this address."))
    return resources.provider
