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

from app.errors import DeadLink, Forbidden, Later, UserError
from app.files import Flaw, Flawed
from app.quotas.service import Spent
from app.storage import CannotSave, Trouble
from app.web.confirm import confirmation_page, form_of
from app.web.csrf import SAFE_METHODS
from app.web.deps import ConfirmationNeeded, SignInNeeded, resources_of, signed_in_user
from app.web.headers import HEADERS, PICTURE_POLICY
from app.web.pools import RETRY_AFTER
from app.web.requests import HEADER, number_of, route_in
from app.web.templating import asked_path, inner_path, page, path_in, see_other

log = structlog.get_logger()

SENTENCES = {
    400: "The server could not read this request. Reload the page and try again.",
    404: "There is no page at this address.",
    405: "This address does not accept this kind of request.",
    422: "Part of this request is missing or wrong. Reload the page and try again.",
}

FAULTS = (500, 507)  # whose cause an administrator finds in the log

NOT_SENT = "You were signed out, so this was not saved. Sign in, then try again."


# In place of a picture that the server lost: an address answered with text would show as a broken image.
PLACEHOLDER = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 320 320" role="img"><title>{title}</title>
<rect width="320" height="320" fill="#808080" fill-opacity=".18"/>
<g fill="none" stroke="#808080" stroke-width="8" stroke-linecap="round" stroke-linejoin="round">
<rect x="110" y="85" width="100" height="100" rx="10"/><path d="m110 165 30-30 25 25M150 185l60-60M90 65l140 140"/></g>
<text x="160" y="235" text-anchor="middle" font-family="sans-serif" font-size="20" fill="#808080">{words}</text>
</svg>"""
PLACED = {Flaw.MISSING: "File lost", Flaw.DAMAGED: "File damaged"}


def flawed(request: Request, error: Flawed) -> Response:
    """A placeholder with the sentence where an image is expected, the sentence elsewhere."""
    if request.headers.get("sec-fetch-dest") != "image":
        return user_error(request, error)
    drawn = PLACEHOLDER.format(title=escape(str(error)), words=PLACED[error.flaw])
    return Response(drawn, error.status, {"Content-Security-Policy": PICTURE_POLICY}, "image/svg+xml")


def error_page(
    request: Request, status: int, sentence: str, dead_link: bool = False, form: Sequence[tuple[str, str]] = ()
) -> Response:
    """The page for an error. With `form`, the fields of a refused form, it offers to send that again."""
    if status in FAULTS:
        sentence = f"{sentence} Quote this number to your administrator: {number_of(request)}."
    if "text/html" not in request.headers.get("accept", ""):
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


def sign_in_page(request: Request) -> Response:
    """Redirect to the sign-in page, which leads back here."""
    if "hx-request" in request.headers:
        # The script's fetch would follow a redirect, and put the sign-in page into the middle of this one.
        back = sign_in_url(request.headers.get("hx-current-url", "/"))
        return PlainTextResponse("Sign in first.", 401, {"HX-Redirect": back})
    if "text/html" not in request.headers.get("accept", ""):
        return PlainTextResponse("Sign in first.", 401)
    if request.method not in SAFE_METHODS:
        return see_other(sign_in_url(came_from(request)), NOT_SENT, refused=True)
    return RedirectResponse(sign_in_url(asked_path(request)), 303)


def came_from(request: Request) -> str:
    """The page on which a form was sent; the home page if it was an answer that cannot be opened."""
    url = inner_path(path_in(request.headers.get("referer", "/")))
    scope = {"type": "http", "path": url.partition("?")[0], "method": "GET", "headers": []}
    return url if any(route.matches(scope)[0] is Match.FULL for route in request.app.router.routes) else "/"


def sign_in_url(address: str) -> str:
    """The sign-in page that leads back to an address of ours, or to the home page for an invalid one."""
    return f"/login?next={quote(path_in(address))}"


def sign_in_needed(request: Request, _: SignInNeeded) -> Response:
    return sign_in_page(request)


async def proof_needed(request: Request, _: ConfirmationNeeded) -> Response:
    return await confirmation_page(request)


def user_error(request: Request, error: UserError) -> Response:
    if error.status == Forbidden.status:
        note_refused(request)
    return answered(error_page(request, error.status, str(error), isinstance(error, DeadLink)), error)


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
    """The fields of a refused form that can be sent again; none if it has a file, which only its page has."""
    if request.method in SAFE_METHODS:
        return ()
    try:
        fields = (await form_of(request)).multi_items()
    except UserError:
        return ()
    texts = [(name, value) for name, value in fields if isinstance(value, str)]
    return texts if len(texts) == len(fields) else ()


async def disk_refused(request: Request, error: OSError) -> Response:
    refusal = resources_of(request).storage.refusal(error)
    if refusal is None:
        raise error
    return await not_saved(request, refusal)


def fault(request: Request, error: Exception) -> Response:
    log.error("request failed", method=request.method, path=route_in(request.scope))  # uvicorn logs the traceback
    sentence = "Something went wrong on the server. Its log has the details."
    try:
        response = error_page(request, 500, sentence)
    except Exception:  # the database or the templates themselves may be broken
        log.exception("the error page failed too")
        response = PlainTextResponse(sentence, 500)
    # Starlette makes this answer outside our middleware.
    response.headers.update(HEADERS | {HEADER: number_of(request)})
    return response


HANDLERS: dict[type[Exception], Callable[[Request, Any], Response | Awaitable[Response]]] = {
    SignInNeeded: sign_in_needed,
    ConfirmationNeeded: proof_needed,
    Flawed: flawed,
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
