"""The sign-in page, the ways in that it offers, and how a browser is known before anybody is signed in."""

import secrets
from dataclasses import dataclass

from fastapi import Request
from starlette.responses import Response

from app.accounts.passkeys import Site
from app.settings import Settings
from app.web.deps import resources_of
from app.web.pending import SECONDS
from app.web.templating import page

COOKIE = "begun"
MARK = "oidc"  # a cookie that says that this browser signed in by the provider, and may want to sign out of it


@dataclass(frozen=True)
class Ways:
    """How people may sign in; templates know it as `ways`."""

    password: bool
    provider: str  # its name; "" for none
    passkeys: bool

    @classmethod
    def of(cls, settings: Settings) -> "Ways":
        passkeys = not Site.of(settings.public_url).problem
        return cls(settings.password_sign_in, settings.oidc_name if settings.oidc_issuer else "", passkeys)


def login_page(request: Request, next: str, problem: str, status: int) -> Response:
    """The sign-in page, which says why somebody did not come in by another way than the password."""
    return page(request, "accounts/login.html", status, form={"email": ""}, next=next, errors={"form": problem})


def came_by_provider(request: Request) -> bool:
    """Whether this browser signed in by the provider, which may know the person still."""
    return MARK in request.cookies and resources_of(request).provider is not None


def visitor_of(request: Request) -> str:
    """What the browser's cookie says; "" without one."""
    return request.cookies.get(_cookie(request), "")


def new_visitor() -> str:
    return secrets.token_urlsafe(32)


def mark(request: Request, response: Response, visitor: str) -> None:
    """Let the browser be known by that cookie for as long as something may be pending."""
    https = resources_of(request).https
    # Lax: the provider leads back here by a link.
    response.set_cookie(
        _cookie(request), visitor, max_age=int(SECONDS), httponly=True, samesite="lax", secure=https, path="/"
    )


def _cookie(request: Request) -> str:
    return f"__Host-{COOKIE}" if resources_of(request).https else COOKIE
