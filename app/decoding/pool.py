"""The server's side of decoding: few workers, a short queue, a time limit for every job, and no trust in answers.

Request threads wait here for their turn. A job that takes too much memory or time, or whose request is gone, ends with
its child only; the next one has a new child within milliseconds.
"""

import atexit
import os
import signal
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from subprocess import TimeoutExpired
from typing import Any, Literal

import structlog

from app import metrics, processes
from app.decoding import frames, sandbox
from app.errors import Busy, Invalid, UserError
from app.languages import gettext as _
from app.languages import translated

log = structlog.get_logger()

WORKERS = 2  # concurrent jobs, for everyone together
WAITING = 8  # queued jobs; more are refused immediately
WAIT_SECONDS = 60.0  # for a turn
RETRY_AFTER = 5  # s, sent with a refusal
SECONDS = 60.0  # per job, by the clock
CPU_SECONDS = 20  # of processor time per job; the largest honest picture takes four
START_SECONDS = 60.0  # for a worker to import what it needs on a busy machine
LOOK_SECONDS = 0.25  # how often a waiting thread checks that its request is still there
MEBIBYTE = 2**20

WORKER = "app.decoding.worker"
# Return large blocks to the system immediately, and start no threads.
ENVIRONMENT = {
    "MALLOC_MMAP_THRESHOLD_": str(MEBIBYTE),
    "MALLOC_ARENA_MAX": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}

# Set per request by the web layer: whether the client has gone.
gone: ContextVar[Callable[[], bool]] = ContextVar("gone")


class Gone(UserError):
    """The client has gone; nobody reads this."""

    status = 499


class DecodingFailed(Exception):
    """The job failed: it took too much memory or time, its file is damaged, or its child crashed."""

    def __init__(self, how: Literal["memory", "time", "damaged", "crash"]) -> None:
        super().__init__(how)
        self.how = how


class Lost(Exception):
    """The worker itself is gone, killed from outside; another can do the job."""


@dataclass(frozen=True)
class DecodingJob:
    """A job for a child."""

    name: str
    data: bytes
    asked: Mapping[str, Any]
    memory: int  # bytes that it may use in addition to its data
    most: int  # bytes of an answer
    threads: bool = False  # whether its decoder needs some


@dataclass(frozen=True)
class Answer:
    facts: Mapping[str, Any]  # as the child sent them; the caller checks them
    blobs: list[bytes]
    peak: int  # bytes of memory, as far as the child knows


class Pool:
    """Up to `workers` workers, started on demand. Thread-safe."""

    def __init__(self, workers: int = WORKERS, waiting: int = WAITING) -> None:
        self.workers, self.waiting = workers, waiting
        self._modules: tuple[str, ...] = ()
        self._changed = threading.Condition()
        self._idle: list[Worker] = []
        self._busy = 0
        self._queue: deque[object] = deque()

    def use(self, *modules: str) -> None:
        """Let children also do the jobs of these modules (`jobs.warm`). Call it before the first job."""
        self._modules = modules

    def run(self, job: DecodingJob, *, patient: bool = False) -> Answer:
        """Run a job. The app's own work is `patient`: it waits however many uploads are queued.

        Raises Invalid with the child's message for people, DecodingFailed, Busy and Gone.
        """
        with self._turn(patient), _measured():
            for again in (True, False):
                worker = self._take()
                try:
                    return worker.run(job)
                except Lost as lost:
                    if not again:
                        raise DecodingFailed("crash") from lost
                finally:
                    self._give_back(worker)
        raise AssertionError("unreachable")

    def warm(self) -> None:
        """Start a worker before the first upload, and log what confines it."""
        with self._turn(patient=True):
            worker = self._take()
            log.info("pictures are decoded in sandboxed processes", workers=self.workers, held=", ".join(worker.held))
            if sys.platform == "linux" and (missing := [step for step in sandbox.STEPS if step not in worker.held]):
                log.warning("the system allows only a weaker sandbox", missing=", ".join(missing))
            self._give_back(worker)

    def close(self) -> None:
        """Stop the workers; the next job starts new ones."""
        with self._changed:
            workers, self._idle = self._idle, []
        for worker in workers:
            worker.close()

    @property
    def waits(self) -> int:
        """The number of queued jobs."""
        return len(self._queue)

    @contextmanager
    def _turn(self, patient: bool) -> Iterator[None]:
        """Wait for one of the slots, first come, first served."""
        ticket, ends = object(), time.monotonic() + WAIT_SECONDS
        with self._changed:
            if not patient and self._busy >= self.workers and len(self._queue) >= self.waiting:
                raise _busy()
            self._queue.append(ticket)
            try:
                while self._queue[0] is not ticket or self._busy >= self.workers:
                    self._changed.wait(LOOK_SECONDS)
                    _check_there()
                    if not patient and time.monotonic() > ends:
                        raise _busy()
                self._busy += 1
            finally:
                self._queue.remove(ticket)
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._busy -= 1
                self._changed.notify_all()

    def _take(self) -> "Worker":
        with self._changed:
            while self._idle:
                worker = self._idle.pop()
                if worker.alive:
                    return worker
                worker.close()
        return Worker(self._modules)

    def _give_back(self, worker: "Worker") -> None:
        if worker.alive:
            with self._changed:
                self._idle.append(worker)
        else:
            worker.close()


class Worker:
    """A warm process. It runs one job at a time, each in its own child."""

    def __init__(self, modules: Sequence[str]) -> None:
        self.control, theirs = socket.socketpair()
        with theirs:
            self.process = processes.start(WORKER, theirs, *modules, environment=ENVIRONMENT, folder="/")
        try:
            self.control.settimeout(START_SECONDS)
            head, _blobs = frames.receive(self.control, 0)
        except (OSError, frames.BrokenFrame) as error:
            self.kill()
            log.error("no picture can be decoded: its process does not start", status=self.process.returncode)
            raise Busy(
                _("Pictures cannot be decoded right now, so this one was not saved. Try again in a moment."),
                RETRY_AFTER,
            ) from error
        self.held = [str(each) for each in head.get("held", [])]  # the restrictions that the system allowed

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def run(self, job: DecodingJob) -> Answer:
        """Run a job; raises like `Pool.run`. A job that does not end takes the worker with it."""
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                try:
                    socket.send_fds(self.control, [b"j"], [theirs.fileno()])
                except OSError as error:
                    self.kill()
                    raise Lost from error
            try:
                head, blobs = _exchange(_Watched(ours, time.monotonic() + SECONDS), job)
            except (Gone, TimeoutError) as error:
                self.kill()
                raise error if isinstance(error, Gone) else DecodingFailed("time") from error
            except (OSError, frames.BrokenFrame):
                head, blobs = {}, []
        status = self._status()
        if not head and not self.alive:
            raise Lost
        return _answer(head, blobs, status)

    def kill(self) -> None:
        """Kill the worker and its child."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.control.close()

    def close(self) -> None:
        """Let it exit on its own, within a moment."""
        self.control.close()
        try:
            self.process.wait(2)
        except TimeoutExpired:
            self.kill()

    def _status(self) -> int:
        """The child's exit status, as in wait(2). A child that does not exit after answering costs its worker."""
        try:
            self.control.settimeout(5)
            data = self.control.recv(4, socket.MSG_WAITALL)
        except OSError:
            data = b""
        if len(data) < 4:
            self.kill()
            return int(signal.SIGABRT)
        return int.from_bytes(data, "big", signed=True)


class _Watched:
    """A socket to a child, usable until `ends` (monotonic) and while the client is there."""

    def __init__(self, connection: socket.socket, ends: float) -> None:
        self._connection, self._ends = connection, ends
        connection.settimeout(LOOK_SECONDS)

    def sendall(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[self._tried(self._connection.send, view) :]

    def recv_into(self, view: memoryview) -> int:
        return self._tried(self._connection.recv_into, view)

    def _tried(self, step: Callable[[memoryview], int], view: memoryview) -> int:
        while True:
            try:
                return step(view)
            except TimeoutError:
                _check_there()
                if time.monotonic() > self._ends:
                    raise


def _exchange(connection: Any, job: DecodingJob) -> tuple[dict[str, Any], list[bytes]]:
    told = {"job": job.name, "asked": job.asked, "memory": job.memory, "seconds": CPU_SECONDS, "threads": job.threads}
    frames.send(connection, told, [job.data])
    return frames.receive(connection, job.most)


def _answer(head: dict[str, Any], blobs: list[bytes], status: int) -> Answer:
    refusal, wrong, facts = head.get("refusal"), head.get("wrong"), head.get("facts")
    if isinstance(refusal, str):
        raise Invalid("picture", translated(refusal[:500]))
    if isinstance(facts, dict):
        peak = head.get("peak")
        return Answer(facts, blobs, peak if isinstance(peak, int) else 0)
    if wrong == "memory" or (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL):
        raise DecodingFailed("memory")
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU:
        raise DecodingFailed("time")
    if wrong == "damaged":
        raise DecodingFailed("damaged")
    log.warning("a picture ended the process that decoded it", status=status)
    raise DecodingFailed("crash")


@contextmanager
def _measured() -> Iterator[None]:
    """Count and time a job by its outcome."""
    began, outcome = time.monotonic(), "ok"
    try:
        yield
    except Invalid:
        outcome = "refused"
        raise
    except DecodingFailed as error:
        outcome = error.how
        raise
    except BaseException:
        outcome = "cancelled"
        raise
    finally:
        metrics.decoded.labels(outcome).inc()
        metrics.decode_seconds.observe(time.monotonic() - began)


def _check_there() -> None:
    if (is_gone := gone.get(None)) and is_gone():
        raise Gone(_("The upload was cancelled."))


def _busy() -> Busy:
    return Busy(
        _("Too many pictures are being uploaded right now, so this one was not saved. Try again in a moment."),
        RETRY_AFTER,
    )


pool = Pool()
atexit.register(pool.close)
