"""State between two requests of the same browser: used once, and soon.

For example on the way to the sign-in provider and back, and for the second step after the password. In memory: after a
restart within these minutes, people start over. A cookie identifies the browser, so that no other one can finish what
it started.
"""

import hmac
from collections import OrderedDict
from threading import RLock
from time import monotonic
from typing import Generic, TypeVar

from app.accounts.service import token_hash

SECONDS = 600.0
ADDRESS_MAX = 2000  # characters of a page to go to afterwards: there may be many in memory

T = TypeVar("T")


class Pending(Generic[T]):
    """At most `most` entries, and `most_of_one` of a browser; the oldest are dropped first."""

    def __init__(self, seconds: float = SECONDS, most: int = 10_000, most_of_one: int | None = None) -> None:
        self.seconds = seconds
        self.most = most
        self.most_of_one = most_of_one
        self._kept: OrderedDict[str, tuple[float, str, T]] = OrderedDict()  # by the hash of a key: when, whose, what
        self._lock = RLock()

    def keep(self, key: str, browser: str, what: T) -> None:
        """Store `what` under a secret `key` for the browser with the cookie `browser`."""
        whose = token_hash(browser)
        with self._lock:
            self._kept[token_hash(key)] = monotonic(), whose, what
            if self.most_of_one:
                for name in [name for name, kept in self._kept.items() if kept[1] == whose][: -self.most_of_one]:
                    del self._kept[name]
            while len(self._kept) > self.most:
                self._kept.popitem(last=False)

    def kept(self, key: str, browser: str, what: T) -> T:
        """Store `what`, unless this browser has an entry under `key`, whose time starts again; return the entry."""
        with self._lock:
            found = self.look(key, browser)
            entry = what if found is None else found
            self.keep(key, browser, entry)
            return entry

    def take(self, key: str, browser: str) -> T | None:
        """Remove and return an entry; None for an unknown or old key, or another browser's."""
        return self._find(key, browser, forget=True)

    def look(self, key: str, browser: str) -> T | None:
        """Return an entry without removing it."""
        return self._find(key, browser, forget=False)

    def _find(self, key: str, browser: str, forget: bool) -> T | None:
        name = token_hash(key)
        with self._lock:
            at, whose, what = self._kept.get(name, (0.0, "", None))
            if what is None or not browser or not hmac.compare_digest(whose, token_hash(browser)):
                return None
            if forget or monotonic() - at > self.seconds:
                del self._kept[name]
            return what if monotonic() - at <= self.seconds else None


def short(url: str) -> str:
    """`url`, or the home page if it is too long to store."""
    return url if len(url) <= ADDRESS_MAX else "/"
