"""What many small requests ask again and again: who is signed in, and which file a picture is.

A page shows dozens of pictures, and all who watch a set request each of its previews. Such an answer is remembered
until anything is committed, by this process or another one. So nobody sees more than the database would let them see
at that moment. Sessions also end with time alone, so nothing is remembered for longer than `SECONDS`.
"""

from collections.abc import Callable, Hashable
from time import monotonic
from typing import Any, TypeVar, cast

from anyio import to_thread
from sqlalchemy.orm import Session

from app.database import Database

SECONDS = 1.0
MOST = 10_000  # answers

T = TypeVar("T")


class Fresh:
    """Answers of the database that are still true. All methods belong to the event loop's thread."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._known: dict[Hashable, Any] = {}
        self._version = 0
        self._until = 0.0

    async def find(self, key: Hashable, read: Callable[[Session], T]) -> T:
        """What `read` returns, which `key` stands for; what it raises, and None, is not remembered.

        The result is shared among requests: only read it.
        """
        version = self.database.version()
        if version != self._version or monotonic() >= self._until or len(self._known) >= MOST:
            self._known, self._version, self._until = {}, version, monotonic() + SECONDS
        known = self._known
        if key in known:
            return cast(T, known[key])
        found = await to_thread.run_sync(self._read, read)
        if found is not None:
            known[key] = found  # of that version, which was there before it was read
        return found

    def _read(self, read: Callable[[Session], T]) -> T:
        with self.database.read() as session:
            return read(session)
