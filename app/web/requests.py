"""Every request has a number, which its answer and its log lines carry, and is counted and timed.

The number comes from a proxy that the operator named (`X-Request-ID`), or is made here. Anyone else could choose one
to hide among the lines of another request.
"""

import re
import secrets
from collections.abc import Callable
from time import perf_counter

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import metrics

log = structlog.get_logger()

HEADER = "X-Request-ID"
VALID = re.compile(r"[A-Za-z0-9._:-]{8,64}", re.ASCII)
METHODS = frozenset({"GET", "HEAD", "POST"})  # others are refused, and counted together


class Requests:
    """ASGI middleware, outside all others: number, count and time requests, and log slow ones."""

    def __init__(self, app: ASGIApp, is_proxy: Callable[[str], bool], slow_seconds: float) -> None:
        """`is_proxy` says whether an address may choose numbers; `slow_seconds`: 0 logs none."""
        self.app = app
        self.is_proxy = is_proxy
        self.slow_seconds = slow_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        number = self.number_of(scope)
        scope.setdefault("state", {})["number"] = number
        structlog.contextvars.bind_contextvars(request=number)
        since, status = perf_counter(), 0

        async def timed_receive() -> Message:
            nonlocal since
            message = await receive()
            if message["type"] == "http.request" and not status:
                since = perf_counter()  # slow senders are not slow answers
            return message

        async def numbered_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = number
                self.answered(scope, status, perf_counter() - since)
            await send(message)

        try:
            await self.app(scope, timed_receive, numbered_send)
        except Exception:
            if not status:  # Starlette answers with the error page, outside of us
                self.answered(scope, 500, perf_counter() - since)
            raise

    def number_of(self, scope: Scope) -> str:
        given = Headers(scope=scope).get(HEADER, "")
        peer = scope["client"][0] if scope.get("client") else ""
        return given if VALID.fullmatch(given) and self.is_proxy(peer) else secrets.token_hex(6)

    def answered(self, scope: Scope, status: int, seconds: float) -> None:
        """Count an answer that begins now, `seconds` after the request was read."""
        method, route = scope["method"], route_in(scope)
        counted = method if method in METHODS else "other"
        metrics.requests.labels(counted, route, str(status)).inc()
        metrics.request_seconds.labels(counted, route).observe(seconds)
        if 0 < self.slow_seconds <= seconds:
            log.warning("slow request", method=counted, path=route, status=status, seconds=round(seconds, 3))


class Routed:
    """ASGI middleware, inside all others: remembers the scope in which the router writes its route."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope["state"]["routed"] = scope
        await self.app(scope, receive, send)


def route_in(scope: Scope) -> str:
    """The template of the address, such as /sets/{set_id}; an address itself may contain a secret, such as a token."""
    routed = scope.get("state", {}).get("routed", scope)
    return str(getattr(routed.get("route"), "path", "")) or "none"


def number_of(request: HTTPConnection) -> str:
    """The request's number, as in the log."""
    return str(getattr(request.state, "number", ""))
