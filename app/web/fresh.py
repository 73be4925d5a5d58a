"""What many small requests ask again and again: who is signed in, and which file a picture is.

A page shows dozens of pictures, and all who watch a set request each of its previews. Such an answer is remembered
until anything is committed, by this process or another one. So nobody sees more than the database would let them see
at that moment. Sessions also end with time alone, so nothing is remembered for longer than `SECONDS`.

A browser asks for several pictures at once. What is asked while the database is read is read next, all of it in one
snapshot and on one thread, and the same question only once.
"""

import asyncio
from collections.abc import Callable, Hashable
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, TypeVar, cast

from anyio import CapacityLimiter, to_thread
from sqlalchemy.orm import Session

from app.database import Database

SECONDS = 1.0
MOST = 10_000  # answers

T = TypeVar("T")
Answer = tuple[Any, Exception | None]


@dataclass
class Lookup:
    """What is to be read."""

    read: Callable[[Session], Any]
    answer: asyncio.Future[Any] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    context: Context = field(default_factory=copy_context)  # a refusal speaks the language of who asked

    def put_to(self, session: Session) -> Answer:
        try:
            return self.context.run(self.read, session), None
        except Exception as error:  # it belongs to who asked
            return None, error

    def tell(self, answer: Any, error: Exception | None) -> None:
        if error:
            self.answer.set_exception(error)
            self.answer.exception()  # nobody has to wait for it: the browser may have left
        else:
            self.answer.set_result(answer)


class Fresh:
    """Answers of the database that are still true. All methods belong to the event loop's thread."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._known: dict[Hashable, Any] = {}
        self._asked: dict[Hashable, Lookup] = {}  # of the same version
        self._version = 0
        self._until = 0.0
        self._waiting: list[Lookup] = []
        self._reading: asyncio.Task[None] | None = None
        self._thread = CapacityLimiter(1)  # its own: pictures never wait for pages

    async def find(self, key: Hashable, read: Callable[[Session], T]) -> T:
        """What `read` returns, which `key` stands for; what it raises, and None, is not remembered.

        The result is shared among requests: only read it.
        """
        version = self.database.version()
        if version != self._version or monotonic() >= self._until or len(self._known) >= MOST:
            self._known, self._asked, self._version, self._until = {}, {}, version, monotonic() + SECONDS
        known, others = self._known, self._asked  # of that version, which was there before anything is read
        if key in known:
            return cast(T, known[key])
        if key in others:
            try:
                return cast(T, await asyncio.shield(others[key].answer))
            except Exception:  # told to who asked first, in their language
                return cast(T, await self._ask(Lookup(read)))
        mine = others[key] = Lookup(read)
        mine.answer.add_done_callback(lambda _: others.pop(key))
        found = await self._ask(mine)
        if found is not None:
            known[key] = found
        return cast(T, found)

    async def _ask(self, asked: Lookup) -> Any:
        self._waiting.append(asked)
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._answer())
        return await asyncio.shield(asked.answer)

    async def _answer(self) -> None:
        """Answer what waits, then what was asked while that was read."""
        while asked := self._waiting:
            self._waiting = []
            try:
                answers = await to_thread.run_sync(self._read, asked, limiter=self._thread)
            except Exception as error:  # without a session
                answers = [(None, error)] * len(asked)
            for each, answer in zip(asked, answers, strict=True):
                each.tell(*answer)

    def _read(self, asked: list[Lookup]) -> list[Answer]:
        with self.database.read() as session:
            return [each.put_to(session) for each in asked]
