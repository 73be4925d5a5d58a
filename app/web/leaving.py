"""What stays in a browser after somebody left it, and is taken away before the next person comes.

`Clear-Site-Data` (https://www.w3.org/TR/clear-site-data/) is heard over https and on the same computer; elsewhere
browsers ignore it. Nothing depends on it alone: pictures are asked for again each time (`app.web.pictures`), pages are
not kept at all, and drafts are shown to their own person only.

- "cache": pictures, and pages in the memory that a browser goes back to.
- "storage": drafts of comments. Who signs out says that they are done. Who was away for too long finds their drafts
  again, unless somebody else signs in first.
- Not "cookies": that would sign people out of all of the company's sites under the same domain. Ours are taken away by
  name; how somebody likes to see things stays.
"""

from fastapi import Request
from starlette.responses import Response

from app.accounts import service
from app.models import User
from app.web.deps import delete_session_cookie, resources_of, session_token

CACHE, ALL = '"cache"', '"cache", "storage"'
WAS = "was"  # the number of the person whose session ran out in this browser
WAS_SECONDS = 30 * 86400


def signed_out(request: Request, response: Response) -> None:
    """Of an answer after which nobody is signed in."""
    delete_session_cookie(request, response)
    response.headers["Clear-Site-Data"] = ALL


def ran_out(request: Request, response: Response) -> None:
    """Of the sign-in page in a browser whose token is good no more. Its cookie goes, so that nothing that was kept with
    it is shown, not even on going back; of a session that ran out by itself, the person is remembered.
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
    """Of an answer that signs `user` in, where the person with the number `before` was signed in until now."""
    earlier = {request.cookies.get(WAS, ""), str(before or "")}
    if earlier - {"", str(user.id)}:
        response.headers["Clear-Site-Data"] = ALL
    if WAS in request.cookies:
        response.delete_cookie(WAS, path="/login", httponly=True, samesite="lax", secure=resources_of(request).https)
