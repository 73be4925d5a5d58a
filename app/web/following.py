"""One event stream for all pages of a browser.

Browsers open at most six connections to a server over HTTP/1.1. If each page had a stream of its own, the seventh would
wait forever. So the pages of a browser share one (`static/js/shared_stream.js`), which follows several addresses of
single streams. Each message names its address by its place in the request.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, TypeVar
from urllib.parse import parse_qsl, urlsplit

from fastapi import APIRouter, Depends, Query, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from app.errors import UserError
from app.languages import ENGLISH
from app.web import live, subjects
from app.web.deps import Me, Open, Read, ResourcesDep, SignInNeeded, session_token
from app.web.pools import Route
from app.web.stream import Watch, page_language

router = APIRouter(route_class=Route)

MOST = 50  # addresses in one stream; browsers would need fifty windows side by side
T = TypeVar("T")


@dataclass(frozen=True)
class SingleStream:
    """A single stream: what it needs before it starts, which may raise UserError, its messages, and their options."""

    need: Callable[..., None]
    events: Callable[..., AsyncIterator[ServerSentEvent]]
    options: tuple[str, ...] = ()


SOURCES = {
    re.compile(r"/sets/(\d{1,18})/events"): SingleStream(live.need_set, live.events, ("first", "last", "show")),
    re.compile(r"/sets/(\d{1,18})/news"): SingleStream(live.need_set, live.news),
    re.compile(r"/subjects/(\d{1,18})/events"): SingleStream(subjects.need_subject, subjects.events),
}


@dataclass(frozen=True)
class Followed:
    """An address in the stream; without `events` if there is nothing to follow, or nothing any more."""

    events: Callable[..., AsyncIterator[ServerSentEvent]] | None = None
    id: int = 0
    after: str = ""
    language: str = ENGLISH  # of the page
    options: tuple[tuple[str, str], ...] = ()

    def start(self, resources: ResourcesDep, stream: Open, token: str) -> AsyncIterator[ServerSentEvent]:
        if self.events is None:
            return gone()
        watch = Watch(resources, stream, token, self.after, lasting=True, language=self.language)
        return self.events(watch, self.id, **dict(self.options))


def followed(me: Me, session: Read, of: Annotated[list[str], Query(max_length=MOST)]) -> list[Followed]:
    """What each address stands for."""
    return [find(me, session, address) for address in of]


def find(me: Me, session: Read, address: str) -> Followed:
    try:
        parts = urlsplit(address)
    except ValueError:  # such as "//["
        return Followed()
    for pattern, source in SOURCES.items():
        if match := pattern.fullmatch(parts.path):
            options = dict(parse_qsl(parts.query))
            try:
                source.need(me, session, int(match[1]))
            except UserError:
                return Followed()
            after, language = options.pop("after", ""), page_language(options.pop("lang", ""))
            known = {name: value for name, value in options.items() if name in source.options}
            return Followed(source.events, int(match[1]), after, language, tuple(known.items()))
    return Followed()


def same_person(me: Me, person: Annotated[str, Query(alias="for")] = "") -> None:
    """Check that it is for pages of `me`, not of someone signed in earlier in this browser. Raises SignInNeeded."""
    if person and person != str(me.id):
        raise SignInNeeded


@router.get("/events", response_class=EventSourceResponse, dependencies=[Depends(same_person)])
async def events(
    request: Request,
    resources: ResourcesDep,
    stream: Open,
    following: Annotated[list[Followed], Depends(followed, scope="function")],
) -> AsyncIterator[ServerSentEvent]:
    """The messages of several single streams (`of`), until one ends: the person signed out, or the server stops.

    The id of each begins with the place of its address in the request, from 0: `2:` and the id of the single stream.
    An address with nothing to follow gets one event, `gone`.
    """
    token = session_token(request)
    async for number, event in merged([each.start(resources, stream, token) for each in following]):
        yield event.model_copy(update={"id": f"{number}:{event.id or ''}"})


async def gone() -> AsyncIterator[ServerSentEvent]:
    """That there is nothing at an address. It ends the whole answer; the browser follows the others again."""
    yield ServerSentEvent(raw_data="gone", event="gone")


async def merged(sources: Sequence[AsyncIterator[T]]) -> AsyncIterator[tuple[int, T]]:
    """What the sources give, each with its source's number, until the first of them ends."""

    async def next_of(source: AsyncIterator[T]) -> T:
        return await anext(source)

    waiting = {asyncio.ensure_future(next_of(source)): number for number, source in enumerate(sources)}
    try:
        while waiting:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                number = waiting.pop(task)
                try:
                    found = task.result()
                except StopAsyncIteration:
                    return
                waiting[asyncio.ensure_future(next_of(sources[number]))] = number
                yield number, found
    finally:
        for task in waiting:
            task.cancel()
        if waiting:
            await asyncio.wait(waiting)
