"""The sign-in page, its ways to sign in, and how a browser is recognised before anyone is signed in."""

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
MARK = "oidc"  # a cookie: this browser signed in through the provider, and may want to sign out there


@dataclass(frozen=True)
class Ways:
    """The ways to sign in; templates know it as `ways`."""

    password: bool
    provider: str  # its name; "" for none
    passkeys: bool

    @classmethod
    def of(cls, settings: Settings) -> "Ways":
        passkeys = not Site.of(settings.public_url).problem
        return cls(settings.password_sign_in, settings.oidc_name if settings.oidc_issuer else "", passkeys)


def login_page(request: Request, next: str, problem: str, status: int) -> Response:
    """The sign-in page, with the reason why another way than the password failed."""
    return page(request, "accounts/login.html", status, form={"email": ""}, next=next, errors={"form": problem})


def came_by_provider(request: Request) -> bool:
    """Whether this browser signed in through the provider, where the person may still be signed in."""
    return MARK in request.cookies and resources_of(request).provider is not None


def visitor_of(request: Request) -> str:
    """The browser's cookie; "" without one."""
    return request.cookies.get(_cookie(request), "")


def new_visitor() -> str:
    return secrets.token_urlsafe(32)


def mark(request: Request, response: Response, visitor: str) -> None:
    """Set the cookie that identifies the browser while something is pending."""
    https = resources_of(request).https
    # Lax: the provider leads back here by a link.
    response.set_cookie(
        _cookie(request), visitor, max_age=int(SECONDS), httponly=True, samesite="lax", secure=https, path="/"
    )


def _cookie(request: Request) -> str:
    return f"__Host-{COOKIE}" if resources_of(request).https else COOKIE
