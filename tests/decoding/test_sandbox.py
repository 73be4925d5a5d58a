"""What a decoding process cannot do, tried by a process that has given it up."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PROGRAM = """
import json, os, socket, sys, subprocess, ctypes, mmap
from app.decoding import sandbox
step = sys.argv[1]
there = open("/etc/hostname").fileno()
mapped = sandbox.memory_mapped()
held = sandbox.confine_worker()
if step == "child":
    sandbox.confine_child(mapped + 2**26, 5)
tries = {
    "read a file": lambda: open("/etc/hostname"),
    "write a file": lambda: open("/tmp/soroe-sandbox", "w"),
    "list a folder": lambda: os.listdir("/"),
    "connect": lambda: socket.socket().connect(("127.0.0.1", int(sys.argv[2]))),
    "run a program": lambda: os.execv("/bin/true", ["true"]) if step == "child" else open("/bin/true"),
    "fork": lambda: os.fork() or os._exit(0),
    "look at the server": lambda: open(f"/proc/{os.getppid()}/environ").read(),
    "kill the server": lambda: os.kill(os.getppid(), 0),
    "take memory": lambda: bytearray(2**27),
    "work": lambda: len(bytearray(2**20)),
}
done = {}
for name, step in tries.items():
    try:
        step()
        done[name] = True
    except (OSError, MemoryError) as error:
        done[name] = False
os.write(1, json.dumps({"held": held, "done": done}).encode())
os._exit(0)
"""


def tried(step: str) -> tuple[list[str], set[str]]:
    """What holds, and what such a process still can do."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        run = subprocess.run(
            [sys.executable, "-c", PROGRAM, step, str(listener.getsockname()[1])],
            cwd=ROOT,
            capture_output=True,
            check=True,
            timeout=60,
        )
    said = json.loads(run.stdout)
    return said["held"], {name for name, done in said["done"].items() if done}


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have resource limits alone")
def test_a_child_can_do_nothing_but_work() -> None:
    held, possible = tried("child")
    if "few system calls" in held:
        assert possible == {"work"}
    assert "take memory" not in possible


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have resource limits alone")
def test_a_worker_has_neither_files_nor_network() -> None:
    held, possible = tried("worker")
    if "no files" in held:
        assert not possible & {"read a file", "write a file", "list a folder", "look at the server"}
    if "no network" in held:
        assert "connect" not in possible
