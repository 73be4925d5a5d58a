"""Server-sent events of live pages: who watches, from where, how often they hear, and when it ends.

A message describes the current state, never the change. Its id is a cursor of the bus, so a browser that reconnects
with `Last-Event-ID` gets what it missed, once. A stream ends when its person has signed out, when a newer one takes its
place (`app.web.limits.streams`), when its subject is done, or with the server.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.sse import ServerSentEvent
from sqlalchemy.orm import Session

from app.accounts import service as accounts
from app.models import User
from app.web.deps import Open, Resources, ResourcesDep, session_token
from app.web.limits.streams import Stream
from app.work.topics import Topic

MESSAGE_SECONDS = 0.25  # at most four messages a second; changes in between are combined


@dataclass(frozen=True)
class Message:
    """A message to a page; without `data`, nothing is sent."""

    data: str = ""
    event: str | None = None
    id: str | None = None  # replaces the cursor
    done: bool = False  # nothing more changes on its own


Look = Callable[[Session, User, frozenset[int] | None], Message]
"""Builds a message for a person about a topic's current state: some changed images, or everything for None."""


@dataclass(frozen=True)
class Watch:
    """A page that listens. The token is looked up again for every message: signing out ends the stream."""

    resources: Resources
    stream: Stream
    token: str
    after: str  # the id of the last message that the browser has, or the cursor of its page

    async def follow(self, topic: Topic, look: Look) -> AsyncIterator[ServerSentEvent]:
        """The messages of `look` after each change of `topic`, starting with the changes since `after`."""
        bus, cursor = self.resources.bus, self.after
        while not bus.closed.is_set():
            changes = await self.stream.first(bus.changes(topic, cursor))
            if changes is None:
                return
            cursor = changes.cursor
            message = await asyncio.to_thread(self.told, look, changes.images)
            if message is None:
                return
            if message.data:
                yield ServerSentEvent(raw_data=message.data, event=message.event, id=message.id or cursor)
            if message.done:
                yield ServerSentEvent(raw_data="done", event="done", id=cursor)
                return
            await asyncio.sleep(MESSAGE_SECONDS)

    def told(self, look: Look, images: frozenset[int] | None) -> Message | None:
        """The person's message now; None once they have been signed out."""
        with self.resources.database.read() as session:
            me = accounts.user_for_token(session, self.token, self.resources.settings.idle_minutes)
            return look(session, me, images) if me else None


def watch(request: Request, resources: ResourcesDep, stream: Open, after: str = "") -> Watch:
    return Watch(resources, stream, session_token(request), request.headers.get("last-event-id", after))


Watching = Annotated[Watch, Depends(watch)]
