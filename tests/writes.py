"""Watches every writing transaction of the suite: how long it holds the lock, and that it does nothing slow.

Measures processor time, of the writing thread and without Python's garbage collection, so a busy machine fails nothing.
Slow work without the processor is recognised by its kind: a file, a pause, a program, a connection.
"""

import gc
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.orm import Session

from app import slow
from app.database import Database
from tests import clock

MOST_SECONDS = 0.1
SLOW = {
    "open": "opens a file",
    "sleep": "sleeps",  # which Python reports from 3.13 on; before, see `install`
    "subprocess.Popen": "starts a program",
    "os.rename": "renames a file",
    "os.remove": "removes a file",
    "os.listdir": "lists a folder",
    "os.scandir": "lists a folder",
    "socket.connect": "connects to a server",
}
CODE = (".py", ".pyc", ".so")  # what Python itself opens


class Watch:
    """The faults since the last call, and the longest transactions."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.longest: dict[str, float] = {}  # seconds, by the transaction's place in the code
        self._thread = threading.local()

    def begins(self) -> None:
        """This thread has the lock from now on."""
        self._thread.began = time.thread_time() - self._tidied

    @contextmanager
    def within(self) -> Iterator[None]:
        """A writing block without permission to be slow."""
        self._thread.began, self._thread.seen = None, []
        where = _where()
        try:
            yield
        finally:
            began, self._thread.began = self._thread.began, None
            if began is not None:
                self._ended(where, time.thread_time() - self._tidied - began)

    def happens(self, what: str, arguments: tuple[Any, ...]) -> None:
        """This thread did something slow."""
        if getattr(self._thread, "began", None) is None or not slow.is_forbidden():
            return
        if what == "open" and str(arguments[0]).endswith(CODE):
            return
        self.problems.append(f"A writing transaction {SLOW[what]}: {arguments[0]!r}\n{_stack()}")

    def tidying(self, phase: str, _: dict[str, int]) -> None:
        """Python's garbage collector runs on this thread, for all of them."""
        if phase == "start":
            self._thread.tidying = time.thread_time()
        elif begun := getattr(self._thread, "tidying", None):
            self._thread.tidied = self._tidied + time.thread_time() - begun

    @property
    def _tidied(self) -> float:
        return float(getattr(self._thread, "tidied", 0.0))

    def _ended(self, where: str, seconds: float) -> None:
        self.longest[where] = max(seconds, self.longest.get(where, 0.0))
        if clock.exceeds(seconds, MOST_SECONDS):
            self.problems.append(f"A writing transaction held the lock for {seconds * 1000:.0f} ms: {where}")

    def take(self) -> list[str]:
        """The faults since the last call."""
        found, self.problems = self.problems, []
        return found

    def told(self, number: int = 10) -> list[str]:
        """The longest transactions, as lines."""
        ordered = sorted(self.longest.items(), key=lambda each: -each[1])[:number]
        return [f"{seconds * 1000:6.1f} ms  {where}" for where, seconds in ordered]


watch = Watch()


def install() -> None:
    """Watch all databases of this process, from now on."""
    write, sleep = Database.write, time.sleep

    @contextmanager
    def watched(self: Database) -> Iterator[Session]:
        if slow.is_permitted():
            with write(self) as session:
                yield session
            return
        with watch.within(), write(self) as session:
            yield session

    def watched_sleep(seconds: float) -> None:
        watch.happens("sleep", (seconds,))
        sleep(seconds)

    time.sleep = watched_sleep
    Database.write = watched  # type: ignore[method-assign]
    event.listen(Engine, "after_cursor_execute", _after_statement)
    gc.callbacks.append(watch.tidying)
    sys.addaudithook(_audit)


def _after_statement(_: Connection, __: Any, statement: str, *___: Any) -> None:
    if statement == "BEGIN IMMEDIATE":
        watch.begins()


def _audit(name: str, arguments: tuple[Any, ...]) -> None:
    if name in SLOW:
        watch.happens(name, arguments)


def _where() -> str:
    """The lines of the app or a test that started a transaction, innermost first."""
    here = Path(__file__).parents[1]
    frames = [frame for frame in traceback.extract_stack() if frame.filename.startswith(str(here))]
    named = [f"{Path(f.filename).relative_to(here)}:{f.lineno}" for f in frames if f.filename != __file__]
    return " < ".join(named[::-1][:3])


def _stack() -> str:
    return "".join(traceback.format_stack(limit=16)[:-3])
