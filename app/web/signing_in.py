"""Sign a browser in, however the person proved who they are."""

from fastapi import Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from app.accounts import known, service
from app.models import User
from app.web import leaving
from app.web.deps import browser_of, origin_of, resources_of, session_token, set_session_cookie
from app.web.templating import see_other

KNOWN_COOKIE = "known"  # proves that its owner's account was signed in before in this browser
KNOWN_SECONDS = 365 * 86400


def signed_in(
    request: Request, session: Session, user: User, url: str, by_provider: bool = False, **how: str
) -> Response:
    """Start a session in this browser, and end its previous one. `how` is for the audit log."""
    old = session_token(request)
    before = service.person_of_ended(session, old) if old else None
    if old:
        service.sign_out(session, old)
    days = resources_of(request).settings.session_days
    token = service.start_session(session, user, browser_of(request), days, by_provider, **origin_of(request), **how)
    response = see_other(url)
    set_session_cookie(request, response, token)
    leaving.came_in(request, response, user, before)
    return response


def remember_browser(request: Request, response: Response, user: User) -> None:
    """From now on, strangers who guess this person's password cannot keep them from signing in here."""
    response.set_cookie(
        KNOWN_COOKIE,
        known.proof(user),
        path="/login",
        max_age=KNOWN_SECONDS,
        httponly=True,
        samesite="lax",
        secure=resources_of(request).https,
    )
