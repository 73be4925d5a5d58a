"""Background work of the web process: wake it, repeat it, survive failures and stop it."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog

from app import metrics
from app.storage import CannotSave

log = structlog.get_logger()

AFTER_TROUBLE_SECONDS = 2.0


class BackgroundLoop:
    """Runs `work` at the start, whenever woken and every `seconds`, one round at a time, until cancelled.

    An exception is logged as `trouble` and ends that round only. A round that could not save anything is repeated until
    it can; `app.storage` tells that once, so it is not logged here. Cancelling sets `stopping`, which a long round in a
    thread checks to stop early, and waits until the round is over.
    """

    def __init__(
        self, work: Callable[[], Awaitable[object]], name: str, *, trouble: str, seconds: float | None = None
    ) -> None:
        """`name` is what the log and the metrics call it."""
        self.work = work
        self.name = name
        self.trouble = trouble
        self.seconds = seconds  # None: only when woken
        self.stopping = threading.Event()
        self._woken = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def wake(self) -> None:
        """Request a round, or another one after the current one. Thread-safe, after the commit."""
        self.call(self._woken.set)

    def call(self, function: Callable[..., object], *arguments: object) -> None:
        """Call a function on the event loop from any thread; does nothing if the loop is not running."""
        if self._loop and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function, *arguments)

    async def run(self) -> None:
        """Work until cancelled."""
        self._loop = asyncio.get_running_loop()
        structlog.contextvars.bind_contextvars(loop=self.name)
        try:
            while True:
                self._woken.clear()
                if not await self._round_to_its_end():
                    await asyncio.sleep(AFTER_TROUBLE_SECONDS)
                with suppress(TimeoutError):
                    async with asyncio.timeout(self.seconds):
                        await self._woken.wait()
        finally:
            self.stopping.set()

    async def _round_to_its_end(self) -> bool:
        """A thread cannot be cancelled, so the round is a separate task, which also ends when this one is cancelled."""
        under_way = asyncio.create_task(self._round())
        try:
            return await asyncio.shield(under_way)
        except asyncio.CancelledError:
            self.stopping.set()
            await under_way
            raise

    async def _round(self) -> bool:
        """Run one round; returns whether it succeeded."""
        try:
            await self.work()
        except CannotSave:
            self._woken.set()
            return False
        except Exception:
            log.exception(self.trouble)
            metrics.loop_failed.labels(self.name).inc()
            return False
        metrics.loop_succeeded.labels(self.name).set_to_current_time()
        return True
