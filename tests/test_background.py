"""Background work: woken, repeated, failing, stopped."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import pytest
from structlog.testing import capture_logs

from app.background import BackgroundLoop


class Work:
    """Counts its rounds; `each` may fail."""

    def __init__(self, each: Callable[[int], None] = lambda number: None) -> None:
        self.each = each
        self.rounds = 0
        self.changed = asyncio.Event()

    async def __call__(self) -> None:
        self.rounds += 1
        self.changed.set()
        self.each(self.rounds)

    async def reach(self, rounds: int) -> None:
        async with asyncio.timeout(30):
            while self.rounds < rounds:
                self.changed.clear()
                await self.changed.wait()


@asynccontextmanager
async def running(loop: BackgroundLoop) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(loop.run())
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def test_a_round_at_the_start_and_one_each_time_it_is_woken() -> None:
    async def story() -> None:
        work = Work()
        loop = BackgroundLoop(work, "work", trouble="")
        loop.wake()  # before it runs: the first round will find what there is
        async with running(loop):
            await work.reach(1)
            await asyncio.sleep(0)
            assert work.rounds == 1
            await asyncio.to_thread(loop.wake)
            await work.reach(2)

    asyncio.run(story())


def test_woken_within_a_round_it_does_another() -> None:
    async def story() -> None:
        work = Work(lambda number: loop.wake() if number == 1 else None)
        loop = BackgroundLoop(work, "work", trouble="")
        async with running(loop):
            await work.reach(2)

    asyncio.run(story())


def test_a_round_every_so_often() -> None:
    async def story() -> None:
        work = Work()
        async with running(BackgroundLoop(work, "work", trouble="", seconds=0.001)):
            await work.reach(3)

    asyncio.run(story())


def test_trouble_ends_a_round_and_not_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.background.AFTER_TROUBLE_SECONDS", 0.001)

    def fail_at_first(number: int) -> None:
        if number == 1:
            raise OSError("no such luck")

    async def story() -> None:
        work = Work(fail_at_first)
        async with running(BackgroundLoop(work, "work", trouble="the cups could not be counted", seconds=0.001)):
            await work.reach(2)

    with capture_logs() as logs:
        asyncio.run(story())
    assert [(each["event"], each["log_level"]) for each in logs] == [("the cups could not be counted", "error")]


def test_a_running_thread_is_stopped_and_awaited() -> None:
    began, ended = threading.Event(), threading.Event()

    def work() -> None:
        began.set()
        assert loop.stopping.wait(30)
        ended.set()

    loop = BackgroundLoop(lambda: asyncio.to_thread(work), "work", trouble="")

    async def story() -> None:
        async with running(loop) as task:
            await asyncio.to_thread(began.wait)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            assert ended.is_set()

    asyncio.run(story())
