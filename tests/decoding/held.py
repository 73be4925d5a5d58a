"""Workers suspended by the system in the middle of their work."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from app.decoding.pool import Pool, Worker

PATIENCE = 60.0


@contextmanager
def stopped_workers(pool: Pool) -> Iterator[list[Worker]]:
    """All workers of `pool`, idle and suspended: jobs given to them wait until `go_on`."""
    workers = [pool._take() for _ in range(pool.workers)]
    for worker in workers:
        os.killpg(worker.process.pid, signal.SIGSTOP)
        pool._give_back(worker)
    try:
        yield workers
    finally:
        go_on(workers)


def go_on(workers: list[Worker]) -> None:
    for worker in workers:
        with suppress(ProcessLookupError):
            os.killpg(worker.process.pid, signal.SIGCONT)


def wait_for(what: Callable[[], bool]) -> None:
    ends = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < ends, "it did not come about"
        time.sleep(0.01)
