"""Refuse cross-site writes, without tokens.

Browsers say where a request comes from: `Sec-Fetch-Site` (every browser since 2023, over HTTPS and on localhost) and
`Origin` (on every POST, for longer). A form on another site cannot forge either. So the rule is the one of Go 1.25's
`http.CrossOriginProtection` (https://words.filippo.io/csrf/): safe methods pass; the rest passes when the browser says
that our own pages sent it, or when no browser sent it (neither header: curl, a script; they have no cookies to abuse).
"""

from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class CrossSiteRefusal:
    """ASGI middleware. `public_url` is the address that people use, which a proxy may hide from the Host header."""

    def __init__(self, app: ASGIApp, public_url: str, refuse: Callable[[Scope, int, str], Awaitable[Response]]) -> None:
        self.app = app
        self.refuse = refuse
        self.public_host = urlsplit(public_url).netloc

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in SAFE_METHODS or self.ours(Headers(scope=scope)):
            return await self.app(scope, receive, send)
        sentence = "This request came from another site, so it was refused; open Soroe itself and try again."
        response = await self.refuse(scope, 403, sentence)
        return await response(scope, receive, send)

    def ours(self, headers: Headers) -> bool:
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        if site is not None:
            return site in ("same-origin", "none")
        return origin is None or urlsplit(origin).netloc in (headers.get("host"), self.public_host)
