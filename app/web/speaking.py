"""The language of each request: of its person, else of its browser, else of the setting.

A person's own language is known when their session has been looked up (`app.web.deps.login_of`). Until then, and on
pages for people who are not signed in, it is what was chosen on the sign-in page, kept in a cookie, or what the browser
asks for. Pages are never stored (`app.web.headers`), so no answer has to say that it varies.
"""

from http.cookies import CookieError, SimpleCookie

from fastapi import Request
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.languages import LANGUAGES, speak
from app.languages.choice import of_header
from app.web.deps import resources_of

COOKIE = "language"
COOKIE_SECONDS = 365 * 86400


class Speaking:
    """ASGI middleware: begin each request in its language. `otherwise`: for browsers that ask for none of ours."""

    def __init__(self, app: ASGIApp, otherwise: str) -> None:
        self.app = app
        self.otherwise = otherwise

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            # Not only within: the page for a fault is made outside of us, in the same task.
            speak(chosen(headers.get("cookie", "")) or of_header(headers.get("accept-language", "")) or self.otherwise)
        await self.app(scope, receive, send)


def chosen(cookies: str) -> str:
    """The language in the cookie; "" without a known one."""
    if COOKIE not in cookies:
        return ""
    try:
        language = SimpleCookie(cookies)[COOKIE].value
    except (CookieError, KeyError):
        return ""
    return language if language in LANGUAGES else ""


def remember(request: Request, response: Response, language: str) -> None:
    """Keep what was chosen in this browser, for when nobody is signed in; "": forget it."""
    if language:
        secure = resources_of(request).https
        response.set_cookie(COOKIE, language, max_age=COOKIE_SECONDS, httponly=True, samesite="lax", secure=secure)
    elif COOKIE in request.cookies:
        response.delete_cookie(COOKIE, httponly=True, samesite="lax", secure=resources_of(request).https)
