"""A worker without a model, for what its server does about it: it dies, hangs or works as SOROE_MODEL says."""

import faulthandler
import os
import signal
import time
from multiprocessing.connection import Connection

from app import processes
from app.engine.events import Done, Step, Unit
from app.engine.messages import Loaded, Quit, Refused, Result, Stop, Task, TaskEnd
from app.settings import Settings
from tests.engine.painter import FACTS


def main(descriptor: int, parent: int) -> None:
    if parent != os.getppid():
        os._exit(3)
    connection = Connection(descriptor)
    settings: Settings = connection.recv()
    match settings.model:
        case "dies":
            faulthandler.disable()
            os.abort()
        case "dies once":
            try:
                (settings.data / "died").touch(exist_ok=False)
            except FileExistsError:
                pass
            else:
                faulthandler.disable()
                os.abort()
        case "is refused":
            connection.send(Refused("This model is no model."))
            return
        case "slow":
            while not (settings.data / "go").exists():
                time.sleep(0.01)
        case "deaf":  # it never notices that its socket has ended
            processes.end_with(parent)
            connection.send(Loaded(FACTS))
            time.sleep(600)
    connection.send(Loaded(FACTS))
    if settings.model == "hangs":
        os.kill(os.getpid(), signal.SIGSTOP)
    work(connection)


def work(connection: Connection) -> None:
    """One step per unit; then the unit waits until it is stopped."""
    while True:
        match connection.recv():
            case Task(number, Unit() as unit):
                connection.send(Result(number, Step(unit.id, 1, unit.steps)))
                if unit.steps == 1:
                    connection.send(Result(number, Done(unit.id)))
                    connection.send(TaskEnd(number))
            case Stop(number):
                connection.send(TaskEnd(number))
            case Quit():
                return
