"""Limit what comes before a request's body: its address, its headers, its cookies.

The server's own parser accepts far more (64 kB of headers), and otherwise every route would have to refuse it.
"""

from starlette.types import ASGIApp, Receive, Scope, Send

from app.text import thin
from app.web.limits.body import Refuse

PATH_BYTES = 2_000  # our longest contains the name of a tag or style, and a token
QUERY_BYTES = 24_000  # an address can download or compare a thousand pictures by number
HEADER_BYTES = 8_000  # per header; all cookies together count as one


class HeadLimit:
    """ASGI middleware: refuse a request with a longer address or header before any of it is decoded."""

    def __init__(self, app: ASGIApp, refuse: Refuse) -> None:
        self.app = app
        self.refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or (found := wrong(scope)) is None:
            return await self.app(scope, receive, send)
        # The answer must not read what was refused.
        bare: Scope = {**scope, "headers": [], "query_string": b"", "path": "/", "raw_path": b"/"}
        response = await self.refuse(bare, *found)
        return await response(scope, receive, send)


def wrong(scope: Scope) -> tuple[int, str] | None:
    """The status and the sentence for a head that is too long; None if it is not."""
    if max(len(scope["path"]), len(scope.get("raw_path") or b"")) > PATH_BYTES:
        return 414, f"This address is longer than {thin(PATH_BYTES)} characters. Shorten it."
    if len(scope["query_string"]) > QUERY_BYTES:
        return 414, (
            f"The part of this address after the ? is longer than {thin(QUERY_BYTES)} characters. Choose less at once."
        )
    long = next((name for name, value in scope["headers"] if len(name) + len(value) > HEADER_BYTES), None)
    if long is None:
        return None
    if long == b"cookie":
        return 431, "This browser sent too many cookies. Clear this site's cookies, then try again."
    return 431, f"A header of this request is longer than {thin(HEADER_BYTES)} bytes. Shorten it."
