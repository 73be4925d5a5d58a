"""Live updates: changes by topic, for open pages, and state that only exists in memory.

A change says *which* images of a set differ, never how: watchers read the current state. So a slow watcher costs
nothing (it holds one number, not a queue), many changes become one answer, and what was missed during a reconnect is
the union of the changes since the last number seen. All methods except `running_for` belong to the event loop's thread.
"""

import asyncio
import secrets
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from time import monotonic

from app.engine.events import ClassPicture, Event, ImageFailed, ImageReady, Preview, Step, Unit, Work
from app.text import whole_number
from app.work.topics import Topic

REMEMBERED_CHANGES = 512  # per topic; a watcher who missed more reloads everything
REMEMBERED_TOPICS = 256


@dataclass
class RunningUnit:
    """A unit in the engine, and its speed."""

    work: Work
    topic: Topic
    step: int = 0  # of the batch in the engine
    steps: int = 0  # of a batch, as the engine counts them: some schedulers take more; 0 before the first
    started: float = field(default_factory=monotonic)
    earlier: int = 0  # steps of the batches that this attempt has done
    begin: int = 0  # the first step of this attempt, later than 1 if it resumed
    first_step: float = 0.0  # when that was done, which took longer because it waited for the reference
    last_step: float = 0.0
    loss: float | None = None  # of a training
    class_pictures: tuple[int, int] = (0, 0)  # before its first step: how many are drawn, of how many

    def done(self, step: int, steps: int) -> None:
        """Step `step` of `steps` is done; of the next batch, if it is not a later one."""
        if step <= self.step and self.batches > 1:
            self.earlier += self.steps
        self.step, self.steps = step, steps
        self.begin = self.begin or step
        self.last_step = monotonic()
        self.first_step = self.first_step or self.last_step

    @property
    def fraction(self) -> float:
        """How much of it is done, 0 to 1. What follows the last step, such as decoding, counts as one more."""
        drawn, to_draw = self.class_pictures
        return (drawn + self.step) / (to_draw + self.steps + 1)

    @property
    def batches(self) -> int:
        """How many batches it is made in, such as the drafts of a tuning."""
        if not isinstance(self.work, Unit) or not self.work.batch:
            return 1
        return -(-len(self.work.images) // self.work.batch)

    @property
    def elapsed(self) -> float:
        """Seconds since it started."""
        return monotonic() - self.started

    @property
    def seconds_left(self) -> float | None:
        """Estimated from the measured time of its own steps; None until two of them are done."""
        done = self.earlier + self.step
        if not self.begin < done:
            return None
        a_step = (self.last_step - self.first_step) / (done - self.begin)
        return max(0.0, a_step * (self.batches * self.steps - done) - (monotonic() - self.last_step))


@dataclass(frozen=True)
class Changes:
    """What changed in a topic up to `cursor`. `images` is None if that is unknown: reload everything."""

    cursor: str
    images: frozenset[int] | None
    progress: bool = False  # nothing but steps and previews


class _Changes:
    """The recent changes of one topic."""

    def __init__(self, forgotten: int) -> None:
        self.changes: deque[tuple[int, frozenset[int] | None, bool]] = deque(maxlen=REMEMBERED_CHANGES)
        self.forgotten = forgotten  # changes up to this number may have been forgotten
        self.last = forgotten
        self.changed = asyncio.Event()  # replaced by every change
        self.watchers = 0

    def add(self, number: int, images: frozenset[int] | None, progress: bool = False) -> None:
        if len(self.changes) == REMEMBERED_CHANGES:
            self.forgotten = self.changes[0][0]
        self.changes.append((number, images, progress))
        self.last = number
        self.changed.set()
        self.changed = asyncio.Event()


class Bus:
    def __init__(self) -> None:
        self.running: dict[int, RunningUnit] = {}  # by unit
        self.previews: dict[int, tuple[int, bytes]] = {}  # by image: the step it was taken at, and the latest WebP
        self.closed = asyncio.Event()
        self._count = 0
        self._forgotten = 0  # the last change of all dropped topics
        self._topics: OrderedDict[Topic, _Changes] = OrderedDict()
        self._life = secrets.token_hex(4)  # numbers restart with the process; a cursor from another process is invalid

    def publish(self, topic: Topic, *image_ids: int, progress: bool = False) -> None:
        """Tell watchers of a topic that it changed, and which of its images; `progress` that it was only a step."""
        self._count += 1
        self._topic(topic).add(self._count, frozenset(image_ids), progress)

    def publish_all(self, topic: Topic) -> None:
        """Tell watchers of a topic that any of its images may have changed."""
        self._count += 1
        self._topic(topic).add(self._count, None)

    def publish_everywhere(self) -> None:
        """Tell all watchers that something changed for everyone, such as a pause of the queue."""
        for topic in tuple(self._topics):
            self.publish(topic)
        for running in self.running.values():
            self.publish(running.topic, *_image_ids(running.work))

    def cursor(self) -> str:
        """The current position: a page rendered after this call misses nothing by watching from here."""
        return f"{self._life}-{self._count}"

    def since(self, topic: Topic, *cursors: str) -> Changes | None:
        """What changed in a topic after the oldest of some cursors; None if nothing did."""
        numbers = [number for number in map(self._number, cursors) if number is not None]
        recent = self._topic(topic)
        if len(numbers) < len(cursors) or min(numbers) < recent.forgotten:
            return Changes(self.cursor(), None)
        if recent.last <= min(numbers):
            return None
        first = min(numbers)
        missed = [(images, progress) for count, images, progress in recent.changes if count > first]
        known = [images for images, _ in missed if images is not None]
        images = frozenset[int]().union(*known) if len(known) == len(missed) else None
        return Changes(self.cursor(), images, all(progress for _, progress in missed))

    async def changes(self, topic: Topic, after: str) -> Changes:
        """Wait for changes in a topic after a cursor, or until the bus is closed."""
        recent = self._topic(topic)
        recent.watchers += 1
        try:
            while (found := self.since(topic, after)) is None and not self.closed.is_set():
                await _first(recent.changed, self.closed)
        finally:
            recent.watchers -= 1
        return found or Changes(self.cursor(), frozenset())

    def close(self) -> None:
        """Release all watchers: the server is stopping."""
        self.closed.set()

    def running_for(self, topic: Topic) -> list[RunningUnit]:
        """What is in the engine for a topic. Thread-safe: the event loop may change it at the same time."""
        return [unit for unit in self.running_units() if unit.topic == topic]

    def fraction_of(self, topic: Topic) -> float:
        """How much of what is in the engine for a topic is done, 0 to 1. Thread-safe, as `running_for`."""
        running = self.running_for(topic)
        return sum(unit.fraction for unit in running) / len(running) if running else 0.0

    def running_units(self) -> tuple[RunningUnit, ...]:
        """What is in the engine. Thread-safe, as `running_for`."""
        return tuple(self.running.values())

    def begin(self, work: Work, topic: Topic) -> None:
        self.running[work.id] = RunningUnit(work, topic)
        self.publish(topic, *_image_ids(work))

    def step(self, event: Step) -> None:
        running = self.running[event.unit_id]
        running.done(event.step, event.steps)
        running.loss = event.loss
        self.publish(running.topic, *_image_ids(running.work), progress=True)

    def class_picture(self, event: ClassPicture) -> None:
        running = self.running[event.unit_id]
        running.class_pictures = event.number, event.count
        self.publish(running.topic, progress=True)

    def preview(self, event: Preview) -> None:
        running = self.running[event.unit_id]
        self.previews[event.image_id] = (running.step, event.webp)
        self.publish(running.topic, event.image_id, progress=True)

    def kept(self, event: Event) -> None:
        """An event's result is in the database. A finished or failed image needs no preview any more."""
        image_ids = (event.image_id,) if isinstance(event, ImageReady | ImageFailed) else ()
        for image_id in image_ids:
            self.previews.pop(image_id, None)
        self.publish(self.running[event.unit_id].topic, *image_ids)

    def end(self, unit_id: int) -> None:
        """The unit left the engine, for any reason; drop what was in memory for it."""
        running = self.running.pop(unit_id, None)
        for image_id in _image_ids(running.work) if running else ():
            self.previews.pop(image_id, None)

    def _topic(self, topic: Topic) -> _Changes:
        changes = self._topics.pop(topic, None) or _Changes(self._forgotten)
        self._topics[topic] = changes  # now the newest
        if len(self._topics) > REMEMBERED_TOPICS:
            self._forget_one()
        return changes

    def _forget_one(self) -> None:
        """Drop the unwatched topic that has been quiet for longest."""
        quiet = next((topic for topic, changes in self._topics.items() if not changes.watchers), None)
        if quiet is not None:
            self._forgotten = max(self._forgotten, self._topics.pop(quiet).last)

    def _number(self, cursor: str) -> int | None:
        life, _, number = cursor.partition("-")
        return whole_number(number) if life == self._life else None


def _image_ids(work: Work) -> tuple[int, ...]:
    return tuple(image.image_id for image in work.images) if isinstance(work, Unit) else ()


async def _first(*events: asyncio.Event) -> None:
    """Wait until one of the events is set."""
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
