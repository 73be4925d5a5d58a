"""Where the look of a picture came from: a page with the map over the picture, made on demand."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from fastapi import APIRouter, Request
from fastapi.responses import Response
from PIL import Image as Picture

from app.errors import NotFound
from app.languages import gettext as _
from app.models import Image, StyleMap
from app.sets import style_maps
from app.web.deps import Me, Read, ResourcesDep, count_try
from app.web.pictures import UNKEPT_HEADERS
from app.web.pools import Route
from app.web.queue import why_nothing_runs
from app.web.templating import Page, render, see_other
from app.work.queue import WAITING
from app.work.topics import Topic

router = APIRouter(route_class=Route)

SIDE = 512  # px of the longer side of the plain map


@dataclass(frozen=True, kw_only=True)
class StyleMapPage(Page):
    template = "sets/map.html"
    nav = "sets"

    image: Image
    map: StyleMap | None
    groups: Sequence[str]  # of layers, in words
    busy: bool
    may_cancel: bool
    step: int
    steps: int
    why_waiting: str


@router.get("/images/{image_id}/map")
def show(request: Request, resources: ResourcesDep, me: Me, session: Read, image_id: int) -> Response:
    image, known = style_maps.of_picture(session, me, image_id)
    running = next(iter(resources.bus.running_for(Topic("map", known.id))), None) if known else None
    busy = bool(known and known.state in WAITING)
    pause = why_nothing_runs(session, resources) if busy and not running else None
    shown = StyleMapPage(
        image=image,
        map=known,
        groups=[group_words(group) for group in known.groups] if known else [],
        busy=busy,
        may_cancel=known is not None and style_maps.may_cancel(me, known),
        step=running.step if running else 0,
        steps=running.steps if running else 0,
        why_waiting=pause.reason if pause else "",
    )
    return render(request, shown)


@router.post("/images/{image_id}/map")
def ask(request: Request, resources: ResourcesDep, me: Me, image_id: int) -> Response:
    count_try(request, "map", me.id)
    with resources.database.write() as session:
        style_maps.ask(session, me, image_id, resources.engine.model)
    return see_other(f"/images/{image_id}/map")


@router.post("/images/{image_id}/map/cancel")
def cancel(resources: ResourcesDep, me: Me, image_id: int) -> Response:
    with resources.database.write() as session:
        stopped = style_maps.cancel(session, me, image_id)
    return see_other(f"/images/{image_id}/map", _("Stopped. Nothing was changed.") if stopped else "")


@router.get("/images/{image_id}/map-sheet")
def sheet(me: Me, session: Read, image_id: int) -> Response:
    """All maps of a picture in one: a row for each group of layers, a column for each part of the denoising."""
    return Response(
        made(style_maps.of_picture(session, me, image_id)[1]), media_type="image/png", headers=UNKEPT_HEADERS
    )


@router.get("/images/{image_id}/map-plain")
def plain(me: Me, session: Read, image_id: int) -> Response:
    """The mean of all maps, stretched, for browsers without scripts: white drew most from the reference."""
    _, known = style_maps.of_picture(session, me, image_id)
    return Response(mean_of(made(known), known), media_type="image/webp", headers=UNKEPT_HEADERS)


def made(known: StyleMap | None) -> bytes:
    if known is None or known.png is None:
        raise NotFound(_("There is no map of this picture yet."))
    return known.png


def mean_of(png: bytes, known: StyleMap | None) -> bytes:
    groups, steps = (len(known.groups), known.steps) if known else (1, 1)
    with Picture.open(io.BytesIO(png)) as opened:
        sheet = np.asarray(opened.convert("L"), float)
    height, width = sheet.shape[0] // max(groups, 1), sheet.shape[1] // max(steps, 1)
    mean = sheet[: height * groups, : width * steps].reshape(groups, height, steps, width).mean((0, 2))
    low, high = np.percentile(mean, (2, 98))
    light = ((mean - low) / max(high - low, 1e-6)).clip(0, 1) * 255
    picture = Picture.fromarray(light.astype(np.uint8))
    scale = SIDE / max(picture.size)
    written = io.BytesIO()
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    picture.resize(size, Picture.Resampling.BICUBIC).save(written, "WEBP", quality=80)
    return written.getvalue()


def group_words(group: str) -> str:
    """A group of layers as people read it: "down 2" is in the half that reduces, at half the latents' resolution."""
    part, _sep, reduced = group.partition(" ")
    match part:
        case "down":
            return _("Encoder, 1/%(reduced)s", reduced=reduced)
        case "up":
            return _("Decoder, 1/%(reduced)s", reduced=reduced)
    return _("Middle, 1/%(reduced)s", reduced=reduced)
