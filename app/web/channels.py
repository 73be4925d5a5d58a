"""One rendering for everyone who watches the same thing.

Watchers of a topic wait in a `Channel`. When the topic changes, at most four times a second, it looks once and gives
what it shows to all of them. Steps and previews alone make a round once a second, or less often for more than twelve:
each page then loads every preview, so they are most of what many watchers cost. What a round shows may not depend on
who watches: acts that not everyone may do are in it for everyone, and each page hides those of others
(`app.web.stream`).

Someone who has missed something, because they just connected or read slowly, is not current. All of those together get
what changed since the first thing that any of them missed. So a round renders twice at most, however many watch, and a
slow reader costs one number, not a queue.
"""

import asyncio
from collections.abc import Callable, Collection, Hashable, Iterable
from dataclasses import dataclass, field
from functools import partial
from math import inf
from time import monotonic
from typing import Any, Generic, TypeVar
from weakref import WeakValueDictionary

import structlog
from anyio import CapacityLimiter, to_thread
from sqlalchemy.orm import Session

from app.accounts import service as accounts
from app.database import Database
from app.models import User
from app.work.bus import Bus, Changes
from app.work.topics import Topic

MESSAGE_SECONDS = 0.25  # at most four rounds a second; changes in between are combined
PROGRESS_SECONDS = 1.0  # between rounds with steps and previews alone, for few watchers
PROGRESS_MOST_SECONDS = 3.0  # for any number of them
WATCHERS_A_SECOND = 12  # that get steps and previews alone
THREADS = 2  # that render; more would only compete for the processor

T = TypeVar("T")
log = structlog.get_logger()

Look = Callable[[Session, User, frozenset[int] | None], T]
"""Reads and renders what changed: some images of a topic, or everything for None. `User` is one of those who watch."""


@dataclass(frozen=True)
class Heard(Generic[T]):
    """What a watcher gets."""

    cursor: str  # of the bus, for the next message
    shown: T  # the same for everyone
    person: User  # as they are now


@dataclass(eq=False)
class Waiting(Generic[T]):
    """A watcher between two messages."""

    token: str  # of their session
    cursor: str  # of the bus, for the last message that they have
    answer: "asyncio.Future[Heard[T] | None]" = field(default_factory=asyncio.Future)


class Channel(Generic[T]):
    """Those who watch one topic in one way. All methods belong to the event loop's thread."""

    def __init__(self, channels: "Channels", topic: Topic, look: Look[T]) -> None:
        self.channels = channels
        self.topic = topic
        self.look = look
        self.cursor = ""  # of the latest round
        self.waiting: set[Waiting[T]] = set()
        self._last_round = -inf
        self._moved = asyncio.Event()  # someone joined or left
        self._rounds: asyncio.Task[None] | None = None

    async def next(self, token: str, cursor: str) -> Heard[T] | None:
        """Wait for what changed after a cursor.

        None once the person was signed out, or the server stops.
        """
        waiting = Waiting[T](token, cursor)
        self.waiting.add(waiting)
        self._moved.set()
        if self._rounds is None or self._rounds.done():
            self._rounds = asyncio.create_task(self._run(), name=f"watchers of {self.topic}")
        try:
            return await waiting.answer
        finally:
            self.waiting.discard(waiting)
            self._moved.set()

    async def _run(self) -> None:
        """Rounds, as long as someone waits."""
        try:
            while self.waiting and not self.channels.bus.closed.is_set():
                if (seconds := self._seconds_left()) > 0:
                    await self._something(seconds)
                    continue
                self._last_round = monotonic()
                await self._round()
        finally:
            self._answer(tuple(self.waiting), None)

    def _due(self) -> list[Waiting[T]]:
        return [each for each in self.waiting if self.channels.bus.since(self.topic, each.cursor)]

    def _seconds_left(self) -> float:
        """Until the next round; infinite while nobody is due."""
        cursors = {each.cursor for each in self.waiting}
        missed = [each for cursor in cursors if (each := self.channels.bus.since(self.topic, cursor))]
        if not missed:
            return inf
        progress = all(each.progress for each in missed)
        between = between_progress(len(self.waiting)) if progress else MESSAGE_SECONDS
        return self._last_round + between - monotonic()

    async def _something(self, seconds: float) -> None:
        """Wait until the topic changes from now on, someone joins or leaves, or these seconds are over."""
        self._moved.clear()
        cursor = self.channels.bus.cursor()
        waiting = [
            asyncio.ensure_future(self.channels.bus.changes(self.topic, cursor)),
            asyncio.ensure_future(self._moved.wait()),
        ]
        try:
            timeout = None if seconds == inf else seconds
            await asyncio.wait(waiting, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waiting:
                each.cancel()
            await asyncio.wait(waiting)

    async def _round(self) -> None:
        """Show those who are current what changed since the last round, and the others what they missed."""
        due = self._due()
        current = [each for each in due if each.cursor == self.cursor]
        behind = [each for each in due if each.cursor != self.cursor]
        # Found together, before anything more changes: after this, all of them are current.
        found = [
            (group, self.channels.bus.since(self.topic, *(each.cursor for each in group)))
            for group in (current, behind)
            if group
        ]
        for group, changes in found:
            if changes:
                self.cursor = changes.cursor
                await self._show(group, changes)

    async def _show(self, group: list[Waiting[T]], changes: Changes) -> None:
        tokens = frozenset(each.token for each in group)
        try:
            people, shown = await self.channels.in_thread(partial(self._look, tokens, changes))
        except Exception:
            log.exception("a live page could not be rendered", topic=str(self.topic))
            self._answer(group, None)
            return
        for each in group:
            person = people.get(each.token)
            self._answer([each], Heard(changes.cursor, shown, person) if person else None)

    def _look(self, tokens: Collection[str], changes: Changes) -> tuple[dict[str, User], T | None]:
        """Who is still signed in, by token, and what they see."""
        with self.channels.database.read() as session:
            people = accounts.people_of_tokens(session, tokens, self.channels.idle_minutes)
            one = next(iter(people.values()), None)
            return people, self.look(session, one, changes.images) if one else None

    def _answer(self, group: Iterable[Waiting[T]], answer: Any) -> None:
        for each in group:
            self.waiting.discard(each)
            if not each.answer.done():
                each.answer.set_result(answer)


def between_progress(watchers: int) -> float:
    """Seconds between two rounds with steps and previews alone."""
    return min(max(PROGRESS_SECONDS, watchers / WATCHERS_A_SECOND), PROGRESS_MOST_SECONDS)


class Channels:
    """The channels that someone watches."""

    def __init__(self, bus: Bus, database: Database, idle_minutes: int) -> None:
        self.bus = bus
        self.database = database
        self.idle_minutes = idle_minutes
        self._limiter = CapacityLimiter(THREADS)
        self._open: WeakValueDictionary[Hashable, Channel[Any]] = WeakValueDictionary()

    def of(self, key: Hashable, topic: Topic, look: Look[T]) -> Channel[T]:
        """The channel of `key`, which says everything that `look` depends on."""
        channel = self._open.get(key)
        if channel is None:
            channel = self._open[key] = Channel(self, topic, look)
        return channel

    async def in_thread(self, function: Callable[[], T]) -> T:
        return await to_thread.run_sync(function, limiter=self._limiter)
