"""Track activity: which browsers requested pages lately, kept in memory and stored once a minute.

This keeps reading a page a read: no request waits for the database's write lock to note its time.
"""

import asyncio
from datetime import datetime
from functools import partial
from threading import Lock

from starlette.requests import HTTPConnection

from app.accounts import service as accounts
from app.background import BackgroundLoop
from app.database import Database
from app.models import now
from app.storage import CannotSave

SECONDS = 60.0
UNATTENDED = "soroe-unattended"  # a header of our pages' automatic requests


def by_somebody(request: HTTPConnection) -> bool:
    """Whether a request shows that a person is there.

    Event streams, pictures, checks for news and prefetched pages do not.
    """
    headers = request.headers
    stream = "text/event-stream" in headers.get("accept", "")
    ahead = any("prefetch" in headers.get(name, "") for name in ("purpose", "sec-purpose"))
    return not (stream or ahead or headers.get("sec-fetch-dest") == "image" or UNATTENDED in headers)


class Presence:
    def __init__(self, database: Database) -> None:
        self.database = database
        self._seen: dict[str, tuple[datetime, str]] = {}
        self._lock = Lock()
        self._background = BackgroundLoop(
            partial(asyncio.to_thread, self.write),
            "presence",
            trouble="last-seen times could not be stored",
            seconds=SECONDS,
        )

    def see(self, token_hash: str, address: str) -> None:
        """A browser requested something from an address just now."""
        with self._lock:
            self._seen[token_hash] = now(), address

    def write(self) -> None:
        """Store who was seen since the last time, in one transaction."""
        with self._lock:
            seen, self._seen = self._seen, {}
        if not seen:
            return
        try:
            with self.database.write() as session:
                accounts.note_seen(session, seen)
        except CannotSave:  # the next minute is fine
            with self._lock:
                self._seen = seen | self._seen

    async def run(self) -> None:
        """Store every minute, and again at the end."""
        try:
            await self._background.run()
        finally:
            self.write()
