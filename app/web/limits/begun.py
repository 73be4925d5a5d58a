"""Count each download once."""

from collections import OrderedDict
from hashlib import sha256
from threading import Lock
from time import monotonic


class Begun:
    """The downloads that have started, in memory, so that each is counted once, however many parts it is fetched in.

    A download has started when more than a probe's few bytes were requested, anywhere in the file, in any number of
    pieces. It is over when nothing was requested for `seconds`.
    """

    def __init__(self, probe: int = 1024, seconds: float = 3600.0, keys: int = 10_000) -> None:
        self.probe = probe  # bytes
        self.seconds = seconds
        self.keys = keys
        self._seen: OrderedDict[bytes, tuple[float, int]] = OrderedDict()  # time and number of bytes; latest last
        self._lock = Lock()

    def begins(self, key: str, asked: int, whole: int) -> bool:
        """Count `asked` bytes of a file of `whole` bytes. True when these start a download."""
        now, name, enough = monotonic(), sha256(key.encode(errors="replace")).digest(), min(self.probe, whole)
        with self._lock:
            at, before = self._seen.pop(name, (now, 0))
            if now - at > self.seconds:
                before = 0
            self._seen[name] = now, before + asked
            while len(self._seen) > self.keys:
                self._seen.popitem(last=False)
        return before < enough <= before + asked
