"""What a decoding process cannot do, tried by a process that has given it up."""

import json
import platform
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from app.decoding import sandbox

ROOT = Path(__file__).parents[2]

PROGRAM = """
import json, os, socket, sys, subprocess, ctypes, mmap
from app.decoding import sandbox
step = sys.argv[1]
there = open("/etc/hostname").fileno()
mapped = sandbox.memory_mapped()
held = sandbox.confine_worker()
filtered = sandbox.filter_holds(lambda: None)
held += [sandbox.FILTER] if filtered else []
if step == "child":
    sandbox.confine_child(mapped + 2**26, 5, filtered)
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
    """The active restrictions, and what such a process can still do."""
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
def test_a_child_can_only_do_its_job() -> None:
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


FORBIDDEN = """
import ctypes, json, platform, struct
from app.decoding import sandbox
from app.decoding.pool import Pool, DecodingJob
from tests.factory import png

# What a container's own filter may refuse: further filters (prctl(2) with 22), and here namespaces and Landlock too.
prctl, unshare = {"x86_64": (157, 272), "aarch64": (167, 97)}[platform.machine()]
program = [(0x20, 0, 0, 0), (0x15, 5, 0, unshare), (0x15, 4, 0, sandbox.CREATE_RULESET), (0x15, 0, 2, prctl)]
program += [(0x20, 0, 0, 16), (0x15, 1, 0, sandbox.SET_SECCOMP), (0x06, 0, 0, sandbox.ALLOW)]
program += [(0x06, 0, 0, sandbox.REFUSE)]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in program))
libc = ctypes.CDLL(None)
assert libc.prctl(sandbox.NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0
assert libc.prctl(sandbox.SET_SECCOMP, 2, struct.pack("HxxxxxxP", len(program), ctypes.addressof(code)), 0, 0) == 0
pool = Pool(1)
pool.warm()
asked = {"kind": "PNG", "pixels": 2**20, "memory": 2**28}
answer = pool.run(DecodingJob("clean", png(size=(128, 128)), asked, 2**28, 2**20))
print(json.dumps({"held": pool._idle[0].held, "width": answer.facts["width"]}))
pool.close()
"""


@pytest.mark.skipif(platform.machine() not in sandbox.CALLS, reason="the program knows these machines")
def test_without_any_sandbox_uploads_still_work_and_the_log_says_so() -> None:
    run = subprocess.run(
        [sys.executable, "-c", FORBIDDEN], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    *logged, answered = run.stdout.splitlines()
    said = json.loads(answered)
    assert said["width"] == 128
    assert said["held"] == ["no core", "no written files", "no privileges"]
    assert "no network, no files, few system calls" in "".join([*logged, run.stderr])


@pytest.mark.skipif(sys.platform != "linux", reason="a Linux call")
def test_a_filter_that_breaks_decoding_is_not_used() -> None:
    program = "import os; from app.decoding.sandbox import filter_holds; print(filter_holds(lambda: os.listdir('/')))"
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"


# A container's own filter: unshare(2) fails, everything else passes.
CONTAINER = """
import ctypes, platform, struct
from app.decoding import sandbox
libc = ctypes.CDLL(None)
number = {"x86_64": 272, "aarch64": 97}[platform.machine()]
lines = [(0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, sandbox.REFUSE), (0x06, 0, 0, sandbox.ALLOW)]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in lines))
assert libc.prctl(sandbox.NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0
assert libc.prctl(sandbox.SET_SECCOMP, 2, struct.pack("HxxxxxxP", len(lines), ctypes.addressof(code)), 0, 0) == 0
print("no network" in sandbox.confine_worker(), sandbox.filter_holds(lambda: None))
"""


@pytest.mark.skipif(platform.machine() not in sandbox.CALLS, reason="the program knows these machines")
def test_in_a_container_system_calls_are_filtered_once_more() -> None:
    run = subprocess.run([sys.executable, "-c", CONTAINER], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout == "False True\n"
