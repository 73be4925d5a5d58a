"""How long transactions wait for SQLite's one write lock, and how long they hold it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

import structlog

from app import metrics

log = structlog.get_logger()


class _Taken(threading.local):
    since: float | None = None  # when its transaction took the lock


_taken = _Taken()


@contextmanager
def taking() -> Iterator[None]:
    """Measure how long the lock takes to get; it is held afterwards, unless something is raised."""
    began = perf_counter()
    try:
        yield
        _taken.since = perf_counter()
    finally:
        metrics.write_wait.observe(perf_counter() - began)


@contextmanager
def holding(slow_seconds: float) -> Iterator[None]:
    """Measure how long the lock is held, from `taking` within to the end; log more than `slow_seconds` (0: never)."""
    try:
        yield
    finally:
        since, _taken.since = _taken.since, None
        if since is not None:
            seconds = perf_counter() - since
            metrics.write_hold.observe(seconds)
            if 0 < slow_seconds <= seconds:
                log.warning("slow transaction", seconds=round(seconds, 3))
