"""Refuse cross-site writes, without tokens.

Browsers say where a request comes from: `Sec-Fetch-Site` (every browser since 2023, over HTTPS and on localhost) and
`Origin` (on every POST, for longer). A form on another site can forge neither. So the rule is that of Go 1.25's
`http.CrossOriginProtection` (https://words.filippo.io/csrf/): safe methods pass; others pass if the browser says that
our own pages sent them, or if no browser sent them (neither header: curl, a script; they have no cookies to abuse).
"""

from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.languages import gettext as _

PORTS = {"http": 80, "https": 443}
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

Origin = tuple[str, str, int]


class CrossSiteRefusal:
    """ASGI middleware. `public_url` is the address that people use, which a proxy may hide from the Host header."""

    def __init__(self, app: ASGIApp, public_url: str, refuse: Callable[[Scope, int, str], Awaitable[Response]]) -> None:
        self.app = app
        self.refuse = refuse
        self.public = origin_of(public_url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in SAFE_METHODS or self.ours(scope):
            return await self.app(scope, receive, send)
        sentence = _("This request came from another site, so it was refused. Open Soroe itself and try again.")
        response = await self.refuse(scope, 403, sentence)
        return await response(scope, receive, send)

    def ours(self, scope: Scope) -> bool:
        headers = Headers(scope=scope)
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        if site is not None:
            return site in ("same-origin", "none")
        return origin is None or self._is_here(origin_of(origin), scope)

    def _is_here(self, origin: Origin | None, scope: Scope) -> bool:
        """Whether an origin is the public address or the called one.

        The public host only counts with its scheme, so that an attacker who writes into an unencrypted page of the same
        name is not taken for us.
        """
        if origin is None or origin == self.public:
            return origin is not None
        called = origin_of(f"{scope['scheme']}://{Headers(scope=scope).get('host', '')}")
        return origin == called and (self.public is None or origin[1:2] != self.public[1:2] or self.public[0] == "http")


def origin_of(url: str) -> Origin | None:
    """Scheme, host and port of an address, as browsers compare them; None if it has none, such as `null`."""
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS[parts.scheme]
        host = (parts.hostname or "").encode("idna").decode() if not parts.netloc.startswith("[") else parts.hostname
    except (ValueError, KeyError):
        return None
    return (parts.scheme, host, port) if host and "@" not in parts.netloc else None
