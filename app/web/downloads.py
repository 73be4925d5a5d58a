"""Exports as zips, streamed directly from their files: with an exact length, and from any position (Range).

`approved.zip` is a shortcut for scripts and bookmarks: the pictures approved now, in the default form.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse, Response, StreamingResponse
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.types import Message, Receive, Scope, Send

from app.accounts import service as accounts
from app.errors import Conflict
from app.exports import certificates, contents, queries, service, single
from app.exports.archive import Archive, FileChanged
from app.exports.options import ExportOptions
from app.models import Export, User
from app.text import normalized
from app.web.deps import Me, Resources, ResourcesDep, address_of, session_token, tried
from app.web.pools import Route, writing
from app.web.templating import see_other

router = APIRouter(route_class=Route)

AT_ONCE = 100  # files that a request waits for; for more, the export's page shows progress
LOOK_BYTES = 4 * 2**20  # of a download between checks that it may continue
RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")

Ids = Annotated[list[int], Query(min_length=1, max_length=1000)]


class Ended(Exception):
    """A download may not continue."""


class WatchedFile(FileResponse):
    """A file that checks every few MB whether its download may continue. Raises Ended, which breaks it off."""

    def __init__(self, path: Path, may_go_on: Callable[[], bool], **options: Any) -> None:
        super().__init__(path, **options)
        self.may_go_on = may_go_on

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sent = 0

        async def watched_send(message: Message) -> None:
            nonlocal sent
            await send(message)
            sent += len(message.get("body", b""))
            if sent >= LOOK_BYTES:
                sent = 0
                if not await run_in_threadpool(self.may_go_on):
                    raise Ended("the person may no longer download this")

        await super().__call__(scope, receive, watched_send)


def as_long_as(request: Request, resources: Resources, may: Callable[[Session, User], bool]) -> Callable[[], bool]:
    """A check that the requester is still signed in and still `may`, with their current role."""
    token = session_token(request)

    def may_go_on() -> bool:
        with resources.database.read() as session:
            present = accounts.user_for_token(session, token)
            return present is not None and may(session, present)

    return may_go_on


@router.get("/sets/{set_id}/approved.zip", dependencies=[tried("export")])
@writing
def of_set(request: Request, resources: ResourcesDep, me: Me, set_id: int) -> Response:
    return at_once(request, resources, me, set_id=set_id)


@router.get("/campaigns/{campaign_id}/approved.zip", dependencies=[tried("export")])
@writing
def of_campaign(request: Request, resources: ResourcesDep, me: Me, campaign_id: int) -> Response:
    return at_once(request, resources, me, campaign_id=campaign_id)


@router.get("/pictures/approved.zip", dependencies=[tried("export")])
@writing
def of_pictures(request: Request, resources: ResourcesDep, me: Me, ids: Ids) -> Response:
    return at_once(request, resources, me, image_ids=ids)


@router.get("/images/{image_id}/download.png", dependencies=[tried("export")])
@writing
def of_image(resources: ResourcesDep, me: Me, image_id: int) -> Response:
    """One picture, signed and named as in an export."""
    with resources.database.read() as session:
        wanted = single.picture(session, me, image_id)
    identity = certificates.identity(resources.settings)
    path = single.made(wanted, resources.files, resources.exporter.store, identity)
    with resources.database.write() as session:
        single.downloaded(session, me, image_id, wanted.name)
    headers = {"Content-Disposition": saved_as(wanted.name)}
    return FileResponse(path, media_type=wanted.options.file_format.media_type, headers=headers)


@router.api_route("/exports/{export_id}/download.zip", methods=["GET", "HEAD"])
@writing
def of_export(request: Request, resources: ResourcesDep, me: Me, export_id: int) -> Response:
    with resources.database.read() as session:
        export = queries.get(session, me, export_id)
        archive = service.laid_out(session, export, resources.exporter.store)
    return stream_to(request, resources, me, export, archive)


def stream_to(request: Request, resources: Resources, me: User, export: Export, archive: Archive) -> Response:
    """The zip for a person; it breaks off if they are signed out, or may no longer open the export."""
    may_go_on = as_long_as(request, resources, lambda session, present: queries.may_open(session, present, export.id))
    return stream(request, resources, export, archive, f"user {me.id}", lambda: count(resources, me, export), may_go_on)


def at_once(
    request: Request,
    resources: Resources,
    me: User,
    *,
    set_id: int | None = None,
    campaign_id: int | None = None,
    image_ids: list[int] | None = None,
) -> Response:
    """The zip itself if it takes seconds, otherwise the page of the export, which shows progress."""
    # Downloads are recorded, so this GET writes; no cross-site page can read the answer.
    with resources.database.read() as session:
        wanted = service.selection(session, me, set_id=set_id, campaign_id=campaign_id, image_ids=image_ids)
    export_id, prepared = resources.exporter.ask_now(me, wanted, ExportOptions(), AT_ONCE)
    if not prepared:
        return see_other(f"/exports/{export_id}?download=1")
    with resources.database.read() as session:
        export = queries.get(session, me, export_id)
        try:
            archive = service.archive(session, export, resources.exporter.store)
        except Conflict:
            return see_other(f"/exports/{export.id}")
    return stream_to(request, resources, me, export, archive)


def count(resources: Resources, me: User, export: Export) -> None:
    with resources.database.read() as session:
        sets = contents.set_ids(session, export.id)
    with resources.database.write() as session:
        service.downloaded(session, me, export, sets)


def stream(
    request: Request,
    resources: Resources,
    export: Export,
    archive: Archive,
    who: str,
    begun: Callable[[], None],
    may_go_on: Callable[[], bool],
) -> Response:
    """The zip, or the requested part of it; only the headers for HEAD.

    `begun` is called when a download by `who` starts, not when one resumes, nor for a probe; `may_go_on` every few MB
    of one. Raises Conflict if a file of that part was removed; HEAD is of all. One range at a time, as browsers and
    download managers request; for several, the whole zip is sent, which RFC 9110 allows.
    """
    etag = f'"{export.etag}"'
    headers = {"Accept-Ranges": "bytes", "ETag": etag, "Content-Disposition": disposition(export)}
    start, end, status = 0, archive.length, 200
    if request.method == "HEAD":  # ranges only apply to GET
        service.need_files(export, resources.exporter.store, archive)
        headers["Content-Length"] = str(archive.length)
        return Response(None, 200, headers, "application/zip")
    if wanted := asked_range(request, etag, archive.length):
        (start, end), status = wanted, 206
        if start >= end:
            headers = {"Content-Range": f"bytes */{archive.length}", "Accept-Ranges": "bytes"}
            return Response(status_code=416, headers=headers)
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{archive.length}"
    service.need_files(export, resources.exporter.store, archive, start, end)
    if resources.downloads.begins(f"{who} {export.etag} {address_of(request)}", end - start, archive.length):
        begun()
    headers["Content-Length"] = str(end - start)
    pieces = whole(archive.read(start, end), lambda: resources.exporter.store.incomplete.add(export.etag or ""))
    return StreamingResponse(watched(pieces, may_go_on), status, headers, "application/zip")


def whole(pieces: Iterator[bytes], damaged: Callable[[], object]) -> Iterator[bytes]:
    """Break a download off at a damaged file, rather than send it, and call `damaged`: its page offers to rebuild."""
    try:
        yield from pieces
    except FileChanged:
        damaged()
        raise


def watched(pieces: Iterator[bytes], may_go_on: Callable[[], bool]) -> Iterator[bytes]:
    """Check every few MB whether the download may continue. Raises Ended, which breaks it off."""
    sent = 0
    for piece in pieces:
        yield piece
        sent += len(piece)
        if sent >= LOOK_BYTES:
            sent = 0
            if not may_go_on():
                raise Ended("the link was revoked or put on hold, or the person may no longer download this")


def disposition(export: Export) -> str:
    """Save it under the export's name; in ASCII for programs that read nothing else, such as curl."""
    nothing_left = ascii_of(export.name) in ("", "approved")  # as of 秋-approved
    return saved_as(f"{export.name}.zip", f"export-{export.id}.zip" if nothing_left else "")


def saved_as(name: str, plain: str = "") -> str:
    """Save it under `name`; programs that read only ASCII, such as curl, use `plain` or what is left of `name`."""
    stem, _, suffix = name.rpartition(".")
    return f"attachment; filename*=UTF-8''{quote(name)}; filename=\"{plain or f'{ascii_of(stem)}.{suffix}'}\""


def ascii_of(name: str) -> str:
    plain = normalized("NFKD", name).encode("ascii", "ignore").decode()
    return "-".join(filter(None, plain.split("-")))


def asked_range(request: Request, etag: str, length: int) -> tuple[int, int] | None:
    """The requested start and end (exclusive); None for everything. An empty range is unsatisfiable."""
    found = RANGE.fullmatch(request.headers.get("range", "").strip())
    # A zip other than the one that the download started with is sent whole.
    if not found or request.headers.get("if-range", etag) != etag:
        return None
    first, last = found.groups()
    if not first and not last:
        return None
    if not first:
        return max(0, length - int(last)), length
    if last and int(last) < int(first):
        return None
    return min(int(first), length), min(int(last) + 1, length) if last else length
