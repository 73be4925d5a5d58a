"""Over HTTPS, every cookie is `Secure` and has a name that the browser protects.

`__Host-` names can only be set by this host over HTTPS, for all paths; `__Secure-` names, for cookies of one path, only
over HTTPS. So neither a neighbouring subdomain nor someone on the network can plant one: a cookie with one of our
names but without its prefix is ignored. Routes know nothing of this, so none can forget it.

Cookies of scripts, for display choices, have plain names: the worst a planted one does is another background.
"""

from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOST, SECURE = "__Host-", "__Secure-"


class GuardedCookies:
    """ASGI middleware, for a server behind HTTPS. `plain` are the cookies of scripts."""

    def __init__(self, app: ASGIApp, plain: Collection[str]) -> None:
        self.app = app
        self.plain = plain

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        sent = "; ".join(Headers(scope=scope).getlist("cookie"))
        others = [(name, value) for name, value in scope["headers"] if name.lower() != b"cookie"]
        kept = "; ".join(self._known(sent))
        scope = {**scope, "headers": [*others, (b"cookie", kept.encode("latin-1"))] if kept else others}

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                ours = headers.getlist("set-cookie")
                del headers["set-cookie"]
                for cookie in ours:
                    headers.append("set-cookie", guarded(cookie))
            await send(message)

        return await self.app(scope, receive, send_guarded)

    def _known(self, cookies: str) -> list[str]:
        """Cookies that only we can have set, by their internal names, and those of scripts."""
        found = []
        for cookie in cookies.split(";"):
            name, _, value = cookie.strip().partition("=")
            inner = name.removeprefix(HOST).removeprefix(SECURE)
            if inner != name or name in self.plain:
                found.append(f"{inner}={value}")
        return found


def guarded(cookie: str) -> str:
    """Add the protected name and the attribute to a Set-Cookie header."""
    attributes = [part.strip().lower() for part in cookie.split(";")[1:]]
    if "secure" not in attributes:
        cookie += "; Secure"
    for_all = "path=/" in attributes and not any(part.startswith("domain=") for part in attributes)
    return f"{HOST if for_all else SECURE}{cookie}"
