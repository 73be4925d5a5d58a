"""The warm process: it has imported everything that decoding needs, and forks a child for each job.

The worker itself reads nothing from a stranger. It gets a socket for each job (SCM_RIGHTS), hands it to a child, and
reports how the child ended. The child reads one job from the socket, answers there, and exits with its memory and
anything an upload may have done to it. Worker and child end when the server does, however it ends.
"""

import contextlib
import os
import select
import signal
import socket
import struct
from functools import partial

from app.decoding import frames, jobs, sandbox

STATUS = struct.Struct(">i")  # a child's exit status, as in wait(2)


def main(descriptor: int, parent: int, *modules: str) -> None:
    """Serve the control socket `descriptor` until `parent` closes it, including jobs of `modules`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server
    control = socket.socket(fileno=descriptor)
    jobs.warm(modules)
    # Libraries' messages about hostile files are not news, and could fill a log.
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 2)
    os.close(silence)
    mapped = sandbox.memory_mapped()
    held = sandbox.confine_worker()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        filtered = sandbox.filter_holds(partial(jobs.work_once, ours, theirs))
    frames.send(control, {"held": [*held, *([sandbox.FILTER] if filtered else [])]})
    while True:
        _, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        if not descriptors:
            return
        _serve(control, descriptors[0], mapped, filtered)


def _serve(control: socket.socket, descriptor: int, mapped: int, filtered: bool) -> None:
    """Run one job in a child, which ends when the server does."""
    alive, alive_in_child = os.pipe()
    child = os.fork()
    if child == 0:
        control.close()
        os.close(alive)
        _do(descriptor, mapped, filtered)
    os.close(descriptor)
    os.close(alive_in_child)
    ready, _, _ = select.select([control.fileno(), alive], [], [])
    if control.fileno() in ready:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    os.close(alive)
    with contextlib.suppress(BrokenPipeError):
        control.sendall(STATUS.pack(status))


def _do(descriptor: int, mapped: int, filtered: bool) -> None:
    """In the child: do one job, then exit."""
    code = 1
    try:
        jobs.answer(socket.socket(fileno=descriptor), mapped, filtered)
        code = 0
    finally:
        os._exit(code)
