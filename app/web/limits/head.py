"""How long what comes before a request's body may be: its address, its headers, its cookies.

The server's own parser takes far more (64 kB of headers), and every route would have to say no by itself.
"""

from starlette.types import ASGIApp, Receive, Scope, Send

from app.text import thin
from app.web.limits.body import Refuse

PATH_BYTES = 2_000  # the longest that we make has the name of a tag or of a style, and a token
QUERY_BYTES = 24_000  # a thousand pictures, each by its number, are downloaded or compared by an address
HEADER_BYTES = 8_000  # of one header; all cookies together are one


class HeadLimit:
    """ASGI middleware: a request with a longer address or header is refused before any of it is decoded."""

    def __init__(self, app: ASGIApp, refuse: Refuse) -> None:
        self.app = app
        self.refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or (found := wrong(scope)) is None:
            return await self.app(scope, receive, send)
        # What is answered must not read what was refused.
        bare: Scope = {**scope, "headers": [], "query_string": b"", "path": "/", "raw_path": b"/"}
        response = await self.refuse(bare, *found)
        return await response(scope, receive, send)


def wrong(scope: Scope) -> tuple[int, str] | None:
    """The status and the sentence for a head that is too long; None for one that is not."""
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
