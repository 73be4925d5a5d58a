"""The server's side of the process that measures: started when there is something to do, ended when there is not."""

import os
import socket
import time
from multiprocessing.connection import Connection
from subprocess import Popen, TimeoutExpired
from threading import Event as Flag
from typing import cast

import structlog

from app import processes
from app.measures.jobs import Answer, Job, Models
from app.settings import Settings

log = structlog.get_logger()

WORKER = "app.measures.worker"
SECONDS = 900.0  # for a job, with the loading of models, on a machine that leaves it little time
LOOK_SECONDS = 0.2  # how often a stop of the server is looked for
EXIT_SECONDS = 2.0
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "TQDM_DISABLE": "1"}


class ProcessLost(Exception):
    """The process ended during a job: it was killed, memory ran out, or a library failed."""


class Stopped(Exception):
    """The server is stopping."""


class MeasuringProcess:
    """At most one process. Belongs to one thread at a time."""

    def __init__(self, settings: Settings, stopping: Flag) -> None:
        self._settings, self._stopping = settings, stopping
        self._process: Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._used = 0.0
        self.models = Models({})
        """What the process that was started last said of its models."""

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def idle_seconds(self) -> float:
        """How long it has waited; 0 if there is none."""
        return time.monotonic() - self._used if self._process else 0.0

    def run(self, job: Job) -> Answer:
        """Do a job. Raises ProcessLost and Stopped; after either, the next job starts another process."""
        self.start()
        return cast(Answer, self._answered(job))

    def start(self) -> None:
        """Start the process if there is none, and load its models. Raises ProcessLost and Stopped."""
        if not self._connection:
            self._connection = self._started()
            self.models = cast(Models, self._answered(self._settings))

    def _answered(self, said: object) -> object:
        connection = self._connection
        try:
            if not connection:
                raise EOFError
            connection.send(said)
            ends = time.monotonic() + SECONDS
            while not connection.poll(LOOK_SECONDS):
                if self._stopping.is_set():
                    self.close()
                    raise Stopped
                if time.monotonic() > ends:
                    raise EOFError
            answer: object = connection.recv()
        except (EOFError, OSError) as error:
            self.close()
            raise ProcessLost from error
        self._used = time.monotonic()
        return answer

    def close(self) -> None:
        """End the process, at once if it works."""
        connection, self._connection = self._connection, None
        process, self._process = self._process, None
        if connection:
            connection.close()
        if process:
            if self._stopping.is_set():
                process.kill()
            try:
                process.wait(EXIT_SECONDS)
            except TimeoutExpired:
                process.kill()
                process.wait()

    def _started(self) -> Connection:
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                self._process = processes.start(WORKER, theirs, environment={**os.environ, **ENVIRONMENT})
            except OSError as error:
                ours.close()
                log.error("nothing can be measured: no process could be started", error=str(error))
                raise ProcessLost from error
        return Connection(ours.detach())
