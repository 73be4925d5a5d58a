"""Secrets that a page shows once, right after they were made, and of which the database has only the hash.

The answer to the form leads to the page with the secret in a cookie, which the page takes away. So a reload neither
makes another secret nor shows this one again, and none stands in an address, in the history or in a log.
"""

from fastapi import Request
from starlette.responses import Response

from app.web.deps import Resources
from app.web.templating import see_other

COOKIE = "once"
SECONDS = 60


def show_once(resources: Resources, path: str, secret: str, part: str = "") -> Response:
    """To the page at `path`, scrolled to `part`, which shows `secret`."""
    response = see_other(f"{path}#{part}" if part else path)
    response.set_cookie(
        COOKIE, secret, path=path, max_age=SECONDS, httponly=True, samesite="strict", secure=resources.https
    )
    return response


def secret_of(request: Request) -> str:
    """What a page shall show; "" for nothing."""
    return request.cookies.get(COOKIE, "")


def forget(resources: Resources, path: str, response: Response) -> None:
    """From the page at `path` on which the secret was shown."""
    response.delete_cookie(COOKIE, path=path, httponly=True, samesite="strict", secure=resources.https)
