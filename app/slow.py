"""Keep slow work out of writing transactions.

SQLite has one write lock, and its holder blocks all other writers. So decoding, hashing, rendering, files and passwords
come before the transaction, or after it, and only their results go in. This is enforced: functions marked with
`outside` refuse to run in a thread that is in `Database.write`.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class _Thread(threading.local):
    depth = 0  # writing transactions that this thread is in
    permits = 0  # active permissions to be slow


_thread = _Thread()


class SlowWork(RuntimeError):
    """Slow work was attempted while everyone else waits for the write lock."""


@contextmanager
def writing() -> Iterator[None]:
    """Mark this thread as in a writing transaction for the duration."""
    _thread.depth += 1
    try:
        yield
    finally:
        _thread.depth -= 1


@contextmanager
def permitted() -> Iterator[None]:
    """Permit slow work for the duration: for tests that make rows and files together, while nobody waits."""
    _thread.permits += 1
    try:
        yield
    finally:
        _thread.permits -= 1


def is_permitted() -> bool:
    """Whether slow work is permitted in this thread."""
    return _thread.permits > 0


def is_forbidden() -> bool:
    """Whether this thread is in a writing transaction without permission to be slow."""
    return _thread.depth > 0 and not _thread.permits


def refuse(what: str) -> None:
    """Raise SlowWork if this thread is in a writing transaction."""
    if is_forbidden():
        raise SlowWork(f"{what} is slow: do it before the writing transaction, or after it")


def outside(function: Callable[P, T]) -> Callable[P, T]:
    """Make a function raise SlowWork when it is called within a writing transaction."""

    @wraps(function)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
        refuse(function.__qualname__)
        return function(*args, **kwargs)

    return guarded
