"""Spread work over processes."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")

# Not "fork", which can hang once torch has started threads, and not "spawn", which would import torch in every process.
PROCESSES = multiprocessing.get_context("forkserver")


def spread(work: Callable[[Job], Result], jobs: Iterable[Job], workers: int) -> Iterator[Result]:
    """Yield the results in the order of the jobs, as they arrive. With one worker, this process does the work."""
    if workers == 1:
        yield from map(work, jobs)
        return
    with PROCESSES.Pool(workers) as pool:
        yield from pool.imap(work, jobs)
