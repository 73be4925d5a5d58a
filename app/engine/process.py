"""The server's side of the engine's process: starts it, carries messages, and starts it again when it is lost.

Everything happens on threads: the process outlives event loops, and dies with the thread that started it.
"""

import os
import signal
import socket
import struct
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from itertools import count
from multiprocessing.connection import Connection
from queue import SimpleQueue
from subprocess import Popen, TimeoutExpired
from threading import Event as Flag
from threading import Lock, Thread

import structlog

from app import processes
from app.engine.base import CannotLoad, EngineState, ModelFacts, NotReady
from app.engine.events import Work
from app.engine.messages import FromWorker, Loaded, Loading, Question, Quit, Refused, Result, Stop, Task, TaskEnd
from app.languages import gettext as _
from app.settings import Settings

log = structlog.get_logger()

WORKER = "app.engine.worker"
SILENT_SECONDS = 120  # without a heartbeat: the process hangs
EXIT_SECONDS = 5.0  # for its own orderly end
FIRST_DELAY, LONGEST_DELAY = 0.5, 60.0  # s before a restart, twice as long each time
STABLE_SECONDS = 300.0  # after which a loss starts with the first delay again
FIRST_TRIES = 3  # to load the model at all; something else may have taken the memory for a moment

Receive = Callable[[Result | TaskEnd | None], object]
"""Takes a task's results, then its end, or None if the worker was lost. Must not block."""


class WorkerProcess:
    """One process with a loaded model, as long as it is not closed. Thread-safe."""

    def __init__(self, settings: Settings, progress: Callable[[str, float], None], changed: Callable[[], None]) -> None:
        """`progress(what, fraction)` is called as the model loads, `changed()` when the state has changed."""
        self._settings, self._progress, self._changed = settings, progress, changed
        self.state = EngineState.STOPPED
        self.restarts = 0
        self.facts: ModelFacts | None = None
        self._lock = Lock()  # for what follows
        self._closing = Flag()
        self._thread: Thread | None = None
        self._process: Popen[bytes] | None = None
        self._outbox: SimpleQueue[object] = SimpleQueue()
        self._receivers: dict[int, Receive] = {}
        self._numbers = count(1)
        self._loaded: float | None = None  # when this process had its model, s (monotonic)
        self._refused = ""

    def start(self) -> "Future[ModelFacts]":
        """Start it. The result comes when the model is loaded; the exception is CannotLoad.

        A process that is lost before it has its model is started again, FIRST_TRIES in all; one that refuses is not.
        """
        self.close()
        first: Future[ModelFacts] = Future()
        first.set_running_or_notify_cancel()
        self._closing.clear()
        self._become(EngineState.STARTING)
        self._thread = Thread(target=self._hold, args=(first,), name="engine", daemon=True)
        self._thread.start()
        return first

    def submit(self, what: Work | Question, receive: Receive) -> int:
        """Send a task, and return its number. Raises NotReady."""
        with self._lock:
            if self.state != EngineState.READY:
                raise NotReady
            number = next(self._numbers)
            self._receivers[number] = receive
            self._outbox.put(Task(number, what))
        return number

    def stop(self, number: int) -> None:
        """Stop a task within a step; does nothing if it has ended."""
        with self._lock:
            if number in self._receivers:
                self._outbox.put(Stop(number))

    def close(self) -> None:
        """Stop the work within a step and end the process; after EXIT_SECONDS, or as it loads, by a signal."""
        self._closing.set()
        with self._lock:
            thread = self._thread
            if self.state == EngineState.READY:
                self._outbox.put(Quit())
            elif self._process:
                self._process.kill()
        if thread:
            thread.join(EXIT_SECONDS)
            with self._lock:
                if self._process:
                    self._process.kill()
            thread.join()

    # On the thread that starts the processes

    def _hold(self, first: "Future[ModelFacts]") -> None:
        # Inherited by the processes, so that no Ctrl-C or SIGTERM for the whole group ends them before they start.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        delay = FIRST_DELAY
        for tries in count(1):
            how, lived = self._live(first)
            hopeless = not first.done() and (self._refused or tries >= FIRST_TRIES)
            if self._closing.is_set() or hopeless:
                break
            delay = FIRST_DELAY if lived > STABLE_SECONDS else delay
            log.error("the engine was lost and will be restarted", how=how, lived=round(lived, 1), delay=delay)
            if self._closing.wait(delay):
                break
            self.restarts += 1
            delay = min(2 * delay, LONGEST_DELAY)
        self._become(EngineState.STOPPED)
        if not first.done():
            ended = _("The engine’s process ended as it started: %(how)s.", how=how)
            first.set_exception(CannotLoad(self._refused or ended))

    def _live(self, first: "Future[ModelFacts]") -> tuple[str, float]:
        """Run one process to its end. Returns how it ended, and how many seconds it had its model."""
        ours, theirs = socket.socketpair()
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", SILENT_SECONDS, 0))
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", SILENT_SECONDS, 0))
        with theirs, self._lock:
            if self._closing.is_set():
                ours.close()
                return "the server stopped", 0.0
            environment = {"OMP_WAIT_POLICY": "PASSIVE", **os.environ}  # waiting threads leave the processor to pages
            try:
                self._process = process = processes.start(WORKER, theirs, environment=environment)
            except OSError as error:
                ours.close()
                return f"no process could be started ({error.strerror})", 0.0
            self._outbox, self._loaded, self._refused = SimpleQueue(), None, ""
            self._outbox.put(self._settings)
        silent = False
        with Connection(ours.detach()) as connection:
            writer = Thread(target=_write, args=(connection, self._outbox), daemon=True)
            writer.start()
            try:
                while True:
                    self._take(connection.recv(), first)
            except (EOFError, OSError) as error:
                silent = isinstance(error, BlockingIOError)
            except Exception:
                log.exception("a message of the engine cannot be read")
            self._lose(first)
            how = _end(process, silent)
            self._outbox.put(None)
            writer.join()
        with self._lock:
            self._process = None
        return self._refused or how, time.monotonic() - self._loaded if self._loaded else 0.0

    def _take(self, message: FromWorker, first: "Future[ModelFacts]") -> None:
        match message:
            case Loading(what, fraction):
                self._progress(what, fraction)
            case Loaded(facts):
                self.facts, self._loaded = facts, time.monotonic()
                processes.give_back_memory()  # 20 MB, after SDXL's tokenizers were unpickled
                self._become(EngineState.READY)
                if not first.done():
                    first.set_result(facts)
                else:
                    log.info("the engine is ready again")
            case Refused(why):
                self._refused = why
            case Result(number):
                with self._lock:
                    receive = self._receivers.get(number)
                _deliver(receive, message)
            case TaskEnd(number):
                with self._lock:
                    receive = self._receivers.pop(number, None)
                _deliver(receive, message)

    def _lose(self, first: "Future[ModelFacts]") -> None:
        """Tell everyone who waits that the worker is gone."""
        with self._lock:
            receivers, self._receivers = self._receivers, {}
            if first.done() and not self._closing.is_set():
                self.state = EngineState.RESTARTING
        for receive in receivers.values():
            _deliver(receive, None)
        self._changed()

    def _become(self, state: EngineState) -> None:
        with self._lock:
            self.state = state
        self._changed()


def _deliver(receive: Receive | None, message: Result | TaskEnd | None) -> None:
    if receive:
        with suppress(RuntimeError):  # its event loop is closed
            receive(message)


def _write(connection: Connection, outbox: "SimpleQueue[object]") -> None:
    """Send what is put into `outbox`, until None. Its own thread: a process that hangs must not block the server."""
    with suppress(OSError):
        while (message := outbox.get()) is not None:
            connection.send(message)


def _end(process: Popen[bytes], silent: bool) -> str:
    """See that a process has ended, and say how."""
    if silent:
        process.kill()
    try:
        status = process.wait(EXIT_SECONDS)
    except TimeoutExpired:
        process.kill()
        status = process.wait()
    if silent:
        return f"it gave no sign of life for {SILENT_SECONDS} seconds"
    if status == -signal.SIGKILL:
        return "it was killed, possibly because memory ran out (SIGKILL)"
    return f"it was ended by {signal.Signals(-status).name}" if status < 0 else f"it ended with status {status}"
