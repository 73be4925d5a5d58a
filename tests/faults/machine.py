"""A machine with a server on it: starts it, ends it, and knows its processes."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from tests.faults.clock import Clock
from tests.faults.loop import LoopDisk
from tests.web.process import SERVE, Process

STOPS_WITHIN = 10.0  # seconds after SIGTERM
ENDS_WITHIN = 5.0  # seconds for the processes that a killed server leaves behind


class Machine:
    """Within `with`. `disk` is None without root: then the data is in a folder, and its faults are left out."""

    def __init__(self, work: Path, command: Sequence[str] = SERVE, *, disk: bool = True) -> None:
        self.work = work
        self.disk = LoopDisk(work) if disk else None
        self.data = (self.disk.folder if self.disk else work) / "srv" / "data"
        self.clock = Clock(work)
        self.command = command
        self.port = free_port()
        self.server: Process
        self.problems: list[str] = []
        self.kills = self.starts = 0

    def __enter__(self) -> "Machine":
        if self.disk:
            self.disk.__enter__()
        try:
            self.start()
            self.server.wait_until_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        if self.disk:
            self.disk.__exit__()

    def start(self, *, wait: bool = True) -> None:
        """Start the server, and wait until it answers; its model may still be loading."""
        self.starts += 1
        self.server = Process(
            self.data,
            log=self.work / f"server-{self.starts}.log",
            command=self.command,
            extra=self.clock.environment,
            wait=False,
            port=self.port,
            quota_sets=0,  # in an hour, a person asks for more than the usual limit of a day
        )
        if wait:
            self.server.wait_until_answers()

    def kill(self) -> None:
        """End the server at once, and wait for the processes that it started to notice."""
        others = self.children()
        if self.server.process.poll() is None:
            self.server.kill()
            self.kills += 1
        ends = time.monotonic() + ENDS_WITHIN
        while (alive := [process for process in others if lives(process)]) and time.monotonic() < ends:
            time.sleep(0.05)
        for process in alive:
            self.problems.append(f"{process} outlived the killed server")
            process.kill()

    def stop(self) -> None:
        """End the server as an operator does."""
        began = time.monotonic()
        self.server.process.terminate()
        try:
            status = self.server.process.wait(3 * STOPS_WITHIN)
        except subprocess.TimeoutExpired:
            status = None
        took = time.monotonic() - began
        if status != 0 or took > STOPS_WITHIN:
            self.problems.append(f"after SIGTERM, the server had status {status} in {took:.1f} s")
        self.kill()

    def children(self) -> list[psutil.Process]:
        with suppress(psutil.NoSuchProcess):
            return psutil.Process(self.server.process.pid).children(recursive=True)
        return []

    def engine(self) -> psutil.Process | None:
        """The process of the model: of all, the one with the most memory."""
        sizes = []
        for child in self.children():
            with suppress(psutil.Error):
                sizes.append((child.memory_info().rss, child))
        return max(sizes, key=lambda pair: pair[0])[1] if sizes else None

    def signal(self, process: psutil.Process | None, number: int) -> None:
        """Send a signal, if the process is still there."""
        with suppress(psutil.NoSuchProcess, ProcessLookupError):
            if process:
                os.kill(process.pid, number)
                self.kills += number == signal.SIGKILL

    def check_alive(self) -> None:
        """Note a problem if the server ended by itself, and start it again."""
        status = self.server.process.poll()
        if status is not None:
            self.problems.append(f"the server ended by itself with status {status}: {self.server.output[-1500:]}")
            self.start()


def lives(process: psutil.Process) -> bool:
    """Whether it still runs; one that nobody has asked for its status does not."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
