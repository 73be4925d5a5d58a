"""Server-sent events of live pages: who watches, from where, and when it ends.

A message describes the current state, never the change. Its id is a cursor of the bus, so a browser that reconnects
with `Last-Event-ID` gets what it missed, once. A stream ends when its person has signed out, when a newer one takes its
place (`app.web.limits.streams`), when its subject is done, or with the server. How often it says something, and that
all watchers share one rendering, is up to `app.web.channels`.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, TypeVar

from fastapi import Depends, Request
from fastapi.sse import ServerSentEvent
from sqlalchemy.orm import Session

from app.models import Role, User
from app.web.deps import Me, Open, Resources, ResourcesDep, session_token
from app.web.limits.streams import Stream
from app.work.topics import Topic

LANGUAGE = "en"  # of all pages

May = frozenset[str]
"""What someone may do on a page: `change` what it shows, and act as each of the roles up to theirs."""

EVERYTHING = May({"change", *Role})  # in messages, which are the same for everyone

T = TypeVar("T")

Look = Callable[[Resources, int, Session, User, frozenset[int] | None], T]
"""What everyone sees who watches the topic with that id: some changed images, or everything for None.

A function of a module, because the watchers of one topic and one such function share its result.
"""


def what_may(me: User, *, change: bool) -> May:
    """For the `data-may` of a page. An act of a message has what it `data-needs`, and is hidden without that."""
    return May([role for role in Role if me.can(role)] + ["change"] * change)


@dataclass(frozen=True)
class Message:
    """HTML for a page, with the acts of everyone."""

    data: str
    done: bool = False  # nothing more changes on its own


@dataclass(frozen=True)
class Watch:
    """A page that listens. The token is looked up again for every message: signing out ends the stream."""

    resources: Resources
    stream: Stream
    person_id: int
    token: str
    after: str  # the id of the last message that the browser has, or the cursor of its page

    async def follow(self, topic: Topic, look: Look[T]) -> AsyncIterator[tuple[str, T]]:
        """A cursor, and what `look` shows, after each change of `topic`, starting with the changes since `after`."""
        seen = partial(look, self.resources, topic.id)
        channel = self.resources.channels.of((topic, look, LANGUAGE), topic, seen)
        cursor = self.after
        while found := await self.stream.first(channel.next(self.token, cursor)):
            cursor, _ = found
            yield found

    async def messages(self, topic: Topic, look: Look[Message]) -> AsyncIterator[ServerSentEvent]:
        """The messages of `look`, until it says that nothing more changes."""
        async for cursor, message in self.follow(topic, look):
            yield ServerSentEvent(raw_data=message.data, id=cursor)
            if message.done:
                yield ServerSentEvent(raw_data="done", event="done", id=cursor)
                return


def watch(request: Request, resources: ResourcesDep, me: Me, stream: Open, after: str = "") -> Watch:
    return Watch(resources, stream, me.id, session_token(request), request.headers.get("last-event-id", after))


Watching = Annotated[Watch, Depends(watch)]
