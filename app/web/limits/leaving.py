"""Notice when the sender of an upload has gone, so that its picture frees its slot."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.decoding.pool import gone


class Leaving:
    """Tells the decoding of a POST below `paths` when its connection has ended (`app.decoding.pool.gone`)."""

    def __init__(self, app: ASGIApp, paths: Iterable[str]) -> None:
        self.app = app
        self.paths = tuple(paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or not scope["path"].startswith(self.paths):
            await self.app(scope, receive, send)
            return
        watch = _Watch(receive)
        before = gone.set(lambda: watch.gone)
        try:
            await self.app(scope, watch.receive, send)
        finally:
            gone.reset(before)
            await watch.end()


class _Watch:
    """Receives a request's body, then the end of the connection or of the answer."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._rest: asyncio.Task[Message] | None = None
        self.gone = False

    async def receive(self) -> Message:
        if self._rest:
            return await asyncio.shield(self._rest)
        message = await self._receive()
        if message["type"] == "http.request" and not message.get("more_body"):
            self._rest = asyncio.create_task(self._wait())
        return message

    async def _wait(self) -> Message:
        message = await self._receive()
        self.gone = message["type"] == "http.disconnect"
        return message

    async def end(self) -> None:
        if self._rest:
            self._rest.cancel()
            with suppress(asyncio.CancelledError):
                await self._rest
