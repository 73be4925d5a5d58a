"""`soroe serve` as a separate process, for what only a real process can show."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import httpx2

READY = re.compile(r"Soroe is ready at (http://\S+) ")
ANSWERS = re.compile(r"Soroe (?:answers|is ready) at (http://\S+?)\.? ")
SETUP = re.compile(r"(http://\S+/setup/\S+)")
PATIENCE = 120.0  # torch takes its time to import on a busy machine


SERVE = ("-c", "from app.cli import main; main()", "serve")


class Process:
    """A server on a data folder. It printed `url` and `setup_link`; `kill` or `stop` ends it.

    `command` is what Python runs; `extra` is added to its environment; `log` is for its output. Without `wait`, it may
    still be starting.
    """

    def __init__(
        self,
        data: Path,
        *,
        command: Sequence[str] = SERVE,
        extra: Mapping[str, str] | None = None,
        log: Path | None = None,
        wait: bool = True,
        **settings: object,
    ) -> None:
        self.log = log or data.parent / f"server-{time.monotonic_ns()}.log"
        values = {"data": data, "port": 0, "device": "cpu"} | settings
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SOROE_")}
        environment |= {f"SOROE_{name.upper()}": str(value) for name, value in values.items()}
        environment |= extra or {}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, *command],
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=Path(__file__).parent.parent.parent,
            )
        if wait:
            self.wait_until_ready()

    @property
    def output(self) -> str:
        return self.log.read_text()

    def kill(self) -> None:
        """Like a power cut."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def stop(self, how: signal.Signals = signal.SIGINT) -> int:
        """Like Ctrl-C, or as a system does; returns the exit status."""
        self.process.send_signal(how)
        return self.process.wait(30)

    def __enter__(self) -> "Process":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.kill()

    @property
    def setup_link(self) -> str:
        """The link that it printed for the first account; empty if there is one."""
        found = SETUP.search(self.output)
        return found[1] if found else ""

    def wait_until_ready(self) -> None:
        """Wait until its model works, when its start-up output is complete, and it answers at `url`."""
        self._wait_for(READY)

    def wait_until_answers(self) -> None:
        """Wait until it answers at `url`. Its model may still be loading."""
        self._wait_for(ANSWERS)

    def _wait_for(self, words: re.Pattern[str]) -> None:
        ends = time.monotonic() + PATIENCE
        while time.monotonic() < ends and self.process.poll() is None:
            if found := words.search(self.output):
                with suppress(httpx2.TransportError):
                    httpx2.get(f"{found[1]}/healthz", timeout=5, trust_env=False)
                    self.url = found[1]
                    return
            time.sleep(0.05)
        self.process.kill()
        self.process.wait(10)
        raise AssertionError(f"the server did not become ready:\n{self.output}")
