"""Limit what comes before a request's body: its address, its headers, its cookies.

The server's own parser accepts far more (64 kB of headers), and otherwise every route would have to refuse it.
"""

import re

from starlette.types import ASGIApp, Receive, Scope, Send

from app.languages import gettext as _
from app.text import thin
from app.web.limits.body import Refuse

PATH_BYTES = 2_000  # our longest contains the name of a tag or style, and a token
QUERY_BYTES = 24_000  # an address can download or compare a thousand pictures by number
HEADER_BYTES = 8_000  # per header; all cookies together count as one
RANGE = re.compile(rb"\s*(\d{0,18})-(\d{0,18})\s*")


class HeadLimit:
    """ASGI middleware: refuse a request with a longer address or header before any of it is decoded.

    A part of a file that is asked for in a way that nobody understands is the whole file (RFC 9110, section 14.2).
    """

    def __init__(self, app: ASGIApp, refuse: Refuse) -> None:
        self.app = app
        self.refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        if (found := wrong(scope)) is None:
            headers = [each for each in scope["headers"] if each[0] != b"range" or names_parts(each[1])]
            return await self.app({**scope, "headers": headers}, receive, send)
        # The answer must not read what was refused.
        bare: Scope = {**scope, "headers": [], "query_string": b"", "path": "/", "raw_path": b"/"}
        response = await self.refuse(bare, *found)
        return await response(scope, receive, send)


def wrong(scope: Scope) -> tuple[int, str] | None:
    """The status and the sentence for a head that is too long; None if it is not."""
    if max(len(scope["path"]), len(scope.get("raw_path") or b"")) > PATH_BYTES:
        return 414, _("This address is longer than %(most)s characters. Shorten it.", most=thin(PATH_BYTES))
    if len(scope["query_string"]) > QUERY_BYTES:
        return 414, (
            _(
                "The part of this address after the ? is longer than %(most)s characters. Choose less at once.",
                most=thin(QUERY_BYTES),
            )
        )
    long = next((name for name, value in scope["headers"] if len(name) + len(value) > HEADER_BYTES), None)
    if long is None:
        return None
    if long == b"cookie":
        return 431, _("This browser sent too many cookies. Clear this site’s cookies, then try again.")
    return 431, _("A header of this request is longer than %(most)s bytes. Shorten it.", most=thin(HEADER_BYTES))


def names_parts(asked: bytes) -> bool:
    """Whether a Range header names parts of a file, in bytes."""
    unit, _sign, parts = asked.partition(b"=")
    found = [RANGE.fullmatch(part) for part in parts.split(b",")]
    return unit.strip().lower() == b"bytes" and all(
        each and (each[1] or each[2]) and not (each[1] and each[2] and int(each[1]) > int(each[2])) for each in found
    )
