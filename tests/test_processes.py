"""Processes of the server end with it."""

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[1]
SERVER = """
import os, socket, sys
from threading import Thread
from app import processes
ours, theirs = socket.socketpair()
starting = Thread(target=lambda: started.append(processes.start("tests.busy", theirs, environment=os.environ)))
started = []
starting.start()
starting.join()
print(started[0].pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def server() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, text=True
    )


def test_one_that_never_reads_its_socket_ends_with_a_server_that_is_killed(server: subprocess.Popen[str]) -> None:
    with server:
        assert server.stdout
        busy = psutil.Process(int(server.stdout.readline()))
        with pytest.raises(psutil.TimeoutExpired):
            busy.wait(2)  # neither the end of the thread that started it, nor of its first second, ends it
        server.kill()
    try:
        assert psutil.wait_procs([busy], timeout=20)[1] == []
    finally:
        if busy.is_running():
            busy.kill()
