"""A set while it is made: its tiles and its progress, on the page and as server-sent events.

A message holds the tiles that changed and the progress, as HTML that htmx puts in place by their ids. Its id is a
cursor of the bus, so a browser that reconnects with `Last-Event-ID` gets what it missed, once, as it is now.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent
from sqlalchemy.orm import Session

from app.accounts import service as accounts
from app.engine.bus import Bus, RunningUnit
from app.models import Image, ImageSet, Role, State, User, Verdict
from app.sets import queries, service
from app.web.deps import App, Me, Parts, Read, session_token

router = APIRouter()

MESSAGE_SECONDS = 0.25  # at most four messages a second; what changes in between comes together


@dataclass(frozen=True)
class Tile:
    """One picture of a set, from queued to decided."""

    id: int
    set_id: int
    position: int
    prompt: str
    seed: int
    width: int
    height: int
    state: State
    decision: Verdict | None
    step: int | None  # steps done
    steps: int
    preview_step: int | None  # the step of the latest preview
    error: str | None
    tries: int
    can_retry: bool


@dataclass(frozen=True)
class View:
    """All that changes on a set's page, for one person."""

    image_set: ImageSet
    progress: queries.Progress
    tiles: list[Tile]
    seconds_left: float | None
    can_cancel: bool
    can_retry: bool
    can_review: bool
    can_download: bool

    def context(self, **more: object) -> dict[str, Any]:
        """As the templates take it."""
        progress = asdict(self.progress) | {
            "state": self.progress.state,
            "done": self.progress.done,
            "seconds_left": self.seconds_left,
        }
        names = ("can_cancel", "can_retry", "can_review", "can_download")
        rights = {name: getattr(self, name) for name in names}
        return rights | {"progress": progress} | more


def view(session: Session, parts: Parts, me: User, set_id: int, only: frozenset[int] | None = None) -> View:
    """A set as it is now; its tiles, or `only` those of some images. Raises NotFound."""
    image_set = queries.get(session, me, set_id)
    progress = queries.progress(session, me, set_id)
    mine = service.may_change(me, image_set)
    images = queries.images(session, me, set_id, only)
    return View(
        image_set=image_set,
        progress=progress,
        tiles=[tile(image, image_set, parts.bus, can_retry=mine) for image in images],
        seconds_left=seconds_left(session, parts, me, progress),
        can_cancel=mine and not progress.done,
        can_retry=mine and progress.done and progress.failed + progress.cancelled > 0,
        can_review=me.can(Role.REVIEWER),
        can_download=mine,
    )


@dataclass(frozen=True)
class Watching:
    """Who watches what. The token is looked up again for every message: signing out ends the stream."""

    set_id: int
    token: str


def watch(request: Request, me: Me, session: Read, set_id: int) -> Watching:
    queries.get(session, me, set_id)  # or NotFound, before the stream begins
    return Watching(set_id, session_token(request))


def tile(image: Image, image_set: ImageSet, bus: Bus, can_retry: bool) -> Tile:
    running = bus.running.get(image.unit_id or 0) if image.state == State.GENERATING else None
    preview_step, _ = bus.previews.get(image.id, (None, b""))
    return Tile(
        id=image.id,
        set_id=image_set.id,
        position=image.position,
        prompt=image.prompt,
        seed=image.seed,
        width=image_set.width,
        height=image_set.height,
        state=image.state,
        decision=image.decision,
        step=running.step if running else None,
        steps=running.steps if running and running.steps else image_set.steps,
        preview_step=preview_step,
        error=image.error,
        tries=image.unit.tries if image.unit else 0,
        can_retry=can_retry,
    )


def seconds_left(session: Session, parts: Parts, me: User, progress: queries.Progress) -> float | None:
    """By the measured steps of what runs and the measured time of whole units; None until something was measured.

    Other people's pictures come in between, one turn for one turn, as long as they have any.
    """
    if progress.done:
        return None
    # A copy: the event loop changes what runs while this thread looks.
    running = [unit for unit in tuple(parts.bus.running.values()) if unit.topic == progress.set_id]
    a_unit = queries.mean_unit_seconds(session, progress.set_id) or next(filter(None, map(whole_unit, running)), None)
    if a_unit is None:
        return None
    lefts = [max(0.0, a_unit - unit.elapsed) if unit.seconds_left is None else unit.seconds_left for unit in running]
    waiting: Counter[str] = Counter()
    for row in queries.queue(session, me):
        if isinstance(row, queries.QueueRow) and row.set_id != progress.set_id:
            waiting[row.owner] += row.queued
    between = sum(min(pictures, progress.queued) for pictures in waiting.values())
    return max(lefts, default=0.0) + (progress.queued + between) / parts.settings.unit_size * a_unit


def whole_unit(running: RunningUnit) -> float | None:
    """How long a unit that runs will have taken."""
    return None if running.seconds_left is None else running.elapsed + running.seconds_left


@router.get("/sets/{set_id}/events", response_class=EventSourceResponse)
async def events(
    request: Request, app: App, watched: Annotated[Watching, Depends(watch)], after: str = ""
) -> AsyncIterator[ServerSentEvent]:
    """What changes in a set, until it is done. It begins with what changed since `Last-Event-ID` or `after`."""
    cursor = request.headers.get("last-event-id", after)
    while not app.bus.closed.is_set():
        changes = await app.bus.changes(watched.set_id, cursor)
        cursor = changes.cursor
        message = await asyncio.to_thread(render, app, watched, changes.images)
        if message is None:
            return
        html, done = message
        yield ServerSentEvent(raw_data=html, id=cursor)
        if done:
            yield ServerSentEvent(raw_data="done", event="done", id=cursor)
            return
        await asyncio.sleep(MESSAGE_SECONDS)


def render(app: Parts, watched: Watching, images: frozenset[int] | None) -> tuple[str, bool] | None:
    """The HTML of one message, and whether the set is done; None when the person has been signed out meanwhile."""
    with app.database.read() as session:
        me = accounts.user_for_token(session, watched.token)
        if me is None:
            return None
        now = view(session, app, me, watched.set_id, images)
        tiles = app.environment.get_template("sets/_tile.html")
        progress = app.environment.get_template("sets/_progress.html")
        rendered = [tiles.render(tile=each, oob=True) for each in now.tiles]
        rendered.append(progress.render(now.context(oob=True)))
    return "".join(rendered), now.progress.done
