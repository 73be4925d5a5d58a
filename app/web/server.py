"""uvicorn as Soroe runs it, in `soroe serve` and in tests."""

import resource
import socket
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from time import monotonic
from types import FrameType
from typing import Any, cast

import uvicorn
from fastapi import FastAPI

from app.web.deps import Resources
from app.web.limits.proxies import Proxies
from app.web.protocol import Bounds, Connection, Door

CHECK_SECONDS = 1.0
ACCEPTED_AT_ONCE = 32  # connections, before any is counted
BACKLOG = 2048  # connections that the kernel keeps for us until then
RESERVED_FILES = 512  # for the database (100 connections with 3 files each), pictures, and connections just accepted
FILES_PER_CONNECTION = 2  # its socket, and the file that is being sent or received


class Server(uvicorn.Server):
    """uvicorn with connection limits (`app.web.protocol`), which can stop while event streams are open.

    It waits for open answers before it stops; the event streams of sets would stay open, so they are ended first.
    """

    def __init__(
        self, app: FastAPI, bounds: Bounds | None = None, *, graceful: int = 5, check_seconds: float = CHECK_SECONDS
    ) -> None:
        """`graceful`: seconds for open answers at the end."""
        self.door = Door(bounds or Bounds(), is_proxy_of(app))
        self.check_seconds = check_seconds
        self.checked = monotonic()
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
            timeout_graceful_shutdown=graceful,
        )
        super().__init__(config)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or []:
            listener.listen(BACKLOG)

    async def on_tick(self, counter: int) -> bool:
        now = monotonic()
        if now - self.checked >= self.check_seconds:
            self.door.check(now - self.checked)
            self.checked = now
        return await super().on_tick(counter)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        cast(FastAPI, self.config.app).state.resources.bus.close()
        super().handle_exit(sig, frame)


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
