"""How long work may take, whatever machine runs the tests.

Bounds are in seconds of processor time on the machine on which they were chosen. Another may be slower, always or while
others use its caches, so a bound that is not kept is multiplied by how much slower it is just then.
"""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import thread_time

USUAL = 0.008  # s, what `_work` takes where the bounds were chosen


def _work() -> None:
    """A little of what the server does: texts, mappings, calls."""
    found: dict[str, int] = {}
    for number in range(25_000):
        word = f"{number % 999:04}"
        found[word] = found.get(word, 0) + len(word.upper().strip("0"))


def slowness() -> float:
    """How many times slower than where the bounds were chosen this machine is now, at least 1."""

    def once() -> float:
        began = thread_time()
        _work()
        return thread_time() - began

    return max(1.0, min(once() for _ in range(3)) / USUAL)


def exceeds(seconds: float, most: float) -> bool:
    """Whether work that took `seconds` of processor time would have taken more than `most` where bounds are chosen."""
    return seconds > most and seconds > most * slowness()


@contextmanager
def at_most(most: float, clock: Callable[[], float] = thread_time) -> Iterator[None]:
    """Fail unless what is within takes at most so many seconds of processor time, of this thread or by `clock`.

    Python looks for no garbage in that time: what other tests left would count too.
    """
    gc.disable()
    try:
        began = clock()
        yield
        seconds = clock() - began
    finally:
        gc.enable()
    assert not exceeds(seconds, most), f"{seconds:.3f} s of processor time, at most {most} s times {slowness():.1f}"
