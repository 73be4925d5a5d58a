"""Server-sent events of live pages: who watches, from where, and when it ends.

A message describes the current state, never the change. Its id is a cursor of the bus, so a browser that reconnects
with `Last-Event-ID` gets what it missed, once. A stream ends when its person has signed out, when a newer one takes its
place (`app.web.limits.streams`), when its subject is done, or with the server.

All who watch a topic in one language share a rendering (`app.web.channels`), with the acts of everyone. Each act has
what it `data-needs`, and is hidden on pages whose person may not do it: their `MayPart`, which follows their role.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, TypeVar

from fastapi import Depends, Request
from fastapi.sse import ServerSentEvent
from sqlalchemy.orm import Session

from app import languages
from app.models import Role, User
from app.web.channels import Heard
from app.web.deps import Open, Resources, ResourcesDep, session_token
from app.web.limits.streams import Stream
from app.web.templating import Page
from app.work.topics import Topic

May = frozenset[str]
"""What someone may do on a page: `change` what it shows, and act as each of the roles up to theirs."""

EVERYTHING = May({"change", "judge", "wait", *Role})

T = TypeVar("T")

Look = Callable[[Resources, int, Session, User, frozenset[int] | None], T]
"""What everyone sees who watches the topic with that id: some changed images, or everything for None.

A function of a module, because the watchers of one topic and one such function share its result.
"""


def what_may(me: User, *, change: bool) -> May:
    return May([role for role in Role if me.can(role)] + ["change"] * change)


@dataclass(frozen=True, kw_only=True)
class MayPart(Page):
    """What a page's person may do there."""

    template = "_may.html"

    may: May
    oob: bool = True  # for htmx to swap out of band


@dataclass(frozen=True)
class Message:
    """HTML for the pages of a topic."""

    data: str
    may: Callable[[User], May]  # what a person may do there
    done: bool = False  # nothing more changes on its own


@dataclass(frozen=True)
class Watch:
    """A page that listens. The token is looked up again for every message: signing out ends the stream."""

    resources: Resources
    stream: Stream
    token: str
    after: str  # the id of the last message that the browser has, or the cursor of its page
    lasting: bool = False  # also after its subject is done, which other people's acts still change
    language: str = languages.ENGLISH  # of the page

    async def follow(self, topic: Topic, look: Look[T]) -> AsyncIterator[Heard[T]]:
        """What `look` shows after each change of `topic`, starting with the changes since `after`."""
        seen = partial(shown_in, self.language, look, self.resources, topic.id)
        channel = self.resources.channels.of((topic, look, self.language), topic, seen)
        cursor = self.after
        while heard := await self.stream.first(channel.next(self.token, cursor)):
            cursor = heard.cursor
            yield heard

    async def messages(self, topic: Topic, look: Look[Message]) -> AsyncIterator[ServerSentEvent]:
        """The messages of `look`, until it says that nothing more changes."""
        known: May | None = None
        async for heard in self.follow(topic, look):
            message, may = heard.shown, heard.shown.may(heard.person)
            own = MayPart(may=may).html(self.resources.environment) if may != known else ""
            known = may
            yield ServerSentEvent(raw_data=message.data + own, id=heard.cursor)
            if message.done:
                yield ServerSentEvent(raw_data="done", event="done", id=heard.cursor)
                if not self.lasting:
                    return


def shown_in(
    language: str,
    look: Look[T],
    resources: Resources,
    of: int,
    session: Session,
    me: User,
    images: frozenset[int] | None,
) -> T:
    """What `look` shows in a language. Not in that of the request which happened to start the channel."""
    with languages.speaking(language):
        return look(resources, of, session, me, images)


def page_language(lang: str = "") -> str:
    """The language of a page that listens, which says it: its person may have changed theirs since."""
    return lang if lang in languages.LANGUAGES else languages.current()


def watch(
    request: Request,
    resources: ResourcesDep,
    stream: Open,
    language: Annotated[str, Depends(page_language)],
    after: str = "",
) -> Watch:
    after = request.headers.get("last-event-id", after)
    return Watch(resources, stream, session_token(request), after, language=language)


Watching = Annotated[Watch, Depends(watch)]
