"""Decide what runs next, and store what the engine makes.

One task of the web process. The database is the only queue. The dispatcher claims a unit, gives it to the engine, and
for each event first writes files and then commits one transaction, so that a crash at any moment leaves either a
complete picture or none. Its memory holds nothing that a restart would miss.

While the engine is at fault (`app.work.breaker`), it claims nothing. While the disk or the database takes nothing
(`app.storage`), neither does it, and keeps what the engine has finished
in memory until that can be stored: at most the results of the units in the engine. If the server stops before, they are
made again.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app import metrics
from app.background import AFTER_TROUBLE_SECONDS, BackgroundLoop
from app.database import Database
from app.engine.base import Cancelled, Engine, NotReady, WorkerLost
from app.engine.events import ClassPicture, Done, Event, Failed, ImageReady, Preview, Step, Work
from app.errors import UserError
from app.files import Files
from app.languages import N_
from app.models import State, Unit, now
from app.storage import CannotSave, Pause
from app.work import queue
from app.work.breaker import STOPPED, Breaker
from app.work.bus import Bus
from app.work.kinds import WorkKind, kind_of, topic_of
from app.work.topics import Topic

log = structlog.get_logger()

LOOK_AGAIN_SECONDS = 30.0  # every change of ours wakes the dispatcher; this covers rows that changed otherwise
TOLD = 20  # units that a line of the log names

SAVE_AGAIN_SECONDS = 2.0

LOST = N_("The engine stopped during this.")
BROKEN = N_("The engine failed. The details are in the server’s log.")


T = TypeVar("T")
End = Callable[[Session, int], Unit]
"""What the queue does at the end of a unit, by its id: one of its functions that end, fail or lose one."""


class Transient(Exception):
    """Work failed, and might not fail another time. The message is a sentence for its owner."""

    def __init__(self, message: str, cause: str) -> None:
        super().__init__(message)
        self.cause = cause


@dataclass(frozen=True)
class Claimed:
    """A claimed unit, and its topic."""

    unit_id: int
    kind: WorkKind
    topic: Topic
    image_ids: tuple[int, ...]


class Dispatcher:
    def __init__(
        self, engine: Engine, database: Database, files: Files, bus: Bus, breaker: Breaker | None = None
    ) -> None:
        self.engine = engine
        self.database = database
        self.files = files
        self.bus = bus
        self.breaker = breaker or Breaker(engine)
        self.background = BackgroundLoop(
            self._fill, "dispatcher", trouble="the queue could not be read", seconds=LOOK_AGAIN_SECONDS
        )
        engine.listen(self._stopped_or_ready)
        self.breaker.listen(self._stopped_or_ready)
        self._units: dict[int, asyncio.Task[None]] = {}
        self._cancelled: set[int] = set()  # of running units, and of one that is being claimed
        self._claiming = False
        self._stopping: set[asyncio.Task[None]] = set()  # the loop itself holds tasks only weakly
        self._probing: asyncio.Task[None] | None = None
        self._alarm: asyncio.TimerHandle | None = None  # for the next retry
        self.recovered = False  # from what a stopped server left
        database.storage.listen(self._paused_or_resumed)

    # Thread-safe, after the commit.

    def wake(self) -> None:
        """Check for work now."""
        self.background.wake()

    def cancel(self, unit_ids: Iterable[int]) -> None:
        """Stop these units within one step. The database already has them as cancelled."""
        self.background.call(self._cancel, tuple(unit_ids))

    def changed(self, topic: Topic, image_ids: Collection[int] | None = ()) -> None:
        """Show changes to watchers of a topic; with None, any of its images may have changed."""
        self.background.call(self.bus.publish_all if image_ids is None else self.bus.publish, topic, *(image_ids or ()))

    def _paused_or_resumed(self, before: Pause | None, now: Pause | None) -> None:
        self._stopped_or_ready()

    def _stopped_or_ready(self) -> None:
        """Tell everyone who waits."""
        self.background.call(self.bus.publish_everywhere)
        self.wake()

    # On the event loop.

    async def run(self) -> None:
        """Serve the queue until cancelled; running units then go back to the queue."""
        try:
            await self.background.run()
        finally:
            tasks = [*self._units.values(), *([self._probing] if self._probing else [])]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _fill(self) -> None:
        """Give every free slot a unit; first of all, queue again what a stopped server had running."""
        if not self.recovered:
            await asyncio.to_thread(self._recover)
            self.recovered = True
        if self.breaker.pause and (self._probing is None or self._probing.done()):
            self._probing = asyncio.create_task(self._probe(), name="trial of the engine")
        while not self.breaker.pause and len(self._units) < len(await self.engine.slots()):
            self._claiming = True
            try:
                claimed = await asyncio.to_thread(self._claim)
            finally:
                self._claiming = False
            if claimed is None:
                await self._wake_for_retry()
                return
            unit_id = claimed.unit_id
            task = asyncio.create_task(self._serve(claimed), name=f"unit {unit_id}")
            self._units[unit_id] = task
            self._cancelled &= self._units.keys()
            task.add_done_callback(partial(self._gone, unit_id))

    async def _wake_for_retry(self) -> None:
        """Look for work again when the wait of a failed unit is over."""
        if self._alarm:
            self._alarm.cancel()
        if due := await asyncio.to_thread(self._next_retry):
            seconds = max(0.0, (due - now()).total_seconds())
            self._alarm = asyncio.get_running_loop().call_later(seconds, self.background.wake)

    async def _probe(self) -> None:
        """Try the engine until it works. Nobody is charged for what it did to their work."""
        while self.breaker.pause:
            await asyncio.sleep(self.breaker.wait)
            if await self.breaker.probe() is False:
                await self._until_saved(self._acquit)

    def _gone(self, unit_id: int, _: asyncio.Task[None]) -> None:
        del self._units[unit_id]
        self._cancelled.discard(unit_id)
        self.background.wake()

    def _cancel(self, unit_ids: tuple[int, ...]) -> None:
        for unit_id in unit_ids:
            if unit_id in self._units or self._claiming:
                self._cancelled.add(unit_id)
            if unit_id in self._units:
                stopping = asyncio.create_task(self.engine.cancel(unit_id))
                self._stopping.add(stopping)
                stopping.add_done_callback(self._stopping.discard)

    async def _serve(self, claimed: Claimed) -> None:
        """Serve one unit until it ends, fails or is given back."""
        unit_id, cause = claimed.unit_id, ""
        structlog.contextvars.bind_contextvars(unit=unit_id, **{claimed.topic.noun: claimed.topic.id})
        try:
            work = await self._until_saved(self._work, claimed)
            self.bus.begin(work, claimed.topic)
            end = await self._make(work, claimed.kind)
        except asyncio.CancelledError:
            with suppress(CannotSave):  # the next start queues it again
                await asyncio.to_thread(self._give_back, unit_id)
            self._ended(claimed)
            raise
        except UserError as error:  # a sentence for the person, and the queue continues
            end = partial(queue.fail_unit, message=str(error))
        except NotReady:
            end = queue.give_back
        except WorkerLost:
            end, cause = partial(queue.lose_unit, message=LOST), STOPPED
        except Transient as failure:
            end, cause = partial(queue.fail_unit, message=str(failure), transient=True), failure.cause
        except Exception as error:
            log.exception("a unit failed", unit=unit_id)
            end, cause = partial(queue.fail_unit, message=BROKEN, transient=True), type(error).__name__
        try:
            if cause:
                end = await self._judged(unit_id, end, cause)
            await self._settle(unit_id, end)
        finally:
            self._ended(claimed)

    def _ended(self, claimed: Claimed) -> None:
        """Notify watchers even if nothing started, for example when rights were withdrawn."""
        self.bus.end(claimed.unit_id)
        self.bus.publish(claimed.topic, *claimed.image_ids)

    async def _judged(self, unit_id: int, end: End, cause: str) -> End:
        """How a unit ends that failed: as `end` says, unless the engine is at fault. Then the queue pauses."""
        last = cause != STOPPED and await self._until_saved(self._is_last_try, unit_id)
        if not self.breaker.suspicious(unit_id, cause) and not last:
            return end
        works = await self.breaker.works()
        if works:
            self.breaker.succeeded()
            return end
        self.breaker.open(cause)
        if works is None:  # it restarts: the next trial tells
            return end
        del self.breaker.failed[unit_id]
        await self._until_saved(self._acquit)
        return queue.give_back

    async def _settle(self, unit_id: int, end: End) -> None:
        """Store how the unit ended, retrying while the database refuses.

        The slot stays taken, because nothing else could be stored either.
        """
        while True:
            try:
                return await self._until_saved(self._end, unit_id, end)
            except SQLAlchemyError:
                log.exception("the end of a unit could not be stored", unit=unit_id)
                await asyncio.sleep(AFTER_TROUBLE_SECONDS)

    async def _until_saved(self, save: Callable[..., T], *arguments: object) -> T:
        """Call `save` in a thread, again and again while storage takes nothing."""
        with suppress(CannotSave):
            return await asyncio.to_thread(save, *arguments)
        with self.database.storage.holding():
            while True:
                await asyncio.sleep(SAVE_AGAIN_SECONDS)
                with suppress(CannotSave):
                    return await asyncio.to_thread(save, *arguments)

    async def _make(self, work: Work, kind: WorkKind) -> End:
        """Run a unit and store its results. Returns how it ends. Raises NotReady, Transient and WorkerLost."""
        if work.id in self._cancelled:
            return queue.end_unit
        events = self.engine.run(work)
        try:
            async for event in events:
                if work.id in self._cancelled:
                    return queue.end_unit
                match event:
                    case Step():
                        self.bus.step(event)
                    case Preview():
                        self.bus.preview(event)
                    case ClassPicture():
                        self.bus.class_picture(event)
                    case Done():
                        self.breaker.succeeded()
                        return queue.end_unit
                    case Failed(message=message, transient=True, cause=cause):
                        raise Transient(message, cause or message)
                    case Failed(message=message):
                        return partial(queue.fail_unit, message=message)
                    case _:
                        await self._until_saved(self._keep, kind, event)
                        self.bus.kept(event)
                        if isinstance(event, ImageReady):
                            metrics.picture_seconds.observe(event.seconds)
        except Cancelled:
            return queue.end_unit
        finally:
            # This does nothing for a unit that has ended; one that we leave early must free its slot.
            await self.engine.cancel(work.id)
            if isinstance(events, AsyncGenerator):
                await events.aclose()
        raise WorkerLost

    # In a worker thread: these block.

    def _recover(self) -> None:
        with self.database.write() as session:
            units = queue.requeue_running(session)
        if units:
            log.info("interrupted work is queued again", number=len(units), units=units[:TOLD])

    def _claim(self) -> Claimed | None:
        if self.database.storage.check():
            return None
        with self.database.write() as session:
            unit = queue.claim_next(session, tuple(self._units))
            if unit is None:
                return None
            return Claimed(unit.id, kind_of(unit), topic_of(unit), tuple(image.id for image in unit.images))

    def _next_retry(self) -> datetime | None:
        with self.database.read() as session:
            return queue.next_retry(session)

    def _is_last_try(self, unit_id: int) -> bool:
        with self.database.read() as session:
            return queue.is_last_try(session, unit_id)

    def _acquit(self) -> None:
        failed = dict(self.breaker.failed)
        crashed = [unit_id for unit_id, cause in failed.items() if cause == STOPPED]
        with self.database.write() as session:
            queue.acquit(session, failed.keys() - crashed, crashed)
        for unit_id in failed:
            self.breaker.failed.pop(unit_id, None)

    def _work(self, claimed: Claimed) -> Work:
        with self.database.read() as session:
            unit = session.get_one(Unit, claimed.unit_id)
            return claimed.kind.for_engine(session, unit, self.files, self.engine.model)

    def _keep(self, kind: WorkKind, event: Event) -> None:
        write = kind.keep(event, self.files)
        with self.database.write() as session:
            write(session)

    def _end(self, unit_id: int, end: End) -> None:
        with self.database.write() as session:
            end(session, unit_id)
            unit = session.get_one(Unit, unit_id)
            noun, outcome = kind_of(unit).noun, "retried" if unit.state == State.QUEUED else unit.state
        metrics.units.labels(noun, outcome).inc()

    def _give_back(self, unit_id: int) -> None:
        with self.database.write() as session:
            queue.give_back(session, unit_id)
        log.info("running work is queued again, because the server stops", unit=unit_id)
