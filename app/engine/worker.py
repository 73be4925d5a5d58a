"""The engine's own process: it holds the model, works, answers questions, and ends with the server.

main thread   loads the model and does the work, because torch works best on a single thread
reader        takes messages; a `Stop` sets a flag that the work reads after each step
questions     answers what cannot wait for a step
heartbeat     tells the server that this process is alive
"""

import faulthandler
import gc
import os
import signal
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from queue import SimpleQueue
from threading import Event as Flag
from threading import Lock, Thread
from typing import TYPE_CHECKING

import structlog

from app import processes
from app.engine.messages import (
    Alive,
    DepthMap,
    FromWorker,
    Loaded,
    Loading,
    LoraCheck,
    Question,
    Quit,
    Refused,
    Result,
    Stop,
    Task,
    TaskEnd,
    ToTranslate,
)
from app.errors import UserError
from app.logs import configure_logging
from app.settings import Settings

if TYPE_CHECKING:
    from app.engine.runner import Runner

log = structlog.get_logger()

NICE = 10  # pages come first
KILL_FIRST = 500  # when memory runs out: before the server, after a process that decodes an upload
HEARTBEAT_SECONDS = 10.0


def main(descriptor: int, parent: int) -> None:
    """Serve the socket `descriptor` of the server `parent` until it closes or says `Quit`."""
    processes.end_with(parent)
    processes.die_before_server(KILL_FIRST)
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, signal.SIG_IGN)  # the server stops this process when it has stopped itself
    faulthandler.enable()
    connection = Connection(descriptor)
    try:
        settings = connection.recv()
    except EOFError:
        return
    configure_logging(settings)
    worker = ModelWorker(connection)
    try:
        worker.run(settings)
    except Exception:
        log.exception("the engine's process failed")
        status = 1
    else:
        status = 0
    sys.stderr.flush()
    os._exit(status)  # libraries' threads may be anywhere; nothing is left to tidy


class ModelWorker:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sending = Lock()
        self._work: SimpleQueue[Task | None] = SimpleQueue()
        self._questions: SimpleQueue[Task] = SimpleQueue()
        self._stops: dict[int, Flag] = {}  # of work that waits or runs
        self._quitting = False

    def run(self, settings: Settings) -> None:
        """Load the model, then work until told to quit."""
        self._in_background(self._read)
        self._in_background(self._beat)
        gc.disable()  # what is imported and loaded stays: looking for garbage in it takes a fifth of the start
        from app.engine.runner import Runner  # torch takes seconds to import, in which the server may close
        from app.style_aligned import ModelError

        try:
            runner = Runner.load(settings, lambda what, fraction: self._send(Loading(what, fraction)))
        except ModelError as error:
            self._send(Refused(str(error)))
            return
        gc.freeze()
        gc.enable()
        processes.give_way(NICE)  # only now: on a busy machine, loading would take minutes
        self._send(Loaded(runner.facts))
        self._in_background(lambda: self._answer_all(runner))
        while (task := self._work.get()) and not self._quitting:
            self._do(runner, task)

    def _do(self, runner: "Runner", task: Task) -> None:
        stop = self._stops[task.number]
        if not stop.is_set():
            with structlog.contextvars.bound_contextvars(unit=task.what.id):  # type: ignore[union-attr]  # only work
                for event in runner.run(task.what, stop):  # type: ignore[arg-type]  # is queued here
                    self._send(Result(task.number, event))
        del self._stops[task.number]
        self._send(TaskEnd(task.number))

    def _answer_all(self, runner: "Runner") -> None:
        from app.style_aligned import ModelError

        while True:
            task = self._questions.get()
            refusal = ""
            try:
                self._send(Result(task.number, _answer(runner, task.what)))  # type: ignore[arg-type]  # is queued here
            except (ModelError, UserError) as error:
                refusal = str(error)
            except Exception:
                log.exception("a question could not be answered")
            self._send(TaskEnd(task.number, refusal))

    def _read(self) -> None:
        """Take messages. When the server has gone, nothing here is of use to anyone."""
        try:
            while True:
                self._take(self._connection.recv())
        except (EOFError, OSError):
            os._exit(0)

    def _take(self, message: Task | Stop | Quit) -> None:
        match message:
            case Task(number, LoraCheck() | DepthMap() | ToTranslate()):
                self._questions.put(message)
            case Task(number):
                self._stops[number] = Flag()
                self._work.put(message)
            case Stop(number):
                if stop := self._stops.get(number):
                    stop.set()
            case Quit():
                self._quitting = True
                for stop in [*self._stops.values()]:
                    stop.set()
                self._work.put(None)

    def _beat(self) -> None:
        while True:
            time.sleep(HEARTBEAT_SECONDS)
            self._send(Alive())

    def _send(self, message: FromWorker) -> None:
        try:
            with self._sending:
                self._connection.send(message)
        except OSError:
            os._exit(0)

    @staticmethod
    def _in_background(target: Callable[[], object]) -> None:
        Thread(target=target, daemon=True).start()


def _answer(runner: "Runner", question: Question) -> object:
    if isinstance(question, LoraCheck):
        return runner.lora_phrase(question.path, question.file_name)
    if isinstance(question, ToTranslate):
        return runner.translate(question.texts)
    return runner.depth_map(question.picture)
