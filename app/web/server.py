"""uvicorn as Soroe runs it, in `soroe serve` and in the tests."""

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
ACCEPTED_AT_ONCE = 32  # connections, before any of them is counted
BACKLOG = 2048  # connections that the kernel keeps for us in the meantime
RESERVED_FILES = 384  # for the database's connections (3 files each, at most 60), pictures, and those just accepted
FILES_PER_CONNECTION = 2  # its socket, and the file or temporary file that is being sent or received


class Server(uvicorn.Server):
    """uvicorn with bounds on connections (`app.web.protocol`), which ends although event streams are open.

    It waits for open answers before it ends, and the event streams of sets stay open: they are let go first.
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
            # Not uvloop: it accepts all who wait before we can count any, and without files left it cuts off who comes.
            # asyncio takes a helping at a time, and without files left waits a second.
            loop="asyncio",
            backlog=ACCEPTED_AT_ONCE,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # uvicorn believes whoever calls from this machine; `Proxies` whom the settings name
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
    """Whether an address is one of the proxies that the settings name, through which all people may come."""
    return Proxies(app, cast(Resources, app.state.resources).settings.proxy_networks).is_proxy


def bounds_of_process() -> Bounds:
    """As many connections as this process may have files open for; raises its soft limit as far as it is allowed."""
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
