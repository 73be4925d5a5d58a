"""Threads for each kind of request, so that nobody who only reads waits for those who write.

SQLite has one write lock, and a request that wants it may have to wait for seconds, on a thread. Routes that read run
in Starlette's own pool of 40 threads. Routes that write, by their method or marked as `writing`, run in another, which
they may wait for without a thread, but not for long: then the person gets a sentence, with the form to send again.
A form with a key, that of its draft, acts once, however often it is sent (`app.web.repeats`).

Work in the background has threads of its own as well (`separate_background`). Event streams share two
(`app.web.channels`), and pictures one (`app.web.fresh`). Health, style sheets and scripts need none.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial, wraps
from inspect import isasyncgenfunction, iscoroutinefunction
from typing import Any, TypeVar

from anyio import CapacityLimiter, Semaphore, fail_after, to_thread
from anyio.lowlevel import RunVar
from fastapi import Request, Response
from fastapi.routing import APIRoute

from app.storage import CannotSave, Trouble
from app.web.continuing import Answer, answered_once
from app.web.csrf import SAFE_METHODS
from app.web.deps import resources_of, session_token
from app.web.forms.drafts import DraftForm, key_of
from app.web.templating import Arrived, Refusal

# Ten of them may wait for a picture to be decoded, and sixteen for a password to be checked (their own limits).
WRITERS = 32
PATIENCE = 10.0  # s, for one of them to be free; then up to `BUSY_SECONDS` of `app.database` for the lock itself
RETRY_AFTER = 5  # s
BACKGROUND = 16  # threads: the queue, exports, the audit log's checker, the bin, and when people were last seen

F = TypeVar("F", bound=Callable[..., Any])

_places: RunVar[Semaphore] = RunVar("places of writers")  # of each event loop


def writing(function: F) -> F:
    """Mark a route that writes although its method does not say so, such as a download that is recorded."""
    function.writes = True  # type: ignore[attr-defined]
    return function


def reading(function: F) -> F:
    """Mark a route that only reads, with a method for what is too long for an address."""
    function.writes = False  # type: ignore[attr-defined]
    return function


class Route(APIRoute):
    """A route that runs in the pool of its kind, and does a form that waited only once (`app.web.continuing`)."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        if writes(endpoint, set(options.get("methods") or ())) and not on_the_loop(endpoint):
            endpoint = among_writers(endpoint)
        super().__init__(path, endpoint, **options)

    def get_route_handler(self) -> Answer:
        return partial(answered_once, answer=super().get_route_handler())


def writes(endpoint: Callable[..., Any], methods: set[str]) -> bool:
    return getattr(endpoint, "writes", bool(methods - SAFE_METHODS))


def on_the_loop(endpoint: Callable[..., Any]) -> bool:
    return iscoroutinefunction(endpoint) or isasyncgenfunction(endpoint)


def among_writers(function: Callable[..., Any]) -> Callable[..., Any]:
    """Run a function on one of the threads of writers. Raises CannotSave if none is free in time."""

    @wraps(function)
    async def run(*values: Any, **named: Any) -> Any:
        async def act() -> Any:
            async with place():
                # Counted here: a limiter of anyio's has no end to its patience.
                return await to_thread.run_sync(partial(function, *values, **named), limiter=CapacityLimiter(1))

        request: Request | None = named.get("request")
        form = getattr(request.state, "form", None) if request else None
        if not request or not form or not DraftForm.of(form).key:
            return await act()
        key = key_of(request, session_token(request), form)
        return await resources_of(request).repeats.once(key, act, is_accepted)

    return run


def is_accepted(response: Response) -> bool:
    """Whether a form was accepted, and leads to another page."""
    return isinstance(response, Arrived) or (response.status_code == 303 and not isinstance(response, Refusal))


@asynccontextmanager
async def place() -> AsyncIterator[None]:
    """Be one of the writers. Raises CannotSave if none leaves in time."""
    try:
        places = _places.get()
    except LookupError:
        places = Semaphore(WRITERS)
        _places.set(places)
    try:
        with fail_after(PATIENCE):
            await places.acquire()
    except TimeoutError:
        raise CannotSave(Trouble.LOCKED) from None
    try:
        yield
    finally:
        places.release()


def separate_background() -> None:
    """Give `asyncio.to_thread` of the running loop enough threads that no kind of background work waits for another."""
    threads = ThreadPoolExecutor(BACKGROUND, thread_name_prefix="background")
    asyncio.get_running_loop().set_default_executor(threads)
