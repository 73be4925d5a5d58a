"""What was begun in a browser and is finished by a later request of the same browser: once, and soon.

Such as the way to the sign-in provider and back, and the second step after the password. In memory: a restart within
these minutes means to begin again. A browser is known by a cookie of its own, so that what one began no other finishes.
"""

import hmac
from collections import OrderedDict
from threading import Lock
from time import monotonic
from typing import Generic, TypeVar

from app.accounts.service import token_hash

SECONDS = 600.0
ADDRESS_MAX = 2000  # characters of a page to go to afterwards: what is kept is kept in memory, and many may be

T = TypeVar("T")


class Pending(Generic[T]):
    """At most `most` things at once; the oldest are forgotten first."""

    def __init__(self, seconds: float = SECONDS, most: int = 10_000) -> None:
        self.seconds = seconds
        self.most = most
        self._kept: OrderedDict[str, tuple[float, str, T]] = OrderedDict()  # by the hash of a key: when, whose, what
        self._lock = Lock()

    def keep(self, key: str, browser: str, what: T) -> None:
        """Remember `what` by a secret `key` for the browser that has the cookie `browser`."""
        with self._lock:
            self._kept[token_hash(key)] = monotonic(), token_hash(browser), what
            while len(self._kept) > self.most:
                self._kept.popitem(last=False)

    def take(self, key: str, browser: str) -> T | None:
        """What was kept by that key, which then is forgotten; None for an unknown or old one, or another browser's."""
        return self._find(key, browser, forget=True)

    def look(self, key: str, browser: str) -> T | None:
        """The same, still kept."""
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
    """`url`, or the home page for one that is too long to keep."""
    return url if len(url) <= ADDRESS_MAX else "/"
