"""Remove what stays in a browser before the next person uses it.

Browsers obey `Clear-Site-Data` (https://www.w3.org/TR/clear-site-data/) over https and on the same computer, and ignore
it elsewhere. Nothing depends on it alone: browsers revalidate pictures each time (`app.web.pictures`), pages are not
stored, and drafts are only shown to their own person.

- "cache": pictures, and pages in the back-forward cache.
- "storage": drafts of comments. Signing out means that the person is done. Someone whose session expired finds their
  drafts again, unless someone else signs in first.
- Not "cookies": that would sign people out of all the company's sites under the same domain. Ours are removed by name;
  display choices stay.
"""

from fastapi import Request
from starlette.responses import Response

from app.accounts import service
from app.models import User
from app.web.deps import delete_session_cookie, resources_of, session_token

CACHE, ALL = '"cache"', '"cache", "storage"'
WAS = "was"  # the id of the person whose session expired in this browser
WAS_SECONDS = 30 * 86400


def signed_out(request: Request, response: Response) -> None:
    """Clear on an answer after which nobody is signed in."""
    delete_session_cookie(request, response)
    response.headers["Clear-Site-Data"] = ALL


def ran_out(request: Request, response: Response) -> None:
    """Clear on the sign-in page of a browser whose token is no longer valid.

    Removes its cookie, so that nothing cached with it is shown, even on going back; if the session expired, remembers
    the person.
    """
    token = session_token(request)
    if not token:
        return
    delete_session_cookie(request, response)
    with resources_of(request).database.read() as session:
        person_id = service.person_of_ended(session, token)
    response.headers["Clear-Site-Data"] = CACHE if person_id else ALL
    if person_id:
        secure = resources_of(request).https
        response.set_cookie(
            WAS, str(person_id), path="/login", max_age=WAS_SECONDS, httponly=True, samesite="lax", secure=secure
        )


def came_in(request: Request, response: Response, user: User, before: int | None) -> None:
    """Clear on an answer that signs `user` in, if the person with id `before` was signed in until now."""
    earlier = {request.cookies.get(WAS, ""), str(before or "")}
    if earlier - {"", str(user.id)}:
        response.headers["Clear-Site-Data"] = ALL
    if WAS in request.cookies:
        response.delete_cookie(WAS, path="/login", httponly=True, samesite="lax", secure=resources_of(request).https)
