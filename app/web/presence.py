"""Who is there: which browsers asked for pages lately, kept in memory and written down once a minute.

So that reading a page stays reading: no request waits for the database's write lock to say that somebody was here.
"""

import asyncio
from datetime import datetime
from functools import partial
from threading import Lock

import structlog
from sqlalchemy.exc import OperationalError
from starlette.requests import HTTPConnection

from app.accounts import service as accounts
from app.background import BackgroundLoop
from app.database import Database
from app.models import now

log = structlog.get_logger()

SECONDS = 60.0
UNATTENDED = "soroe-unattended"  # a header of what our pages ask for by themselves


def by_somebody(request: HTTPConnection) -> bool:
    """Whether a request shows that a person is there: not an event stream, a picture, a page that looks for news,
    or one that is fetched before somebody wants it.
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
            partial(asyncio.to_thread, self.write), trouble="who was seen could not be written down", seconds=SECONDS
        )

    def see(self, token_hash: str, address: str) -> None:
        """A browser asked for something just now, from an address."""
        with self._lock:
            self._seen[token_hash] = now(), address

    def write(self) -> None:
        """Write down who was seen since the last time, in one transaction."""
        with self._lock:
            seen, self._seen = self._seen, {}
        if not seen:
            return
        try:
            with self.database.write() as session:
                accounts.note_seen(session, seen)
        except OperationalError as error:  # somebody holds the lock for long: the next minute will do
            log.warning("who was seen is not written down yet", reason=str(error.orig))
            with self._lock:
                self._seen = seen | self._seen

    async def run(self) -> None:
        """Write every minute, and once more at the end."""
        try:
            await self._background.run()
        finally:
            self.write()
