"""Faults that strike a machine while people work on it.

Each ends with a server that answers on a sound disk; its model may still be loading.
"""

import os
import random
import resource
import signal
import socket
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress

import psutil

from tests.faults.machine import Machine

SPARE_BYTES = 2**20

Strike = Callable[[Machine, random.Random], None]


def server_killed(machine: Machine, chance: random.Random) -> None:
    machine.kill()
    machine.start()


def killed_while_starting(machine: Machine, chance: random.Random) -> None:
    machine.kill()
    machine.start(wait=False)
    time.sleep(chance.uniform(0.1, 4))
    machine.kill()
    machine.start()


def server_stopped(machine: Machine, chance: random.Random) -> None:
    machine.stop()
    machine.start()


def model_killed(machine: Machine, chance: random.Random) -> None:
    """As the kernel does when memory ends."""
    machine.signal(machine.engine(), signal.SIGKILL)


def helper_killed(machine: Machine, chance: random.Random) -> None:
    """Any process that the server started, such as one that decodes uploads."""
    if children := machine.children():
        machine.signal(chance.choice(children), signal.SIGKILL)


def frozen(machine: Machine, chance: random.Random) -> None:
    """A virtual machine that is paused."""
    everyone = [machine.server.process.pid, *(child.pid for child in machine.children())]
    for number in (signal.SIGSTOP, signal.SIGCONT):
        for pid in everyone:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        if number == signal.SIGSTOP:
            time.sleep(chance.uniform(1, 4))


def memory_ended(machine: Machine, chance: random.Random) -> None:
    """The model gets no more memory, and raises."""
    model = machine.engine()
    with suppress(psutil.NoSuchProcess, ProcessLookupError):
        if model:
            limits = resource.prlimit(model.pid, resource.RLIMIT_AS)
            resource.prlimit(model.pid, resource.RLIMIT_AS, (model.memory_info().vms + SPARE_BYTES, limits[1]))
            time.sleep(chance.uniform(1, 4))
            resource.prlimit(model.pid, resource.RLIMIT_AS, limits)


def database_locked(machine: Machine, chance: random.Random) -> None:
    """By another program, for longer than a request waits, or shorter."""
    with closing(sqlite3.connect(machine.data / "soroe.sqlite3", timeout=30, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        time.sleep(chance.choice((2, 6, 20)))
        connection.execute("ROLLBACK")


def clock_set(machine: Machine, chance: random.Random) -> None:
    """Back or forward, by up to two hours."""
    machine.clock.set(chance.randint(-7200, 7200))


def hung_up(machine: Machine, chance: random.Random) -> None:
    """Uploads whose sender goes away halfway."""
    for _ in range(5):
        with suppress(OSError), socket.create_connection(("127.0.0.1", machine.port), timeout=5) as connection:
            head = "POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nSec-Fetch-Site: same-origin\r\n"
            head += "Content-Length: 100000\r\nContent-Type: multipart/form-data; boundary=b\r\n\r\n"
            connection.sendall(head.encode() + bytes(chance.randrange(1, 60_000)))


def disk_full(machine: Machine, chance: random.Random) -> None:
    disk = machine.disk
    assert disk
    disk.fill(leave=chance.choice((0, 4096, 300_000, 3_000_000)))
    time.sleep(chance.uniform(2, 8))
    disk.free()


def disk_read_only(machine: Machine, chance: random.Random) -> None:
    """An error makes the file system read-only; the operator stops the server, repairs the disk, and starts it."""
    disk = machine.disk
    assert disk
    disk.fail()
    time.sleep(chance.uniform(1, 4))
    machine.stop()
    disk.power_on(repair=True)
    machine.start()


def power_cut(machine: Machine, chance: random.Random) -> None:
    disk = machine.disk
    assert disk
    disk.cut()
    machine.kill()
    disk.power_on()
    machine.start()


ANYWHERE: dict[Strike, int] = {
    server_killed: 6,
    killed_while_starting: 2,
    server_stopped: 2,
    model_killed: 6,
    helper_killed: 2,
    frozen: 1,
    memory_ended: 2,
    database_locked: 2,
    clock_set: 2,
    hung_up: 1,
}
"""With how often each is chosen."""

AT_WORK: set[Strike] = {server_killed, server_stopped, model_killed, memory_ended, disk_read_only, power_cut}
"""Faults that end the model, or its server."""

ON_A_DISK: dict[Strike, int] = {disk_full: 3, disk_read_only: 2, power_cut: 3}
