"""The picture files. Addresses have numbers, never names from outside; what they show never changes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter
from fastapi import Path as InPath
from fastapi.responses import FileResponse, Response

from app.errors import NotFound
from app.files import Kind
from app.models import Image
from app.sets import queries as sets
from app.styles import queries as styles
from app.web.deps import App, Me, Read
from app.web.headers import PICTURE_POLICY

router = APIRouter()

Side = Literal["320", "960"]
Sha256 = Annotated[str, InPath(pattern="^[0-9a-f]{64}$")]

HEADERS = {"Content-Security-Policy": PICTURE_POLICY, "Cache-Control": "private, max-age=31536000, immutable"}
PREVIEW_HEADERS = {"Content-Security-Policy": PICTURE_POLICY, "Cache-Control": "private, no-store"}


@router.get("/images/{image_id}.png")
def image(app: App, me: Me, session: Read, image_id: int) -> Response:
    sha256 = finished(sets.image(session, me, image_id))
    return png(app.files.path(Kind.IMAGES, sha256))


@router.get("/images/{image_id}/thumb-{side}.webp")
def image_thumbnail(app: App, me: Me, session: Read, image_id: int, side: Side) -> Response:
    sha256 = finished(sets.image(session, me, image_id))
    return webp(app.files.thumbnail(sha256, int(side)))


@router.get("/images/{image_id}/preview")
def preview(app: App, me: Me, session: Read, image_id: int) -> Response:
    """The latest preview, whatever step the address says: that is there to make browsers ask again.

    The picture may have been finished since its page was told of the preview; then it is shown itself.
    """
    made = sets.image(session, me, image_id)
    _, rough = app.bus.previews.get(image_id, (0, b""))
    if rough:
        return Response(rough, media_type="image/webp", headers=PREVIEW_HEADERS)
    return webp(app.files.thumbnail(finished(made), 320), PREVIEW_HEADERS)


@router.get("/thumbs/{sha256}-{side}.webp")
def thumbnail(app: App, me: Me, sha256: Sha256, side: Side) -> Response:
    """By what it shows, so that a browser asks once for it, and nothing is looked up but who asks.

    The name is as secret as the picture: only lists that somebody may see have it.
    """
    return webp(app.files.thumbnail(sha256, int(side)))


@router.get("/references/{reference_id}.png")
def reference(app: App, me: Me, session: Read, reference_id: int) -> Response:
    sha256 = styles.reference(session, me, reference_id).sha256
    return png(app.files.path(Kind.REFERENCES, sha256))


@router.get("/references/{reference_id}/thumb-{side}.webp")
def reference_thumbnail(app: App, me: Me, session: Read, reference_id: int, side: Side) -> Response:
    sha256 = styles.reference(session, me, reference_id).sha256
    return webp(app.files.thumbnail(sha256, int(side)))


def finished(image: Image) -> str:
    """What names an image's files. Raises NotFound while there are none."""
    if image.sha256 is None:
        raise NotFound("This picture is not finished.")
    return image.sha256


def png(path: Path) -> Response:
    return kept(path, "image/png", HEADERS)


def webp(path: Path, headers: Mapping[str, str] = HEADERS) -> Response:
    return kept(path, "image/webp", headers)


def kept(path: Path, media_type: str, headers: Mapping[str, str]) -> Response:
    """A file of the data folder. Raises NotFound when somebody has taken it away."""
    if not path.is_file():
        raise NotFound("The file of this picture is lost from the server. Restore it from a backup.")
    return FileResponse(path, headers=headers, media_type=media_type)
