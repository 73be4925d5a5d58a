"""Event streams per person and in total: one too many ends the oldest, over real connections."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import httpx2
from fastapi.routing import APIRoute
from fastapi.sse import EventSourceResponse

from app.main import PAGES
from app.models import Role
from app.sets.queries import topic
from app.web.following import SOURCES
from app.web.stream import watch
from tests.web.server import Browser, Server, making
from tests.web.test_sessions import leave_alone


@contextmanager
def streaming(browser: Browser, path: str) -> Iterator[Iterator[str]]:
    with browser.stream("GET", path, headers={"accept": "text/event-stream"}) as answer:
        assert answer.status_code == 200
        yield answer.iter_lines()


def queued(server: Server, browser: Browser) -> str:
    """The events of a finished set's review room, which never end by themselves."""
    with making(server) as make:
        return f"/sets/{make.finished_set(browser.user).id}/news"


def settled(server: Server, number: int) -> bool:
    """Whether this many streams are open, after a while."""
    with Browser(server.url) as clock:
        for _ in range(300):
            if len(server.resources.streams) == number:
                return True
            clock.get("/healthz")
    return False


def ends(lines: Iterator[str]) -> bool:
    """Whether the stream ends properly; waits for it."""
    try:
        for _ in lines:
            pass
    except httpx2.HTTPError:
        return False
    return True


def test_the_twenty_first_of_a_person_ends_their_first(server: Server, sign_in: Callable[..., Browser]) -> None:
    mine, other = sign_in(Role.REVIEWER), sign_in(Role.REVIEWER)
    path = queued(server, mine)
    with ExitStack() as stack:
        others = stack.enter_context(streaming(other, path))
        lines = [stack.enter_context(streaming(mine, path)) for _ in range(20)]
        assert settled(server, 21)
        lines += [stack.enter_context(streaming(mine, path)) for _ in range(2)]
        assert ends(lines[0])
        assert ends(lines[1])
        assert settled(server, 21)
        mine.post(f"/sets/{path.split('/')[2]}/lock")
        assert mine.get("/sets").status_code == 200, "pages are as quick as ever"
        assert others
    assert settled(server, 0), "what was closed is not counted any more"


def test_over_the_total_the_person_with_the_most_loses_one(server: Server, sign_in: Callable[..., Browser]) -> None:
    server.resources.streams.in_all = 4
    greedy, modest, late = (sign_in(Role.REVIEWER) for _ in range(3))
    path = queued(server, greedy)
    with ExitStack() as stack:
        stack.enter_context(streaming(modest, path))
        lines = [stack.enter_context(streaming(greedy, path)) for _ in range(3)]
        assert settled(server, 4)
        stack.enter_context(streaming(late, path))
        assert ends(lines[0])
        assert settled(server, 4)
    assert settled(server, 0)


def test_all_live_pages_listen_in_the_same_way() -> None:
    """So what holds for one holds for all: where they start, how often they hear, and that a sign-out ends them."""
    routes = [route for module in PAGES for route in module.router.routes if isinstance(route, APIRoute)]
    streams = {route.path for route in routes if route.response_class is EventSourceResponse}
    listening = {
        route.path for route in routes if watch in [dependency.call for dependency in route.dependant.dependencies]
    }
    assert streams == listening | {"/events"}, "which is several of the others"
    assert listening == {"/sets/{set_id}/events", "/sets/{set_id}/news", "/subjects/{subject_id}/events"}
    endpoints = {route.endpoint for route in routes if route.path in listening}
    assert {source.events for source in SOURCES.values()} == endpoints


def test_an_idle_browser_gets_no_events(server: Server, designer: Browser) -> None:
    with streaming(designer, queued(server, designer)) as lines:
        assert "event: news" in lines
        leave_alone(server, designer, server.resources.settings.idle_minutes)
        server.app.state.dispatcher.changed(topic(1))
        assert ends(lines)
