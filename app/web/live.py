"""A set in progress: its tiles and its progress, on the page and as server-sent events.

A message contains the changed tiles and the progress, as HTML that htmx swaps in by id, the same for everyone who
watches. A stream ends when its set is done. The page then reconnects and waits until someone decides on a picture or
redoes one.

The review room has its own stream, which only says that there is news: the room then reloads its page.
"""

from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from fastapi import APIRouter, Depends
from fastapi.sse import EventSourceResponse, ServerSentEvent
from sqlalchemy.orm import Session

from app.accounts import authority
from app.engine.base import NoEngine
from app.models import Image, ImageSet, Role, State, User, Verdict
from app.reviews import four_eyes
from app.reviews import news as review_news
from app.sets import queries, retries, service, watching
from app.text import whole_number
from app.web.deps import Me, Read, Resources
from app.web.pools import Route
from app.web.queue import Standstill, why_nothing_runs
from app.web.stream import EVERYTHING, May, Message, Watching, what_may
from app.web.templating import Page
from app.work import line, order
from app.work.bus import Bus, RunningUnit

router = APIRouter(route_class=Route)


@dataclass(frozen=True)
class Tile:
    """One picture of a set, from queued to decided."""

    id: int
    set_id: int
    position: int
    version: int
    prompt: str
    drawn_as: str | None  # in English, for a prompt in Japanese
    seed: int
    width: int
    height: int
    state: State
    decision: Verdict | None
    step: int | None  # completed steps
    steps: int
    preview_step: int | None  # the step of the latest preview
    unsaved: bool  # made, but the server cannot save it yet
    error: str | None
    tries: int
    retry_at: datetime | None  # when it is tried again after a failure
    can_retry: bool
    approvals: int  # people whose approval counts
    needed: int
    others: tuple["Tile", ...] = ()  # newer versions that wait, run or failed

    @property
    def page(self) -> str:
        """The page of its set that shows it."""
        return place_url(self.set_id, self.position)


@dataclass(frozen=True, kw_only=True)
class PlacePart(Page):
    """A position of a set: its tile, or nothing while all its pictures are deleted."""

    template = "sets/_place.html"

    position: int
    tile: Tile | None
    oob: bool = False  # for htmx to swap out of band


@dataclass(frozen=True, kw_only=True)
class ProgressPart(Page):
    """The progress of a set and its available acts, for one person."""

    template = "sets/_progress.html"

    progress: queries.Progress
    pause: Standstill  # why nothing of it is made at the moment
    in_bin: bool
    paused: bool  # by its owner or a manager
    can_pause: bool
    resumes: Role | None  # the role needed to resume it; None: that of who may change it
    seconds_left: float | None
    retry: retries.Retry | None  # what of it failed and waits to be tried again
    can_retry_now: bool
    can_cancel: bool
    can_retry: bool
    can_answer: bool  # what to do with held pictures
    can_review: bool
    waits_for_others: bool  # a reviewer who may not approve their own pictures
    can_download: bool
    can_lock: bool  # or unlock
    locked: bool  # decisions cannot change
    unlocks: Role  # the role needed to unlock
    show: str = ""  # the state of the pictures that the page shows; "": any
    oob: bool = False


@dataclass(frozen=True)
class SetView:
    """Everything that changes on a set's page."""

    image_set: ImageSet
    tiles: list[Tile]  # one per position
    now: ProgressPart
    may: May


def view(
    session: Session,
    resources: Resources,
    me: User,
    image_set: ImageSet,
    positions: Collection[int] | None = None,
    *,
    for_all: bool = False,
) -> SetView:
    """The current state of a set, with all tiles or those at some `positions`.

    With the acts of `me`; `for_all` those of everyone, of which each page shows what its person may do.
    """
    set_id = image_set.id
    progress = queries.progress(session, me, set_id)
    may = EVERYTHING if for_all else may_in(image_set, me)
    mine, unlocks = "change" in may, authority.power(image_set.locked_as) or Role.MANAGER
    can_retry = mine and not image_set.locked_at
    places = queries.places(session, me, set_id, positions)
    pause = None if progress.done else why_nothing_runs(session, resources)
    progress.under_way = progress.making * resources.bus.fraction_of(queries.topic(set_id))
    if isinstance(pause, NoEngine):  # what the engine had is about to be queued again
        progress.nothing_generates()
    paused, paused_as = order.paused(session, queries.topic(set_id))
    resumes = authority.power(paused_as)
    retry = retries.retry(session, me, set_id) if progress.waiting else None
    tiles = [place_tile(place, image_set, resources.bus, can_retry, pause) for place in places]
    now = ProgressPart(
        progress=progress,
        pause=pause,
        in_bin=image_set.deleted_at is not None,
        paused=paused,
        can_pause=mine and (paused or progress.waiting > 0) and (resumes is None or resumes in may),
        resumes=resumes,
        seconds_left=None if pause or paused else seconds_left(session, resources, me, progress),
        retry=retry,
        can_retry_now=can_retry and retry is not None,
        can_cancel=mine and not progress.done,
        can_retry=can_retry and progress.done and progress.unmade > 0,
        can_answer=can_retry and progress.held_back > 0,
        can_review="judge" in may,
        waits_for_others="wait" in may,
        can_download=mine,
        can_lock=unlocks in may if image_set.locked_at else mine and progress.done and progress.finished > 0,
        locked=image_set.locked_at is not None,
        unlocks=unlocks,
    )
    return SetView(image_set, tiles, now, may)


def may_in(image_set: ImageSet, me: User) -> May:
    """What `me` may do with a set: "judge" its new pictures, or "wait" until another reviewer does."""
    may = what_may(me, change=service.may_change(me, image_set))
    if Role.REVIEWER not in may:
        return may
    return may | {"wait" if four_eyes.bars_from_set(me, image_set) else "judge"}


def place_tile(place: queries.Place, image_set: ImageSet, bus: Bus, can_retry: bool, pause: Standstill = None) -> Tile:
    others = tuple(tile(image, image_set, bus, can_retry, pause) for image in place.others)
    return replace(tile(place.face, image_set, bus, can_retry, pause), others=others)


def tile(image: Image, image_set: ImageSet, bus: Bus, can_retry: bool, pause: Standstill = None) -> Tile:
    state = State.QUEUED if image.state == State.GENERATING and isinstance(pause, NoEngine) else State(image.state)
    running = bus.running.get(image.unit_id or 0) if state == State.GENERATING else None
    preview_step, _ = bus.previews.get(image.id, (None, b""))
    return Tile(
        id=image.id,
        set_id=image_set.id,
        position=image.position,
        version=image.version,
        prompt=image.prompt,
        drawn_as=image.drawn_as,
        seed=image.seed,
        width=image_set.width,
        height=image_set.height,
        state=state,
        decision=image.decision,
        step=running.step if running else None,
        steps=running.steps if running and running.steps else image_set.steps,
        preview_step=preview_step,
        unsaved=bool(pause and running and running.step and running.step == running.steps),
        error=image.error,
        tries=image.unit.tries if image.unit else 0,
        retry_at=image.unit.retry_at if image.unit and image.state == State.QUEUED else None,
        can_retry=can_retry,
        approvals=image.approvals,
        needed=image.campaign.approvals_needed,
    )


def seconds_left(session: Session, resources: Resources, me: User, progress: queries.Progress) -> float | None:
    """Estimated from the measured steps of running units and the time of finished ones; None before any measurement.

    Other people's pictures come in between, turn by turn, as long as they have any.
    """
    if progress.done:
        return None
    topic = queries.topic(progress.set_id)
    running = resources.bus.running_for(topic)
    a_unit = line.mean_unit_seconds(session, topic) or next(filter(None, map(whole_unit, running)), None)
    if a_unit is None:
        return None
    lefts = [max(0.0, a_unit - unit.elapsed) if unit.seconds_left is None else unit.seconds_left for unit in running]
    others = watching.others_waiting(session, me, progress.set_id)
    between = sum(min(pictures, progress.waiting) for pictures in others)
    return max(lefts, default=0.0) + (progress.waiting + between) / resources.settings.unit_size * a_unit


def whole_unit(running: RunningUnit) -> float | None:
    """The expected duration of a running unit."""
    return None if running.seconds_left is None else running.elapsed + running.seconds_left


def need_set(me: Me, session: Read, set_id: int) -> None:
    """Raise NotFound before a stream starts."""
    queries.get(session, me, set_id)


@router.get("/sets/{set_id}/events", response_class=EventSourceResponse, dependencies=[Depends(need_set)])
async def events(
    watch: Watching, set_id: int, first: str = "", last: str = "", show: str = ""
) -> AsyncIterator[ServerSentEvent]:
    """The changes of a set, until it is done, for a page that has loaded the positions `first` to `last`.

    A page that loads more connects again, from the cursor at which those were read. So it gets every change once,
    however the answers cross.
    """
    end = whole_number(last)
    span = queries.Span(whole_number(first) or 1, end) if end is not None else None
    async for event in watch.messages(queries.topic(set_id), ChangedPlaces(span, show)):
        yield event


@dataclass(frozen=True)
class ChangedPlaces:
    """The positions of changed images, or all, as far as they are within `span`, and the progress."""

    span: queries.Span | None
    show: str

    def __call__(
        self, resources: Resources, set_id: int, session: Session, me: User, images: frozenset[int] | None
    ) -> Message:
        positions = queries.positions(session, me, set_id, images, self.span)
        shown = view(session, resources, me, watching.row(session, me, set_id), positions, for_all=True)
        environment = resources.environment
        rendered = [part.html(environment) for part in place_parts(positions, shown.tiles, oob=True)]
        rendered.append(replace(shown.now, show=self.show, oob=True).html(environment))
        return Message("".join(rendered), partial(may_in, shown.image_set), done=shown.now.progress.done)


def place_parts(positions: Iterable[int], tiles: Sequence[Tile], *, oob: bool = False) -> list[PlacePart]:
    """These positions, in order, with the tiles of those that have one."""
    by_position = {each.position: each for each in tiles}
    return [PlacePart(position=position, tile=by_position.get(position), oob=oob) for position in sorted({*positions})]


def place_url(set_id: int, position: int) -> str:
    """The address of the part of a set's page that shows a position."""
    return f"/sets/{set_id}?at={position}#place-{position}" if position > queries.PAGE else f"/sets/{set_id}"


# The review room


@router.get("/sets/{set_id}/news", response_class=EventSourceResponse, dependencies=[Depends(need_set)])
async def news(watch: Watching, set_id: int) -> AsyncIterator[ServerSentEvent]:
    """A message whenever someone else acts in a set, or one of its pictures is finished. It does not end.

    The id is the number of the audit log's latest event, so a browser that returns with `Last-Event-ID` misses nothing,
    even across a restart of the server.
    """
    known = whole_number(watch.after) or 0
    async for heard in watch.follow(queries.topic(set_id), latest_acts):
        latest = review_news.of_others(heard.shown, heard.person)
        if latest > known:
            known = latest
            yield ServerSentEvent(raw_data="news", event="news", id=str(known))


def latest_acts(
    _: Resources, set_id: int, session: Session, me: User, images: frozenset[int] | None
) -> dict[int | None, int]:
    """The latest act of each person in a set, so that nobody hears about their own."""
    return review_news.latest(session, me, set_id)
