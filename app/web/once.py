"""Show a secret once, right after it was made; the database only has its hash.

The answer to the form leads to the page with the secret in a cookie, which the page removes. So a reload neither makes
another secret nor shows this one again, and no secret is in an address, in the history or in a log.
"""

from fastapi import Request
from starlette.responses import Response

from app.web.deps import Resources
from app.web.templating import see_other

COOKIE = "once"
SECONDS = 60


def show_once(resources: Resources, path: str, secret: str, part: str = "") -> Response:
    """Redirect to the page at `path`, scrolled to `part`, which shows `secret`."""
    response = see_other(f"{path}#{part}" if part else path)
    response.set_cookie(
        COOKIE, secret, path=path, max_age=SECONDS, httponly=True, samesite="strict", secure=resources.https
    )
    return response


def secret_of(request: Request) -> str:
    """The secret to show; "" for none."""
    return request.cookies.get(COOKIE, "")


def forget(resources: Resources, path: str, response: Response) -> None:
    """Remove the secret from the browser, on the page at `path` that showed it."""
    response.delete_cookie(COOKIE, path=path, httponly=True, samesite="strict", secure=resources.https)
