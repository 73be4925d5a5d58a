"""The pages for a guest with a link: its pictures, each large and to download, and the zip. No account."""

from collections.abc import Callable
from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, Response
from sqlalchemy.orm import Session

from app.errors import Conflict, Forbidden, Later, NotFound, UserError
from app.exports import gallery, queries, service, shares
from app.exports.contents import SharedRow
from app.languages import gettext as _
from app.models import Export, ExportState, Share
from app.web.deps import Resources, ResourcesDep, address_of, count_try, origin_of
from app.web.downloads import saved_as, stream
from app.web.errors import answered
from app.web.forms.form import Sent
from app.web.forms.pictures import UnlockForm
from app.web.headers import PICTURE_POLICY
from app.web.pools import Route, writing
from app.web.templating import page, see_other

router = APIRouter(route_class=Route)

COOKIE = "share"
PICTURE_HEADERS = {"Content-Security-Policy": PICTURE_POLICY, "Cache-Control": "private, no-cache", "Vary": "Cookie"}

small_pictures = gallery.SmallPictures()


@router.api_route("/shared/{token}", methods=["GET", "HEAD"])
def show(request: Request, resources: ResourcesDep, token: str, picture: int = 0, after: int = 0) -> Response:
    """The pictures, from the one `after` a position; or one `picture`, large."""
    with resources.database.read() as session:
        return guest_page(request, resources, queries.share(session, token), token, picture=picture, after=after)


@router.get("/shared/{token}/pictures/{position}/thumb-{side}.webp")
def thumbnail(
    request: Request, resources: ResourcesDep, token: str, position: int, side: Literal["320", "960"]
) -> Response:
    share, row = shared_picture(request, resources, token, position)
    etag = f'"{row.sha256}-{side}"'
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers={"ETag": etag, **PICTURE_HEADERS})
    made = gallery.member(row, share.export, resources.exporter.store)
    content = small_pictures.of(made, row.sha256, int(side))
    return Response(content, media_type="image/webp", headers={"ETag": etag, **PICTURE_HEADERS})


@router.get("/shared/{token}/pictures/{position}/download")
@writing
def download_one(request: Request, resources: ResourcesDep, token: str, position: int) -> Response:
    share, row = shared_picture(request, resources, token, position, gallery.file)
    made = gallery.member(row, share.export, resources.exporter.store)
    if not made.whole:
        raise NotFound(_("This picture is not available right now. Ask the person who sent you this link."))
    name = row.name.rpartition("/")[2]
    with resources.database.write() as session:
        shares.downloaded(session, share.id, file=row.name, **origin_of(request))
    headers = {"Content-Disposition": saved_as(name), **PICTURE_HEADERS}
    return FileResponse(made.path, media_type=gallery.media_type(share.export), headers=headers)


def shared_picture(
    request: Request,
    resources: Resources,
    token: str,
    position: int,
    find: Callable[[Session, Export, int], SharedRow] = gallery.picture,
) -> tuple[Share, SharedRow]:
    """A picture of an open link. Raises NotFound, also while the link is on hold or locked, and Later."""
    with resources.database.read() as session:
        share = queries.share(session, token)
        count_try(request, "shared-picture", share.id)
        if share.suspended_at or not is_unlocked(request, share, token) or share.export.state != ExportState.READY:
            raise NotFound(_("This picture is not available right now."))
        return share, find(session, share.export, position)


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
    return guest_page(request, resources, share, token, {"password": str(error)}, 422)


def guest_page(
    request: Request,
    resources: Resources,
    share: Share,
    token: str,
    errors: dict[str, str] | None = None,
    status: int = 200,
    *,
    picture: int = 0,
    after: int = 0,
) -> Response:
    open_ = is_unlocked(request, share, token)
    context: dict[str, Any] = {
        "share": share,
        "token": token,
        "unlocked": open_,
        "errors": errors or {},
        "ready": False,
        "pictures": [],
        "shown": None,
        "more": None,
    }
    if open_:
        with resources.database.read() as session:
            ready = share.export.state == ExportState.READY
            context["ready"] = ready and service.is_there(session, share.export, resources.exporter.store)
            if context["ready"] and not share.suspended_at:
                context |= pictures_of(session, share.export, picture, after)
    return page(request, "exports/shared.html", status, **context)


def pictures_of(session: Session, export: Export, picture: int, after: int) -> dict[str, Any]:
    """One picture, or a page of them."""
    if picture:
        return {"shown": gallery.shown(session, export, picture)}
    found = gallery.page(session, export, after)
    rows = found[: gallery.PAGE]
    return {"pictures": rows, "more": rows[-1].position if len(found) > gallery.PAGE else None}


def is_unlocked(request: Request, share: Share, token: str) -> bool:
    return shares.is_unlocked(share, token, request.cookies.get(COOKIE, ""))
