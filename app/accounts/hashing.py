"""Password hashing, a few at a time: by design each takes 64 MiB of memory for a tenth of a second.

Eighty simultaneous sign-ins would take 5 GB. So a few run at a time, some wait in a queue, and beyond that people get
an error and try again. The queue is shorter than the number of threads for requests that write, so it cannot fill them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore

from pwdlib import PasswordHash

from app import slow
from app.errors import Busy
from app.languages import N_, translated

AT_ONCE = 2  # 64 MiB each
IN_LINE = 14  # threads that may wait, of the 32 of requests that write
PATIENCE = 10.0  # s
RETRY_AFTER = 3  # s
SENTENCE = N_("The server is checking many passwords right now. Wait a few seconds, then try again.")


class BoundedHash:
    """pwdlib's `PasswordHash`, a few at a time. Both methods raise Busy."""

    def __init__(self, hashes: PasswordHash, at_once: int = AT_ONCE, in_line: int = IN_LINE) -> None:
        self._hashes = hashes
        self._working = BoundedSemaphore(at_once)
        self._present = BoundedSemaphore(at_once + in_line)

    @slow.outside
    def hash(self, password: str) -> str:
        with self._turn():
            return self._hashes.hash(password)

    @slow.outside
    def verify(self, password: str, password_hash: str) -> bool:
        with self._turn():
            return self._hashes.verify(password, password_hash)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._present.acquire(blocking=False):
            raise Busy(translated(SENTENCE), RETRY_AFTER)
        try:
            if not self._working.acquire(timeout=PATIENCE):
                raise Busy(translated(SENTENCE), RETRY_AFTER)
            try:
                yield
            finally:
                self._working.release()
        finally:
            self._present.release()


passwords = BoundedHash(PasswordHash.recommended())  # argon2id
