"""Picture files. Addresses contain numbers, never names from outside. Their content never changes."""

import io
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter
from fastapi import Path as InPath
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, Response
from PIL import Image as Picture
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from app.errors import NotFound
from app.files import Files, Kind
from app.languages import gettext as _
from app.models import Reference, Role, User
from app.sets import queries as sets
from app.sets import safety
from app.styles import queries as styles
from app.web.deps import Resources, ResourcesDep, Viewer
from app.web.headers import PICTURE_POLICY
from app.web.pools import Route

router = APIRouter(route_class=Route)

BLUR_SPOTS = 8  # px of the longer side that are left of a flagged picture
BICUBIC = Picture.Resampling.BICUBIC

Side = Literal["320", "960"]
Sha256 = Annotated[str, InPath(pattern="^[0-9a-f]{64}$")]

# Browsers cache pictures but revalidate each time: the answer is a short 304 while the signed-in person may see the
# picture. So after a sign-out, or any other end of a session, the next person at that browser finds nothing. `Vary`
# covers going back in history, where a browser only asks if the cookie has changed.
HEADERS = {
    "Content-Security-Policy": PICTURE_POLICY,
    "Cache-Control": "private, no-cache",
    "Vary": "Cookie",
}
UNKEPT_HEADERS = {"Content-Security-Policy": PICTURE_POLICY, "Cache-Control": "private, no-store"}


# Pages show dozens of pictures, and all who watch a set load each of its previews. So they run on the event loop, where
# they find what was read or made for others, and use a thread for the rest only.


@router.get("/images/{image_id}.png")
async def image(resources: ResourcesDep, me: Viewer, image_id: int, unblurred: bool = False) -> Response:
    """The picture. Of one that the safety check flagged, reviewers can ask for it `unblurred`."""
    sha256 = finished(await sha256_of(resources, me, image_id))
    if sha256 in await flagged(resources):
        if unblurred and me.can(Role.REVIEWER):
            return await whole(
                resources.files, Kind.IMAGES, sha256, _("picture %(number)s", number=image_id), UNKEPT_HEADERS
            )
        return await blurred(resources.files, sha256, 960)
    return await whole(resources.files, Kind.IMAGES, sha256, _("picture %(number)s", number=image_id))


@router.get("/images/{image_id}/thumb-{side}.webp")
async def image_thumbnail(resources: ResourcesDep, me: Viewer, image_id: int, side: Side) -> Response:
    return await shown(resources, finished(await sha256_of(resources, me, image_id)), int(side))


@router.get("/images/{image_id}/preview")
async def preview(resources: ResourcesDep, me: Viewer, image_id: int) -> Response:
    """The latest preview. The step in the address is ignored; it only makes browsers ask again.

    If the picture has been finished since, shows the picture itself. A preview is encoded once, by the engine, and
    everyone who watches requests each, so it is shown without a statement: everyone who is signed in sees all sets.
    """
    _, rough = resources.bus.previews.get(image_id, (0, b""))
    if rough:
        return Response(rough, media_type="image/webp", headers=UNKEPT_HEADERS)
    sha256 = await sha256_of(resources, me, image_id)
    if sha256 is None:  # between its last preview and its end: nothing to show, but no error
        return Response(status_code=204, headers=UNKEPT_HEADERS)
    return await shown(resources, sha256, 320, UNKEPT_HEADERS)


@router.get("/thumbs/{sha256}-{side}.webp")
async def thumbnail(resources: ResourcesDep, me: Viewer, sha256: Sha256, side: Side) -> Response:
    """A thumbnail by its content: only the person is looked up.

    The name is as secret as the picture: only lists that a person may see contain it.
    """
    return await shown(resources, sha256, int(side))


@router.get("/references/{reference_id}.png")
async def reference(resources: ResourcesDep, me: Viewer, reference_id: int) -> Response:
    found = await reference_of(resources, me, reference_id)
    return await whole(
        resources.files, Kind.REFERENCES, found.sha256, _("the reference %(name)s", name=found.original_name)
    )


@router.get("/references/{reference_id}/thumb-{side}.webp")
async def reference_thumbnail(resources: ResourcesDep, me: Viewer, reference_id: int, side: Side) -> Response:
    found = await reference_of(resources, me, reference_id)
    return await small(resources.files, found.sha256, int(side))


class Kept(FileResponse):
    """A content-addressed file, whose name is its version: a client that has it gets no second copy."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = super().__call__ if (same := unchanged(scope, self.headers)) is None else same
        await answer(scope, receive, send)


class KeptSmall(Response):
    """`Kept`, from memory."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = super().__call__ if (same := unchanged(scope, self.headers)) is None else same
        await answer(scope, receive, send)


def unchanged(scope: Scope, headers: Headers) -> Response | None:
    """The answer to a client that has the version of these `headers`; None if it has not."""
    known = Headers(scope=scope).get("if-none-match")
    if known is None or headers["etag"] not in [each.strip().removeprefix("W/") for each in known.split(",")]:
        return None
    names = ("etag", "cache-control", "vary", "content-security-policy")
    return Response(status_code=304, headers={name: headers[name] for name in names if name in headers})


async def sha256_of(resources: Resources, me: User, image_id: int) -> str | None:
    """The name of an image's files; None until it is finished. Raises NotFound."""
    return await resources.fresh.find(("image", image_id), partial(sets.picture, user=me, image_id=image_id))


async def reference_of(resources: Resources, me: User, reference_id: int) -> Reference:
    """A reference. Raises NotFound."""
    find = partial(styles.reference, user=me, reference_id=reference_id)
    return await resources.fresh.find(("reference", reference_id), find)


def finished(sha256: str | None) -> str:
    """The name of an image's files. Raises NotFound if there are none."""
    if sha256 is None:
        raise NotFound(_("This picture is not finished."))
    return sha256


def png(files: Files, kind: Kind, sha256: str, what: str, headers: Mapping[str, str] = HEADERS) -> Response:
    """A whole picture, checked against its name. Raises Flawed, in which `what` names it, such as "picture 7"."""
    return kept(files.whole(kind, sha256, what), "image/png", headers)


async def whole(files: Files, kind: Kind, sha256: str, what: str, headers: Mapping[str, str] = HEADERS) -> Response:
    """`png`, without a thread if it is in memory, as small ones are for a while."""
    content = files.png_in_memory(kind, sha256)
    if content is None:
        content = await run_in_threadpool(files.short_png, kind, sha256, what)
    if content is None:
        return await run_in_threadpool(png, files, kind, sha256, what, headers)
    return KeptSmall(content, headers={"ETag": f'"{sha256}.png"', **headers}, media_type="image/png")


async def flagged(resources: Resources) -> frozenset[str]:
    """The files of pictures that the safety check flagged; for all requests until anything is committed."""
    return await resources.fresh.find("flagged", safety.hashes)


async def shown(resources: Resources, sha256: str, side: int, headers: Mapping[str, str] = HEADERS) -> Response:
    """`small`, blurred if the safety check flagged the picture."""
    if sha256 in await flagged(resources):
        return await blurred(resources.files, sha256, side)
    return await small(resources.files, sha256, side, headers)


async def blurred(files: Files, sha256: str, side: int) -> Response:
    """A thumbnail in which nothing can be made out. It is not kept: the picture may be cleared at any time."""
    made = await run_in_threadpool(_blurred, files.small_in_memory(sha256, 320) or files.small(sha256, 320), side)
    return Response(made, headers=UNKEPT_HEADERS, media_type="image/webp")


def _blurred(webp: bytes, side: int) -> bytes:
    """The colours of a picture in a few large spots, on a longer side of `side` px."""
    with Picture.open(io.BytesIO(webp)) as opened:
        spots = opened.convert("RGB")
    spots.thumbnail((BLUR_SPOTS, BLUR_SPOTS))
    scale = side / max(spots.size)
    large = spots.resize((max(1, round(spots.width * scale)), max(1, round(spots.height * scale))), BICUBIC)
    written = io.BytesIO()
    large.save(written, "WEBP", quality=60)
    return written.getvalue()


def webp(files: Files, sha256: str, side: int, headers: Mapping[str, str] = HEADERS) -> Response:
    """A thumbnail, which is made if it is missing. Raises Flawed."""
    content = files.small_in_memory(sha256, side)
    return kept_small(content or files.small(sha256, side), sha256, side, headers)


async def small(files: Files, sha256: str, side: int, headers: Mapping[str, str] = HEADERS) -> Response:
    """`webp`, without a thread if it is in memory."""
    content = files.small_in_memory(sha256, side)
    if content is None:
        content = await run_in_threadpool(files.small, sha256, side)
    return kept_small(content, sha256, side, headers)


def kept_small(content: bytes, sha256: str, side: int, headers: Mapping[str, str]) -> Response:
    return KeptSmall(content, headers={"ETag": f'"{sha256}-{side}.webp"', **headers}, media_type="image/webp")


def kept(path: Path, media_type: str, headers: Mapping[str, str]) -> Response:
    return Kept(path, headers={"ETag": f'"{path.name}"', **headers}, media_type=media_type)
