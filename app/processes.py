"""Child processes of the server: started as this program, and ended with it, however it ends."""

import ctypes
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from subprocess import DEVNULL, Popen
from threading import Thread, get_native_id

ROOT = Path(__file__).parents[1]
START = """
import sys; sys.path.insert(0, sys.argv[1])
from importlib import import_module; import_module(sys.argv[2]).main(*map(int, sys.argv[3:5]), *sys.argv[5:])
"""
SET_DEATH_SIGNAL = 1  # prctl(2)
LOW_PRIORITY = 15


def start(
    module: str, connection: socket.socket, *arguments: str, environment: Mapping[str, str], folder: str | None = None
) -> Popen[bytes]:
    """Start `main(descriptor, parent, *arguments)` of a module of this program, with `connection` as `descriptor`.

    The child is a session of its own, which Ctrl-C does not reach. If it calls `end_with(parent)`, the thread that
    starts it must live as long as it does; if it does not, `end_without(parent)` ends it too.
    """
    parts = [str(ROOT), module, str(connection.fileno()), str(os.getpid()), *arguments]
    return Popen(  # noqa: S603  (this program itself)
        [sys.executable, "-P", "-c", START, *parts],
        stdin=DEVNULL,
        stdout=DEVNULL,
        pass_fds=[connection.fileno()],
        env=environment,
        cwd=folder,
        start_new_session=True,
    )


def give_back_memory() -> None:
    """Return freed memory to the system, which the GNU C library would keep: after something large was read once."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim:
        trim(0)


# In the child


def end_with(parent: int) -> None:
    """Let the kernel kill this process when the thread that started it ends (Linux; PR_SET_PDEATHSIG of prctl(2)).

    The child also reads its socket, which ends with the parent, on any system.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SET_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it ended before the call above
        os._exit(0)


def end_without(parent: int) -> None:
    """End this process within seconds of its server, whatever it is doing and whichever thread started it."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(0)

    Thread(target=watch, name="end without the server", daemon=True).start()


def give_way(nice: int) -> None:
    """Let the server come first on the processor: all threads of this process have `nice` more than it from now on."""
    tasks = Path("/proc/self/task")  # Linux has a priority for each thread; a new one takes it from its creator
    threads = [int(task.name) for task in tasks.iterdir()] if tasks.exists() else [0]
    priority = os.getpriority(os.PRIO_PROCESS, 0) + nice
    for thread in threads:
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, thread, priority)
    with suppress(OSError):
        Path("/proc/self/autogroup").write_text(
            str(min(priority, 19))
        )  # sessions compete before their processes do: sched(7)


def die_before_server(kill_first: int) -> None:
    """When memory runs out, be killed before the server.

    `kill_first`: -1000 to 1000; a process with more is killed before others (proc(5), oom_score_adj).
    """
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(kill_first))


def lower_thread_priority() -> None:
    """Let all others come before this thread. Only Linux has priorities per thread."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, get_native_id(), LOW_PRIORITY)
