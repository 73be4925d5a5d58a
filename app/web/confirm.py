"""Confirm that it is you: a page before acts that a stranger at an unattended browser must not do.

A route asks with `Confirmed` or `ConfirmedAdmin` (`app.web.deps`). If the last confirmation is too old, the person gets
a page with the fields of the refused form, hidden, and a password field. The answer sends the browser back with the
same form (307), so that nothing is lost and nothing is stored on the server. It needs no script. Only a confirmation on
another site, by the sign-in provider, stores the form here until then.

Every confirmation gives the browser a new token.
"""

import secrets
from asyncio import Lock
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.responses import PlainTextResponse

from app.accounts import passkeys, service
from app.errors import Busy, Invalid, Later
from app.languages import N_, translated
from app.languages import gettext as _
from app.models import User
from app.web import continuing
from app.web.csrf import SAFE_METHODS
from app.web.deps import (
    Me,
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
from app.web.forms.accounts import ConfirmForm
from app.web.forms.body import sent_form
from app.web.forms.form import CONFIRMING, Sent
from app.web.pools import Route
from app.web.templating import asked_path, inner_path, page, path_in, see_other

router = APIRouter(route_class=Route)

PASSWORD = f"{CONFIRMING}password"  # the field for errors on the page

MOST_FILES, MOST_FIELDS = 40, 300  # of a form that was not read by its own route
MOST_KEPT = 2**16  # characters of a form stored on the server
GONE = N_("That took too long, so it was not saved. Start over from the page you came from.")


@dataclass(frozen=True)
class Asked:
    """The act that waits for the confirmation."""

    path: str  # including its query
    post: bool
    fields: Sequence[tuple[str, str]]
    back: str  # where Cancel leads
    turn: Lock = field(default_factory=Lock, compare=False)  # of sending it, while it waits on the server

    @classmethod
    def of_form(cls, form: ConfirmForm) -> "Asked":
        """Read from the confirm page's own form."""
        return cls(inner_path(form.next), form.method == "post", form.waiting, inner_path(form.back))


async def confirmation_page(request: Request) -> Response:
    """The answer to a request that needs a confirmation first."""
    script, html = "hx-request" in request.headers, "text/html" in request.headers.get("accept", "")
    if not script and not html:
        return PlainTextResponse(_("Confirm it’s you first: open this page in a browser."), 403)
    path = inner_path(asked_path(request))
    post = request.method not in SAFE_METHODS
    fields = ConfirmForm.of(await form_of(request)).waiting if post else ()
    back = inner_path(path_in(request.headers.get("hx-current-url") or request.headers.get("referer") or "/"))
    if not post and back.partition("?")[0] == path.partition("?")[0]:
        back = "/account"  # the page itself would ask again
    return await run_in_threadpool(shown, request, Asked(path, post, fields, back), {}, 403)


async def form_of(request: Request) -> FormData:
    """The form of a refused request, which may have been read already."""
    if hasattr(request.state, "form"):
        return cast(FormData, request.state.form)
    async with sent_form(request, files=MOST_FILES, fields=MOST_FIELDS) as form:
        return form


async def form_to_keep(request: Request) -> FormData:
    """The form of somebody whose session has ended, however long its fields are."""
    async with sent_form(request, True, files=MOST_FILES, fields=MOST_FIELDS) as form:
        return form


def shown(request: Request, asked: Asked, errors: dict[str, str], status: int) -> Response:
    resources, me = resources_of(request), signed_in_user(request)
    with resources.database.read() as session:
        has_passkeys = me is not None and bool(passkeys.of_person(session, me))
    context: dict[str, Any] = {
        "asked": asked,
        "has_passkeys": has_passkeys,
        "errors": errors,
        "return_to": return_to(request, asked),
        "confirmed": False,
        "action": "/confirm",
    }
    if "hx-request" in request.headers:
        # Replaces the page's own content with a plain form. htmx shows 422.
        response = page(request, "accounts/confirm.html", 422, **context)
        response.headers.update({"HX-Retarget": "#main", "HX-Reselect": "#main", "HX-Reswap": "outerHTML"})
        return response
    return page(request, "accounts/confirm.html", status, **context)


def return_to(request: Request, asked: Asked) -> str:
    """Where to return after a confirmation on another site, to which no form can be sent along.

    The page there still has the form, for some minutes.
    """
    resources, me = resources_of(request), signed_in_user(request)
    if not asked.post:
        return asked.path
    if not resources.provider or not me or sum(len(name) + len(value) for name, value in asked.fields) > MOST_KEPT:
        return asked.back
    key = secrets.token_urlsafe(16)
    resources.asked.keep(key, continuing.whose(me), asked)
    return f"/confirm?waiting={key}"


@router.get("/confirm")
def ask(request: Request, resources: ResourcesDep, me: Me, next: str = "/", waiting: str = "") -> Response:
    """Confirm first, then go to the page `next`.

    Or, after a confirmation on another site, to the form `waiting`, filled in, for its person to send; until they have.
    """
    if not waiting:
        return shown(request, Asked(inner_path(next), post=False, fields=(), back="/account"), {}, 200)
    asked: Asked | None = resources.asked.look(waiting, continuing.whose(me))
    if not asked:
        return continuing.was_done(request, me, waiting) or see_other("/", translated(GONE), refused=True)
    action = continuing.address(asked.path, waiting)
    return page(request, "accounts/confirm.html", asked=asked, errors={}, return_to="", confirmed=True, action=action)


@router.post("/confirm")
def confirm(request: Request, resources: ResourcesDep, me: Me, form: Sent[ConfirmForm]) -> Response:
    asked = Asked.of_form(form)
    try:
        prove(request, resources, me, form)
    except Invalid as error:
        return shown(request, asked, error.errors, 422)
    except Later as error:
        response = shown(request, asked, {"form": str(error)}, error.status)
        response.headers["Retry-After"] = str(error.retry_after)
        return response
    return confirmed(request, resources, asked)


def prove(request: Request, resources: Resources, me: User, form: ConfirmForm) -> None:
    """Check the password. Counts the attempt, and records refusals. Raises Invalid and Later."""
    reason = "wrong password"
    try:
        count_try(request, "password", me.id)
        with resources.database.read() as session:
            check_password(session, me, form.password)
    except Busy:
        raise
    except (Invalid, Later) as error:
        if isinstance(error, Later):
            reason = "too many tries"
        if isinstance(error, Invalid) or resources.tries.first(f"confirm {me.id} {address_of(request)}"):
            with resources.database.write() as session:
                service.note_refused_confirmation(session, me, reason, **origin_of(request))
        raise


def check_password(session: Session, me: User, password: str) -> None:
    """Check the password. Raises Invalid for the page's field."""
    try:
        service.check_password(session, me, password)
    except Invalid as error:
        raise Invalid(PASSWORD, str(error)) from None


def confirmed(request: Request, resources: Resources, asked: Asked) -> Response:
    """After any confirmation: give this browser a new token, and continue with the act."""
    with resources.database.write() as session:
        token = service.confirm(session, session_token(request), **origin_of(request))
    # 307: the browser sends the same form again, to its original address.
    response = RedirectResponse(asked.path, 307) if asked.post else see_other(asked.path)
    set_session_cookie(request, response, token)
    return response
