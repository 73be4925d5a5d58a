"""What is slow stays out of writing transactions.

SQLite has one write lock, and who holds it holds up everybody else who writes. So decoding, hashing, rendering, files
and passwords come before the transaction, or after it, and only their results go in. That is not left to good
intentions: what is marked with `outside` refuses to run in a thread that is within `Database.write`.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class _Thread(threading.local):
    depth = 0  # writing transactions that this thread is within
    permits = 0  # of those who answer for being slow


_thread = _Thread()


class SlowWork(RuntimeError):
    """Something slow was about to be done while everybody else waits for the write lock."""


@contextmanager
def writing() -> Iterator[None]:
    """Within, this thread is in a writing transaction."""
    _thread.depth += 1
    try:
        yield
    finally:
        _thread.depth -= 1


@contextmanager
def permitted() -> Iterator[None]:
    """Within, slow work is let through: for tests that make rows and files together, and nobody waits for them."""
    _thread.permits += 1
    try:
        yield
    finally:
        _thread.permits -= 1


def is_permitted() -> bool:
    """Whether this thread may be slow wherever it is."""
    return _thread.permits > 0


def is_forbidden() -> bool:
    """Whether this thread is in a writing transaction and nothing permits it to be slow there."""
    return _thread.depth > 0 and not _thread.permits


def refuse(what: str) -> None:
    """Raises SlowWork when this thread is in a writing transaction."""
    if is_forbidden():
        raise SlowWork(f"{what} is slow: do it before the writing transaction, or after it")


def outside(function: Callable[P, T]) -> Callable[P, T]:
    """A function that raises SlowWork when it is called within a writing transaction."""

    @wraps(function)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
        refuse(function.__qualname__)
        return function(*args, **kwargs)

    return guarded
