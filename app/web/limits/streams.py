"""Limit open event streams, per person and in total.

One too many ends the oldest and refuses nobody: the person who opened the newest is looking at it. The oldest is most
likely one that nobody sees, from a laptop that was shut or a network that was left. All visible pages of a browser
share one stream (`app.web.following`), and hidden ones need none.
"""

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import TypeVar

OF_PERSON = 20
IN_ALL = 400

T = TypeVar("T")


class Stream:
    """An open stream of a session, until it is `ended` for a newer one or with the session."""

    def __init__(self, token: str = "") -> None:
        self.token = token
        self.ended = asyncio.Event()

    async def first(self, awaited: Awaitable[T]) -> T | None:
        """Await something; None if the stream ends first."""
        wanted, ended = asyncio.ensure_future(awaited), asyncio.ensure_future(self.ended.wait())
        try:
            await asyncio.wait({wanted, ended}, return_when=asyncio.FIRST_COMPLETED)
            return None if ended.done() else wanted.result()
        finally:
            wanted.cancel()
            ended.cancel()
            await asyncio.wait({wanted, ended})


class Streams:
    """The open streams. All methods but `end_session` belong to the event loop's thread."""

    def __init__(self, of_person: int = OF_PERSON, in_all: int = IN_ALL) -> None:
        self.of_person = of_person
        self.in_all = in_all
        self._open: dict[int, dict[Stream, None]] = {}  # by person, oldest first
        self._loop: asyncio.AbstractEventLoop | None = None

    @contextmanager
    def open(self, person_id: int, token: str = "") -> Iterator[Stream]:
        """Open a stream for someone, which may end an older one: their own, or one of the person with the most."""
        self._loop = asyncio.get_running_loop()
        if len(self._open.get(person_id, ())) >= self.of_person:
            self._end_oldest(person_id)
        elif len(self) >= self.in_all:
            self._end_oldest(max(self._open, key=lambda each: len(self._open[each])))
        stream = Stream(token)
        self._open.setdefault(person_id, {})[stream] = None
        try:
            yield stream
        finally:
            self._forget(person_id, stream)

    def end_session(self, token: str) -> None:
        """End the streams of a session that was signed out; from any thread."""
        if self._loop:
            self._loop.call_soon_threadsafe(self._end_session, token)

    def _end_session(self, token: str) -> None:
        for stream in [each for mine in self._open.values() for each in mine if each.token == token]:
            stream.ended.set()

    def __len__(self) -> int:
        return sum(map(len, self._open.values()))

    def _end_oldest(self, person_id: int) -> None:
        oldest = next(iter(self._open[person_id]))
        oldest.ended.set()
        self._forget(person_id, oldest)

    def _forget(self, person_id: int, stream: Stream) -> None:
        mine = self._open.get(person_id, {})
        mine.pop(stream, None)
        if not mine:
            self._open.pop(person_id, None)
