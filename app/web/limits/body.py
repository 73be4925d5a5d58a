"""Limit the bytes of a request's body."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.languages import gettext as _
from app.web.filters import filesize

# For a request without files. The longest form is a set of 500 prompts of 500 characters, which percent-encoding makes
# up to twelve times as large.
BODY_BYTES = 4 * 2**20
UPLOAD_MARGIN = 2**16  # for the form's other fields, and multipart's overhead
DISCARD_SECONDS = 20.0

Refuse = Callable[[Scope, int, str], Awaitable[Response]]


class BodyLimit:
    """ASGI middleware: refuse a body over its limit before any of it is parsed or written to disk.

    Checks Content-Length first, otherwise counts bytes. Discards incoming bytes for a while before the answer, because
    a browser that is cut off while sending shows "connection reset" and never reads why.
    """

    def __init__(self, app: ASGIApp, uploads: Mapping[str, int], refuse: Refuse) -> None:
        """`uploads`: the largest file in bytes, by path prefix; the longest prefix applies."""
        self.app = app
        self.uploads = uploads
        self.refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        path = max((path for path in self.uploads if scope["path"].startswith(path)), key=len, default=None)
        limit = BODY_BYTES if path is None else self.uploads[path] + UPLOAD_MARGIN
        length = Headers(scope=scope).get("content-length", "")
        if length.isdecimal() and int(length) > limit:
            # A client that waits for "100 Continue" has not started to send: it need not.
            if "expect" not in Headers(scope=scope):
                await _discard(receive)
            response = await self.refuse(scope, 413, self.refusal(path))
            return await response(scope, receive, send)

        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            if message["type"] == "http.request":
                taken += len(message.get("body", b""))
                if taken > limit:
                    if message.get("more_body"):
                        await _discard(receive)
                    raise HTTPException(413, self.refusal(path))
            return message

        return await self.app(scope, counted, send)

    def refusal(self, path: str | None) -> str:
        """What is said of a body that is larger than `path`, one of `uploads`, allows; None: than any form is."""
        if path is None:
            most = filesize(BODY_BYTES)
            return _("The request is larger than %(most)s, the most allowed. Send a smaller one.", most=most)
        most = filesize(self.uploads[path])
        return _("The file is larger than %(most)s, the most allowed. Send a smaller one.", most=most)


async def _discard(receive: Receive) -> None:
    """Discard the rest of a body, until it ends or patience does."""
    try:
        async with asyncio.timeout(DISCARD_SECONDS):
            while True:
                message = await receive()
                if message["type"] != "http.request" or not message.get("more_body"):
                    return
    except TimeoutError:
        return
