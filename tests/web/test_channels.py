"""Those who watch the same thing share one rendering, however many they are, and however slowly they read."""

import asyncio
import re
from collections.abc import Callable, Coroutine
from time import monotonic
from typing import Any

import pytest
from sqlalchemy.orm import Session

from app.accounts import service as accounts
from app.database import Database
from app.models import Role, State, User
from app.sets.queries import topic
from app.web.channels import MESSAGE_SECONDS, PROGRESS_SECONDS, Channel, Channels, between_progress
from app.work.bus import Bus
from tests.factory import Factory
from tests.web.server import Browser, Server, making
from tests.web.test_live import messages
from tests.web.test_sets import post_set, wait_for

Shown = frozenset[int] | None


class Room:
    """A bus, a channel of set 1, and people who are signed in; `looks` is what was rendered so far."""

    def __init__(self, database: Database, tokens: list[str]) -> None:
        self.bus = Bus()
        self.channels = Channels(self.bus, database, idle_minutes=0)
        self.tokens = tokens
        self.looks: list[Shown] = []
        self.channel: Channel[Shown] = self.channels.of("set 1", topic(1), self.look)

    def look(self, _: Session, __: User, images: Shown) -> Shown:
        self.looks.append(images)
        return images

    def watch(self, number: int, cursor: str) -> "asyncio.Task[tuple[str, Shown] | None]":
        return asyncio.create_task(self.heard(number, cursor))

    async def heard(self, number: int, cursor: str) -> tuple[str, Shown] | None:
        heard = await self.channel.next(self.tokens[number], cursor)
        return (heard.cursor, heard.shown) if heard else None


@pytest.fixture
def story(database: Database, make: Factory) -> Callable[[Callable[[Room], Coroutine[Any, Any, None]]], None]:
    """Runs a story in a room of 30 people."""
    tokens = [accounts.start_session(make.session, make.user()) for _ in range(30)]
    make.session.commit()

    def run(told: Callable[[Room], Coroutine[Any, Any, None]]) -> None:
        async def within() -> None:
            async with asyncio.timeout(20):
                await told(Room(database, tokens))

        asyncio.run(within())

    return run


Story = Callable[[Callable[[Room], Coroutine[Any, Any, None]]], None]


def test_one_rendering_serves_everyone(story: Story) -> None:
    async def told(room: Room) -> None:
        cursors = [room.bus.cursor()] * 30
        for round in range(3):
            waiting = [room.watch(number, cursor) for number, cursor in enumerate(cursors)]
            await asyncio.sleep(0)
            room.bus.publish(topic(1), round)
            heard = await asyncio.gather(*waiting)
            assert {each and each[1] for each in heard} == {frozenset({round})}
            cursors = [each[0] for each in heard if each]
        assert room.looks == [{0}, {1}, {2}]

    story(told)


def test_changes_are_combined_to_four_messages_a_second(story: Story) -> None:
    async def told(room: Room) -> None:
        cursor, began = room.bus.cursor(), monotonic()
        for round in range(3):
            room.bus.publish(topic(1), 10 * round)
            room.bus.publish(topic(1), 10 * round + 1)
            found = await room.watch(0, cursor)
            assert found is not None
            cursor = found[0]
        assert room.looks == [{0, 1}, {10, 11}, {20, 21}]
        assert monotonic() - began >= 2 * MESSAGE_SECONDS

    story(told)


def test_steps_alone_make_one_message_a_second_and_a_finished_picture_does_not_wait_for_it(story: Story) -> None:
    async def told(room: Room) -> None:
        first = room.watch(0, room.bus.cursor())
        await asyncio.sleep(0)
        room.bus.publish(topic(1), 1, progress=True)
        heard, began = await first, monotonic()
        assert heard == (room.bus.cursor(), {1})
        room.bus.publish(topic(1), 2, progress=True)
        heard = await room.watch(0, heard[0])
        assert monotonic() - began >= 0.9 * PROGRESS_SECONDS
        assert heard == (room.bus.cursor(), {2})
        began = monotonic()
        room.bus.publish(topic(1), 3, progress=True)
        second = room.watch(0, heard[0])
        await asyncio.sleep(0.01)
        room.bus.publish(topic(1), 4)
        assert await second == (room.bus.cursor(), {3, 4})
        assert monotonic() - began < PROGRESS_SECONDS

    story(told)


@pytest.mark.parametrize(("watchers", "seconds"), [(1, 1.0), (12, 1.0), (24, 2.0), (36, 3.0), (500, 3.0)])
def test_many_watchers_get_steps_and_previews_less_often(watchers: int, seconds: float) -> None:
    assert between_progress(watchers) == seconds


def test_all_who_missed_something_share_one_rendering_of_it(story: Story) -> None:
    async def told(room: Room) -> None:
        cursors = []
        for image_id in range(5):  # each connected at another time, and read nothing since
            cursors.append(room.bus.cursor())
            room.bus.publish(topic(1), image_id)
        current = await room.watch(0, cursors[-1])
        assert current == (room.bus.cursor(), {4})
        room.looks.clear()
        behind = [room.watch(1 + number, cursor) for number, cursor in enumerate(cursors)]
        first = room.watch(0, current[0])
        await asyncio.sleep(0)
        room.bus.publish(topic(1), 9)
        assert await first == (room.bus.cursor(), {9}), "who missed nothing gets no more than that"
        assert {await each for each in behind} == {(room.bus.cursor(), frozenset({0, 1, 2, 3, 4, 9}))}
        assert len(room.looks) == 2

    story(told)


def test_a_sign_out_ends_that_one_only(story: Story, database: Database) -> None:
    async def told(room: Room) -> None:
        waiting = [room.watch(number, room.bus.cursor()) for number in range(3)]
        await asyncio.sleep(0)
        with database.write() as session:
            accounts.sign_out(session, room.tokens[1])
        room.bus.publish(topic(1), 7)
        assert [bool(each) for each in await asyncio.gather(*waiting)] == [True, False, True]

    story(told)


def test_nobody_waits_for_ever(story: Story) -> None:
    async def told(room: Room) -> None:
        left, stays = (room.watch(number, room.bus.cursor()) for number in range(2))
        await asyncio.sleep(0)
        left.cancel()
        await asyncio.wait([left])
        assert len(room.channel.waiting) == 1
        room.bus.close()
        assert await stays is None

    story(told)


def test_a_fault_in_a_rendering_ends_those_streams_and_the_next_one_works(story: Story) -> None:
    async def told(room: Room) -> None:
        channel = room.channels.of("broken", topic(1), lambda *_: 1 // 0)
        assert await channel.next(room.tokens[0], "") is None
        assert await room.watch(0, "") is not None

    story(told)


def test_a_message_is_the_same_for_every_person_and_pages_hide_what_theirs_may_not_do(
    server: Server, designer: Browser, sign_in: Callable[..., Browser]
) -> None:
    with making(server) as make:
        code = make.style().code
    path = post_set(designer, code, "a fox\na fail", steps="1")
    wait_for(server, path, State.FINISHED, State.FAILED)
    people = {"owner": designer} | {role: sign_in(role) for role in Role}
    first = {name: next(messages(browser, f"{path}/events")).data for name, browser in people.items()}
    assert len({each.split('<span id="may"')[0] for each in first.values()}) == 1
    acts = [tag for tag in re.findall(r"<(?:form|a)\b[^>]*>", first["owner"]) if 'method="post"' in tag or "btn" in tag]
    assert len(acts) >= 4, "retry the set, retry the picture, redo the picture, review"
    assert [tag for tag in acts if "data-needs=" not in tag and "/sets/new?" not in tag] == []
    may = {
        "owner": "change designer",
        "designer": "designer",
        "reviewer": "designer judge reviewer",
        "manager": "change designer judge manager reviewer",
        "admin": "admin change designer judge manager reviewer",
    }
    pages = {name: browser.get(path).text for name, browser in people.items()}
    for texts in (pages, first):
        assert {name: text.split('data-may="')[1].split('"')[0] for name, text in texts.items()} == may


def test_nothing_stays_when_the_last_watcher_leaves(story: Story) -> None:
    async def told(room: Room) -> None:
        leaving, staying = room.watch(0, room.bus.cursor()), room.watch(1, room.bus.cursor())
        await asyncio.sleep(0.01)
        leaving.cancel()
        await asyncio.sleep(0.01)
        assert room.bus._topics[topic(1)].watchers == 1
        staying.cancel()
        rounds = room.channel._rounds
        assert rounds
        await rounds
        assert room.bus._topics[topic(1)].watchers == 0

    story(told)
