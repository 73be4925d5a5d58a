"""Over HTTPS, every cookie of ours is `Secure` and has a name that the browser guards.

`__Host-` names are set by this host alone, over HTTPS alone, for all of it; `__Secure-` names, of cookies for one path,
over HTTPS alone. So neither a neighbour's subdomain nor somebody on the line can plant one: what we are sent under a
name of ours without its prefix is left out. Routes know nothing of this, so none can forget it.

What scripts keep, choices of how pages look, has plain names: the worst that a planted one does is another background.
"""

from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOST, SECURE = "__Host-", "__Secure-"


class GuardedCookies:
    """ASGI middleware, for a server whose people come over HTTPS. `plain` are the names that scripts keep."""

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
        """Cookies that only we can have set, by their names within, and those of scripts."""
        found = []
        for cookie in cookies.split(";"):
            name, _, value = cookie.strip().partition("=")
            inner = name.removeprefix(HOST).removeprefix(SECURE)
            if inner != name or name in self.plain:
                found.append(f"{inner}={value}")
        return found


def guarded(cookie: str) -> str:
    """A Set-Cookie header with the attribute and the name that the browser guards."""
    attributes = [part.strip().lower() for part in cookie.split(";")[1:]]
    if "secure" not in attributes:
        cookie += "; Secure"
    for_all = "path=/" in attributes and not any(part.startswith("domain=") for part in attributes)
    return f"{HOST if for_all else SECURE}{cookie}"
