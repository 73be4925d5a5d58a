"""The page for a guest with a link: what it is, how large, and a button. No account, nothing else of Soroe."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.errors import Conflict, Forbidden, Later, UserError
from app.exports import queries, service, shares
from app.models import ExportState, Share
from app.web.deps import Resources, ResourcesDep, address_of, count_try, origin_of
from app.web.downloads import stream
from app.web.errors import answered
from app.web.forms.form import Sent
from app.web.forms.pictures import UnlockForm
from app.web.pools import Route, writing
from app.web.templating import page, see_other

router = APIRouter(route_class=Route)

COOKIE = "share"


@router.api_route("/shared/{token}", methods=["GET", "HEAD"])
def show(request: Request, resources: ResourcesDep, token: str) -> Response:
    with resources.database.read() as session:
        return guest_page(request, resources, queries.share(session, token), token)


@router.post("/shared/{token}")
def unlock(request: Request, resources: ResourcesDep, form: Sent[UnlockForm], token: str) -> Response:
    with resources.database.read() as session:
        share = queries.share(session, token)
    try:
        count_try(request, "share", share.id)
        shares.unlock(share, form.password)
    except Later as error:
        return answered(refused(request, resources, share, token, error, "too many tries"), error)
    except Forbidden as error:
        return refused(request, resources, share, token, error, "wrong password")
    with resources.database.write() as session:
        shares.opened(session, share.id, **origin_of(request))
    response = see_other(f"/shared/{token}")
    response.set_cookie(
        COOKIE,
        shares.proof(share, token),
        path=f"/shared/{token}",
        expires=share.expires_at,
        httponly=True,
        samesite="lax",
        secure=resources.https,
    )
    return response


@router.api_route("/shared/{token}/download.zip", methods=["GET", "HEAD"])
@writing
def download(request: Request, resources: ResourcesDep, token: str) -> Response:
    with resources.database.read() as session:
        share = queries.share(session, token)
        if share.suspended_at or not is_unlocked(request, share, token):
            return see_other(f"/shared/{token}")
        try:
            archive = service.laid_out(session, share.export, resources.exporter.store)
        except UserError:
            return see_other(f"/shared/{token}")  # the page says so in words for guests

    def begun() -> None:
        with resources.database.write() as session:
            shares.downloaded(session, share.id, **origin_of(request))

    def may_go_on() -> bool:
        with resources.database.read() as session:
            return shares.may_go_on(session, share.id)

    try:
        return stream(request, resources, share.export, archive, f"share {share.id}", begun, may_go_on)
    except Conflict:
        return see_other(f"/shared/{token}")


def refused(
    request: Request, resources: Resources, share: Share, token: str, error: UserError, reason: str
) -> Response:
    """Refuse a guest; records too many attempts only once a minute."""
    if reason == "wrong password" or resources.tries.first(f"share {share.id} {address_of(request)}"):
        with resources.database.write() as session:
            shares.refused(session, share.id, reason, **origin_of(request))
    return guest_page(request, resources, share, token, str(error), 422)


def guest_page(
    request: Request, resources: Resources, share: Share, token: str, problem: str = "", status: int = 200
) -> Response:
    open_ = is_unlocked(request, share, token)
    context: dict[str, Any] = {"share": share, "token": token, "unlocked": open_, "problem": problem, "ready": False}
    if open_:
        with resources.database.read() as session:
            ready = share.export.state == ExportState.READY
            context["ready"] = ready and service.is_there(session, share.export, resources.exporter.store)
    return page(request, "exports/shared.html", status, **context)


def is_unlocked(request: Request, share: Share, token: str) -> bool:
    return shares.is_unlocked(share, token, request.cookies.get(COOKIE, ""))
