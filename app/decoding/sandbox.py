"""What a decoding process gives up, as far as the system lets an ordinary user: files, network, processes, memory.

On Linux: user and network namespaces (unshare(2)), Landlock for files, seccomp for system calls (a list of those that
decoding needs; all others fail with EPERM). Elsewhere only the resource limits remain. Each step is tried separately,
and the worker reports which are active; where a step is not possible, pictures are decoded without it, and the log says
so.
"""

import contextlib
import ctypes
import os
import platform
import resource
import signal
import struct
import sys
from collections.abc import Callable
from pathlib import Path

from app import processes

NICE = 5  # pages come first
KILL_FIRST = 1000  # when memory runs out: before the server and the engine
FILES = 16  # descriptors that a child may have open
STEPS = ("no privileges", "no network", "no files", "few system calls")  # all steps on Linux, by name
FILTER = STEPS[-1]

NO_NEW_PRIVILEGES, GET_SECCOMP, SET_SECCOMP, SET_DUMPABLE, SET_DEATH_SIGNAL = 38, 21, 22, 4, 1  # prctl(2)
NEW_USER, NEW_NET, NEW_IPC = 0x10000000, 0x40000000, 0x08000000  # unshare(2)
CREATE_RULESET, RESTRICT_SELF = 444, 446  # Landlock's system calls, the same on all architectures

# The system calls that decoding needs, by architecture: memory, the one open socket, locks, time, randomness, exit.
CALLS = {
    "x86_64": (
        0xC000003E,
        "0 1 3 5 7 8 9 10 11 12 13 14 15 17 19 20 24 25 28 39 44 45 46 47 60 98 131 186 202 204 219 228 231 318",
    ),
    "aarch64": (
        0xC00000B7,
        "57 62 63 64 65 66 67 73 80 93 94 98 113 123 124 128 132 134 135 139 165 172 178 206 207 211 212 214 215 216 "
        "222 226 233 278",
    ),
}
# A HEIC photo's decoder starts a thread: clone (with CLONE_THREAD, so never a process), and what a thread calls.
CLONE = {"x86_64": 56, "aarch64": 220}
OF_THREADS = {"x86_64": "273 334", "aarch64": "99 293"}
CLONE3, THREAD = 435, 0x10000
ALLOW, REFUSE, UNKNOWN = 0x7FFF0000, 0x00050001, 0x00050026  # seccomp's answers; with EPERM, and with ENOSYS


def confine_worker() -> list[str]:
    """Confine the warm process after its imports, without files and network. Returns the active steps by name."""
    held = []
    processes.give_way(NICE)
    processes.die_before_server(KILL_FIRST)
    for name, limit in (("core", resource.RLIMIT_CORE), ("written files", resource.RLIMIT_FSIZE)):
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(limit, (0, 0))
            held.append(f"no {name}")
    if sys.platform == "linux":
        steps = {"no privileges": _no_privileges, "no network": _no_network, "no files": _no_files}
        held += [name for name, step in steps.items() if step()]
    return held


def filter_holds(work: Callable[[], None]) -> bool:
    """Try in a child whether the system-call filter can be installed and `work` runs behind it.

    A container may forbid filters; a newer C library may call something not on the list. Neither may cost an upload.
    """
    if sys.platform != "linux" or platform.machine() not in CALLS or not _has_filters():
        return False
    child = os.fork()
    if child == 0:
        done = False
        try:
            if _few_calls(threads=True):
                work()
                done = True
        finally:
            os._exit(not done)
    return os.waitpid(child, 0)[1] == 0


def confine_child(memory: int, cpu_seconds: int, filtered: bool, threads: bool = False) -> None:
    """Confine the child of one job: `memory` bytes in total and `cpu_seconds` of processor time.

    `filtered`: system calls too, if `filter_holds` found that possible. `threads`: it may start some, but no process.
    """
    for limit, soft, hard in (
        (resource.RLIMIT_CPU, cpu_seconds, cpu_seconds + 1),  # SIGXCPU says why; the hard limit sends SIGKILL
        (resource.RLIMIT_NOFILE, FILES, FILES),
        *([] if threads else [(resource.RLIMIT_NPROC, 0, 0)]),
        (resource.RLIMIT_DATA, memory, memory),
    ):
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(limit, (soft, hard))
    signal.signal(signal.SIGXCPU, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SET_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
        if filtered and not _few_calls(threads):
            raise RuntimeError("the filter of system calls was not taken")


def memory_mapped() -> int:
    """The bytes of private memory mapped by this process; 0 if the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_bytes().split()[5]) * resource.getpagesize()
    except (OSError, IndexError):
        return 0


def _no_privileges() -> bool:
    """Gain no privileges from programs, and let no process of the same user inspect this one."""
    libc = ctypes.CDLL(None)
    return bool(libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0 and libc.prctl(SET_DUMPABLE, 0, 0, 0, 0) == 0)


def _no_network() -> bool:
    """Enter an own network namespace, without a way out."""
    return bool(ctypes.CDLL(None).unshare(NEW_USER | NEW_NET | NEW_IPC) == 0)


def _no_files() -> bool:
    """Install Landlock with every right handled and none granted."""
    libc = ctypes.CDLL(None)
    version = libc.syscall(CREATE_RULESET, None, 0, 1)
    if version < 1:
        return False
    rights = (1 << {1: 13, 2: 14, 3: 15, 4: 15}.get(version, 16)) - 1
    wanted = struct.pack("QQ", rights, 3) if version >= 4 else struct.pack("Q", rights)  # 3: bind and connect
    ruleset = libc.syscall(CREATE_RULESET, wanted, len(wanted), 0)
    if ruleset < 0:
        return False
    done = libc.syscall(RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)
    return bool(done == 0)


def _has_filters() -> bool:
    """Whether this kernel has seccomp. In a container a filter is already on (2), and another can be added."""
    return bool(ctypes.CDLL(None).prctl(GET_SECCOMP, 0, 0, 0, 0) in (0, 2))


def _few_calls(threads: bool = False) -> bool:
    """Install a seccomp filter: no calls of another architecture, and of ours only CALLS, and `threads`."""
    machine, calls = CALLS[platform.machine()]
    load, equal, has, answer = 0x20, 0x15, 0x45, 0x06  # BPF: load a word, skip unless equal, unless it has bits, return
    program = [(load, 0, 0, 4), (equal, 1, 0, machine), (answer, 0, 0, REFUSE), (load, 0, 0, 0)]
    if threads:  # of clone3 a filter cannot see the flags; without it, the C library uses clone
        program += [(equal, 0, 1, CLONE3), (answer, 0, 0, UNKNOWN), (equal, 0, 4, CLONE[platform.machine()])]
        program += [(load, 0, 0, 16), (has, 0, 1, THREAD), (answer, 0, 0, ALLOW), (answer, 0, 0, REFUSE)]
        calls += f" {OF_THREADS[platform.machine()]}"
    for number in map(int, calls.split()):
        program += [(equal, 0, 1, number), (answer, 0, 0, ALLOW)]
    program.append((answer, 0, 0, REFUSE))
    code = b"".join(struct.pack("HBBI", *line) for line in program)
    kept = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("HxxxxxxP", len(program), ctypes.addressof(kept))
    return bool(ctypes.CDLL(None).prctl(SET_SECCOMP, 2, header, 0, 0) == 0)
