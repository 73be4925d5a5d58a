"""uvicorn as Soroe runs it, in `soroe serve` and in tests: its limits, its start and its end.

A stop takes at most `STOP_SECONDS`, whatever is in progress: event streams end, and browsers reconnect to the next
server; running units go back to the queue; other answers have `GRACEFUL_SECONDS`, then they are cut off, and browsers
resume downloads. Nothing that was acknowledged depends on an orderly end, so a thread that does not return, or a second
signal, ends the process as it is.
"""

import asyncio
import os
import resource
import signal
import socket
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from time import monotonic
from types import FrameType
from typing import Any, cast

import structlog
import uvicorn
from fastapi import FastAPI

from app.engine.base import EngineState
from app.web import systemd
from app.web.deps import Resources
from app.web.limits.proxies import Proxies
from app.web.protocol import Bounds, Connection, Door

log = structlog.get_logger()

STOP_SECONDS = 10.0  # from the signal to the end of the process
GRACEFUL_SECONDS = 5  # of these, for answers in progress
CHECK_SECONDS = 1.0
ACCEPTED_AT_ONCE = 32  # connections, before any is counted
BACKLOG = 2048  # connections that the kernel keeps for us until then
RESERVED_FILES = 512  # for the database (100 connections with 3 files each), pictures, and connections just accepted
SWITCH_SECONDS = 0.001  # that a thread may compute before another one gets its turn; Python's own is 5 ms
FILES_PER_CONNECTION = 2  # its socket, and the file that is being sent or received


class Server(uvicorn.Server):
    """uvicorn with connection limits (`app.web.protocol`), which stops in time."""

    def __init__(
        self,
        app: FastAPI,
        bounds: Bounds | None = None,
        *,
        graceful: int = GRACEFUL_SECONDS,
        check_seconds: float = CHECK_SECONDS,
        ready: Callable[[], object] = lambda: None,
    ) -> None:
        """`graceful`: seconds for open answers at the end. `ready` is called when the model is loaded."""
        self.door = Door(bounds or Bounds(), is_proxy_of(app))
        self.check_seconds = check_seconds
        self.checked = self.notified = monotonic()
        self.watched_every = systemd.watchdog_seconds()
        self.graceful = graceful
        self.ready: Callable[[], object] | None = ready
        self.stopping: tuple[str, float] | None = None  # why, and since when (monotonic)
        self.stopped = False
        config = uvicorn.Config(
            app,
            http=cast(Any, partial(Connection, door=self.door)),
            ws="none",
            # Not uvloop: it accepts everyone before we can count anyone, and resets new connections when out of files.
            # asyncio accepts in batches, and waits a second when out of files.
            loop="asyncio",
            backlog=ACCEPTED_AT_ONCE,
            log_config=None,
            access_log=False,
            server_header=False,
            reset_contextvars=True,  # no request inherits the number of another on its connection
            proxy_headers=False,  # uvicorn trusts every caller on this machine; `Proxies` only those in the settings
            timeout_graceful_shutdown=graceful + 1,
        )
        super().__init__(config)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        # A page asks the database dozens of times, and after each answer waits for the threads that render other pages.
        sys.setswitchinterval(SWITCH_SECONDS)
        await super().startup(sockets)
        for listener in sockets or []:
            listener.listen(BACKLOG)
        log.info("the server answers", address=self.resources.settings.public_url)
        systemd.notify("STATUS=Pages work; the model is loading.")

    @property
    def app(self) -> FastAPI:
        return cast(FastAPI, self.config.app)

    @property
    def resources(self) -> Resources:
        return cast(Resources, self.app.state.resources)

    async def on_tick(self, counter: int) -> bool:
        now = monotonic()
        if now - self.checked >= self.check_seconds:
            self.door.check(now - self.checked)
            self.checked = now
        if self.watched_every and now - self.notified >= self.watched_every:
            systemd.notify("WATCHDOG=1")  # only a turning event loop says so
            self.notified = now
        if self.ready and self.resources.engine.state == EngineState.READY:
            self._say_ready(self.ready)
        if self.app.state.cannot_load and not self.stopping:
            self.stopping = "the model cannot be loaded", now
        return await super().on_tick(counter) or self.app.state.cannot_load is not None

    def _say_ready(self, ready: Callable[[], object]) -> None:
        """Tell systemd and the log, once. A model that cannot be loaded is a failed start for systemd."""
        self.ready = None
        log.info("the server is ready", address=self.resources.settings.public_url)
        systemd.notify("READY=1\nSTATUS=Ready.")
        ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop at the first signal, with status 0; end the process at the second.

        uvicorn would repeat the signal at the end, as if it had not been handled.
        """
        if self.should_exit:
            os._exit(128 + sig)
        self.should_exit = True
        self.stopping = signal.Signals(sig).name, monotonic()
        watchdog = threading.Timer(STOP_SECONDS - 0.5, self._end)
        watchdog.daemon = True
        watchdog.start()

    def _end(self) -> None:
        """End the process although something in it does not; with status 0 if only threads of requests are left."""
        if not self.stopped:
            log.error("the server did not stop in time", seconds=STOP_SECONDS)
        sys.stderr.flush()
        os._exit(0 if self.stopped else 1)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End what never ends by itself, give answers in progress their time, and cut off the rest."""
        why, since = self.stopping or ("asked", monotonic())
        systemd.notify("STOPPING=1")
        log.info("the server stops", because=why, requests=len(self.server_state.tasks))
        end_endless(self.app)
        cutting = asyncio.create_task(self._cut_late_answers())
        await super().shutdown(sockets)
        cutting.cancel()
        self.stopped = True
        log.info("the server has stopped", seconds=round(monotonic() - since, 1))

    async def _cut_late_answers(self) -> None:
        began = monotonic()
        while monotonic() - began < self.graceful:  # noqa: ASYNC110  (nothing announces the end of a time)
            await asyncio.sleep(0.1)
        late = [connection for connection in self.door.everybody if connection.busy]
        for connection in late:
            connection.transport.abort()
        if late:
            log.warning("answers were cut off; browsers can resume downloads", number=len(late))


def end_endless(app: FastAPI) -> None:
    """End event streams and background work: running units go back to the queue while answers still finish."""
    app.state.resources.bus.close()
    for task in app.state.background:
        task.cancel()


def is_proxy_of(app: FastAPI) -> Callable[[str], bool]:
    """Whether an address is one of the proxies in the settings, through which everyone may come."""
    return Proxies(app, cast(Resources, app.state.resources).settings.proxy_networks).is_proxy


def bounds_of_process() -> Bounds:
    """As many connections as the process's limit of open files allows; raises its soft limit as far as possible."""
    usual = Bounds()
    wanted = RESERVED_FILES + FILES_PER_CONNECTION * usual.connections
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return usual
    most = max((soft - RESERVED_FILES) // FILES_PER_CONNECTION, 16)
    return replace(usual, connections=most, of_address=min(usual.of_address, most // 2))
