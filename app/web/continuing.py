"""Continue with a form that waited on the server (`app.web.confirm`): once, however often it is sent.

The address that such a form is sent to contains its key. A form that was refused keeps waiting; of one that was
accepted, only the page that its person came from is kept: returning to the form, or sending it again, leads there.
"""

from collections.abc import Callable, Coroutine
from contextlib import nullcontext
from functools import reduce
from typing import Any
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from app.languages import N_, translated
from app.models import User
from app.web.csrf import SAFE_METHODS
from app.web.deps import resources_of, signed_in_user
from app.web.pending import short
from app.web.templating import Refusal, see_other

KEY = "continued"
KEYS_MAX = 5  # more than one: the form had to wait again
DONE = N_("You already continued, and it was done. This is the page you came from.")

Answer = Callable[[Request], Coroutine[Any, Any, Response]]


def address(path: str, key: str) -> str:
    """Where the form with this `key` is sent to: the `path` of its act, with the key."""
    return f"{path}{'&' if '?' in path else '?'}{KEY}={quote(key)}"


def continued(path: str, request: Request) -> str:
    """The `path`, with the keys that a request has: it comes between a form that waited and its act."""
    return reduce(address, request.query_params.getlist(KEY)[-KEYS_MAX:], path)


def whose(me: User) -> str:
    """The owner of forms that wait: their person, in any browser."""
    return f"person {me.id}"


async def answered_once(request: Request, answer: Answer) -> Response:
    """The route's own answer, unless the request continues with a form that was accepted before."""
    keys = [] if request.method in SAFE_METHODS else request.query_params.getlist(KEY)[-KEYS_MAX:]
    me = await run_in_threadpool(signed_in_user, request) if keys else None
    if not me:
        return await answer(request)
    asked = resources_of(request).asked.look(keys[-1], whose(me))
    async with asked.turn if asked else nullcontext():
        for key in keys:
            if done := was_done(request, me, key):
                return done
        response = await answer(request)
        if response.status_code < 400 and not isinstance(response, Refusal):
            note_done(request, me, keys)
        return response


def was_done(request: Request, me: User, key: str) -> Response | None:
    """Lead back to the page that the person came from; None if the form was not accepted yet."""
    back = resources_of(request).continued.look(key, whose(me))
    return see_other(back, translated(DONE)) if back else None


def note_done(request: Request, me: User, keys: list[str]) -> None:
    resources = resources_of(request)
    for key in keys:
        if asked := resources.asked.take(key, whose(me)):
            resources.continued.keep(key, whose(me), short(asked.back))
