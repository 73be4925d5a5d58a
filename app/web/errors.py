"""Errors as answers: a page for people, a line of text for everything else, one sentence either way."""

from collections.abc import Awaitable, Callable, Sequence
from html import escape
from typing import Any
from urllib.parse import quote

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Match
from starlette.types import Scope

from app.engine.base import ModelUnknown
from app.errors import DeadLink, Forbidden, Invalid, Later, UserError
from app.files import Flaw, Flawed
from app.languages import N_, translated
from app.languages import gettext as _
from app.languages.formats import sentences
from app.quotas.service import Spent
from app.storage import CannotSave, Trouble
from app.web import drafts
from app.web.asking import question_page
from app.web.confirm import confirmation_page, form_of, form_to_keep
from app.web.csrf import SAFE_METHODS
from app.web.deps import (
    ConfirmationNeeded,
    FactorNeeded,
    PolicyNeeded,
    QuestionNeeded,
    SignInNeeded,
    resources_of,
    signed_in_user,
)
from app.web.forms.form import can_be_sent_again, has_files
from app.web.headers import HEADERS, PICTURE_POLICY
from app.web.pools import RETRY_AFTER
from app.web.presence import by_somebody
from app.web.requests import HEADER, number_of, route_in
from app.web.templating import asked_path, inner_path, page, path_in, see_other

log = structlog.get_logger()

SENTENCES = {
    400: N_("The server could not read this request. Reload the page and try again."),
    404: N_("There is no page at this address."),
    405: N_("This address does not accept this kind of request."),
    422: N_("Part of this request is missing or wrong. Reload the page and try again."),
}

FAULTS = (500, 507)  # whose cause an administrator finds in the log

KEPT = N_("You were signed out, so this was not sent yet. Sign in: what you entered is kept.")
NOT_SENT = N_("You were signed out, so this was not saved. Sign in, then try again.")

ACCEPT_FIRST = N_("Accept the usage policy first.")
ACCEPT_KEPT = N_("This was not sent yet. Accept the usage policy first: what you entered is kept.")
FILES_TOO = N_("Then choose the file again: it was not kept.")

# In place of a picture that the server lost: an address answered with text would show as a broken image.
PLACEHOLDER = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 320 320" role="img"><title>{title}</title>
<rect width="320" height="320" fill="#808080" fill-opacity=".18"/>
<g fill="none" stroke="#808080" stroke-width="8" stroke-linecap="round" stroke-linejoin="round">
<rect x="110" y="85" width="100" height="100" rx="10"/><path d="m110 165 30-30 25 25M150 185l60-60M90 65l140 140"/></g>
<text x="160" y="235" text-anchor="middle" font-family="sans-serif" font-size="20" fill="#808080">{words}</text>
</svg>"""
PLACED = {
    Flaw.MISSING: N_("File lost"),
    Flaw.DAMAGED: N_("File damaged"),
    Flaw.UNREADABLE: N_("File unreadable"),
    Flaw.NO_FILE: N_("File lost"),
}


def flawed(request: Request, error: Flawed) -> Response:
    """A placeholder with the sentence where an image is expected, the sentence elsewhere."""
    if request.headers.get("sec-fetch-dest") != "image":
        return user_error(request, error)
    drawn = PLACEHOLDER.format(title=escape(str(error)), words=escape(translated(PLACED[error.flaw])))
    return Response(drawn, error.status, {"Content-Security-Policy": PICTURE_POLICY}, "image/svg+xml")


def error_page(
    request: Request, status: int, sentence: str, dead_link: bool = False, form: Sequence[tuple[str, str]] = ()
) -> Response:
    """The page for an error. With `form`, the fields of a refused form, it offers to send that again."""
    html = "text/html" in request.headers.get("accept", "")
    if html:
        signed_in_user(request)  # whose language it is said in
    sentence = translated(sentence)
    if status in FAULTS:
        sentence = with_number(sentence, number_of(request))
    if not html:
        return PlainTextResponse(sentence, status)
    return page(
        request,
        "errors/error.html",
        status,
        sentence=sentence,
        dead_link=dead_link,
        form=form,
        address=inner_path(asked_path(request)),
    )


def with_number(sentence: str, number: str) -> str:
    """A sentence about a fault, with the number under which the log has it."""
    asked = sentence.removesuffix(_("Ask an administrator.")).rstrip()
    quote = (
        _("Quote this number to your administrator: %(number)s.", number=number)
        if asked == sentence
        else _("Ask an administrator, and quote this number: %(number)s.", number=number)
    )
    return sentences((asked, quote))


def answered(response: Response, error: UserError) -> Response:
    """A page with the reason of a refusal, its status, and when to try again."""
    response.status_code = error.status
    if isinstance(error, Later | Spent):
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def note_refused(request: Request) -> None:
    """Log that a signed-in person tried something they may not do."""
    if user := signed_in_user(request):
        log.warning("access refused", person=user.id, method=request.method, path=route_in(request.scope))


async def refusal(scope: Scope, status: int, sentence: str) -> Response:
    """A refusal by our middleware, before any route sees the request."""
    return await run_in_threadpool(error_page, Request(scope), status, sentence)


def kept_words(request: Request, sentence: str) -> str:
    """Say that the form was kept; files that it had were not."""
    return sentences((translated(sentence), translated(FILES_TOO) if has_files(request.state.form) else ""))


def sign_in_page(request: Request, kept: str = "") -> Response:
    """Redirect to the sign-in page, which leads back here, or to `kept`, where a form is that was kept."""
    if "hx-request" in request.headers:
        # The script's fetch would follow a redirect, and put the sign-in page into the middle of this one.
        back = sign_in_url(request.headers.get("hx-current-url", "/"))
        return PlainTextResponse(_("Sign in first."), 401, {"HX-Redirect": back})
    if "text/html" not in request.headers.get("accept", ""):
        return PlainTextResponse(_("Sign in first."), 401)
    if request.method not in SAFE_METHODS:
        said = kept_words(request, KEPT) if kept else translated(NOT_SENT)
        return see_other(sign_in_url(kept or came_from(request)), said, refused=True)
    return RedirectResponse(sign_in_url(asked_path(request)), 303)


def came_from(request: Request) -> str:
    """The page on which a form was sent; the home page if it was an answer that cannot be opened."""
    url = inner_path(path_in(request.headers.get("referer", "/")))
    scope = {"type": "http", "path": url.partition("?")[0], "method": "GET", "headers": []}
    return url if any(route.matches(scope)[0] is Match.FULL for route in request.app.router.routes) else "/"


def sign_in_url(address: str) -> str:
    """The sign-in page that leads back to an address of ours, or to the home page for an invalid one."""
    return f"/login?next={quote(path_in(address))}"


async def sign_in_needed(request: Request, _: SignInNeeded) -> Response:
    """Keep a form that was sent too late, and lead to the sign-in page, then back to where the person was."""
    kept = await run_in_threadpool(drafts.keep_of_ended, request, await late_form(request))
    return await run_in_threadpool(sign_in_page, request, kept)


async def late_form(request: Request) -> Any:
    """The form that somebody sent whose session has expired; None for strangers, whose forms are not read."""
    if request.method in SAFE_METHODS or not await run_in_threadpool(drafts.person_of_ended, request):
        return None
    return await late(request)


async def late(request: Request) -> Any:
    """The form of a request that its route will not read; None if it cannot be read."""
    try:
        return await form_to_keep(request)
    except UserError:
        return None


def factor_needed(request: Request, error: FactorNeeded) -> Response:
    """Lead to the page on which to set up a second factor. What a page asks for by itself is not answered."""
    sentence = _("Set up an authenticator app or a passkey first.")
    if not by_somebody(request):
        return Response(status_code=204)
    if "hx-request" in request.headers:
        return PlainTextResponse(sentence, Forbidden.status, {"HX-Redirect": "/account/security"})
    if "text/html" not in request.headers.get("accept", ""):
        return PlainTextResponse(sentence, Forbidden.status)
    was_sent = request.method not in SAFE_METHODS
    return see_other("/account/security", sentence if was_sent else "", refused=was_sent)


async def policy_needed(request: Request, _: PolicyNeeded) -> Response:
    """Lead to the policy to accept, and then back. A form that was sent is kept: as its draft, or to be sent again."""
    if not by_somebody(request):
        return Response(status_code=204)
    form = None if request.method in SAFE_METHODS else await late(request)
    return await run_in_threadpool(policy_page, request, form)


def policy_page(request: Request, form: Any) -> Response:
    person, script = signed_in_user(request), "hx-request" in request.headers
    if not script and "text/html" not in request.headers.get("accept", ""):
        return PlainTextResponse(translated(ACCEPT_FIRST), Forbidden.status)
    kept = drafts.keep_of(request, person, form, scripted=True) if person and form is not None else ""
    back = request.headers.get("hx-current-url", "/") if script else asked_path(request)
    if request.method not in SAFE_METHODS and not script:
        back = came_from(request)
    there = f"/policy?next={quote(kept or path_in(back))}"
    if script:  # its fetch would follow a redirect, and put the policy into the middle of the page
        return PlainTextResponse(translated(ACCEPT_FIRST), Forbidden.status, {"HX-Redirect": there})
    return see_other(there, kept_words(request, ACCEPT_KEPT) if kept else "", refused=bool(kept))


async def proof_needed(request: Request, _: ConfirmationNeeded) -> Response:
    return await confirmation_page(request)


async def question_needed(request: Request, _: QuestionNeeded) -> Response:
    return await question_page(request)


def user_error(request: Request, error: UserError) -> Response:
    if error.status == Forbidden.status:
        note_refused(request)
    response = answered(error_page(request, error.status, str(error), isinstance(error, DeadLink)), error)
    if isinstance(error, ModelUnknown) and request.method in SAFE_METHODS:
        response.headers["Refresh"] = str(error.retry_after)  # the page appears by itself
    return response


async def invalid(request: Request, error: Invalid) -> Response:
    """A refused form whose page the route did not show again: the form itself, to be fixed and sent again."""
    fields = await typed(request)
    if not fields or "text/html" not in request.headers.get("accept", ""):
        return await run_in_threadpool(user_error, request, error)
    return await run_in_threadpool(fix_page, request, error, fields)


def fix_page(request: Request, error: Invalid, fields: Sequence[tuple[str, str]]) -> Response:
    shown = page(
        request,
        "errors/fix.html",
        error.status,
        errors=error.errors,
        sentence=str(error),
        fields=fields,
        titles=request.state.titles,
        address=inner_path(asked_path(request)),
        back=came_from(request),
    )
    return answered(shown, error)


def http_error(request: Request, error: HTTPException) -> Response:
    return error_page(request, error.status_code, SENTENCES.get(error.status_code, error.detail))


def wrong_request(request: Request, error: RequestValidationError) -> Response:
    # A word in place of an id in the address: there is no such page.
    status = 404 if any(detail["loc"][0] == "path" for detail in error.errors()) else 422
    return error_page(request, status, SENTENCES[status])


def gone(_: Request, __: ClientDisconnect) -> Response:
    """Nobody reads this; without it every aborted upload would fill the log as our own fault."""
    return Response(status_code=400)


async def not_saved(request: Request, error: CannotSave) -> Response:
    """Say why, and keep what was typed. `app.storage` has logged it, once for all requests."""
    return await run_in_threadpool(not_saved_page, request, error, await typed(request))


def not_saved_page(request: Request, error: CannotSave, form: Sequence[tuple[str, str]]) -> Response:
    try:
        response = error_page(request, error.status, str(error), form=form)
    except CannotSave:  # reading fails too
        response = PlainTextResponse(str(error), error.status)
    if error.trouble is Trouble.LOCKED:
        response.headers["Retry-After"] = str(RETRY_AFTER)
    return response


async def typed(request: Request) -> Sequence[tuple[str, str]]:
    """The fields of a refused form that can be sent again: none if it has a file or a password, which are not kept."""
    if request.method in SAFE_METHODS:
        return ()
    try:
        return can_be_sent_again(await form_of(request))
    except UserError:
        return ()


async def disk_refused(request: Request, error: OSError) -> Response:
    refusal = resources_of(request).storage.refusal(error)
    if refusal is None:
        raise error
    return await not_saved(request, refusal)


def fault(request: Request, error: Exception) -> Response:
    log.error("request failed", method=request.method, path=route_in(request.scope))  # uvicorn logs the traceback
    sentence = N_("Something went wrong on the server. Its log has the details.")
    read = getattr(request.state, "form", None)
    try:
        response = error_page(request, 500, sentence, form=can_be_sent_again(read) if read else ())
    except Exception:  # the database or the templates themselves may be broken
        log.exception("the error page failed too")
        response = PlainTextResponse(sentence, 500)
    # Starlette makes this answer outside our middleware.
    response.headers.update(HEADERS | {HEADER: number_of(request)})
    return response


HANDLERS: dict[type[Exception], Callable[[Request, Any], Response | Awaitable[Response]]] = {
    SignInNeeded: sign_in_needed,
    FactorNeeded: factor_needed,
    PolicyNeeded: policy_needed,
    ConfirmationNeeded: proof_needed,
    QuestionNeeded: question_needed,
    Flawed: flawed,
    Invalid: invalid,
    UserError: user_error,
    HTTPException: http_error,
    RequestValidationError: wrong_request,
    ClientDisconnect: gone,
    CannotSave: not_saved,
    OSError: disk_refused,
    Exception: fault,
}


def add_error_pages(app: FastAPI) -> None:
    for kind, handler in HANDLERS.items():
        app.add_exception_handler(kind, handler)
