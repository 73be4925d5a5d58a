"""How much may come in: bytes of a request's body, and tries at a password. And what is counted once that goes out."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256
from threading import Lock
from time import monotonic

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.web.filters import filesize

# Of a request that brings no picture. The longest form is a set of 500 prompts of 500 characters, which
# percent-encoding makes up to twelve times as many bytes.
BODY_BYTES = 4 * 2**20
UPLOAD_MARGIN = 2**16  # the form's other fields, and what multipart adds
DISCARD_SECONDS = 20.0

Refuse = Callable[[Scope, int, str], Awaitable[Response]]


class BodyLimit:
    """ASGI middleware: a body over its limit is refused before any of it is parsed or written to a disk.

    By Content-Length at once, else when the counted bytes pass the limit. What is still coming is thrown away for a
    while before the answer, because a browser that is cut off while it sends shows "connection reset" and never reads
    why.
    """

    def __init__(self, app: ASGIApp, uploads: Mapping[str, int], refuse: Refuse) -> None:
        """`uploads`: the largest file in bytes by how the paths begin where one may come in; the longest fits."""
        self.app = app
        self.uploads = uploads
        self.refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        path = max((path for path in self.uploads if scope["path"].startswith(path)), key=len, default=None)
        what, most = ("request", BODY_BYTES) if path is None else ("file", self.uploads[path])
        limit = most if path is None else most + UPLOAD_MARGIN
        sentence = f"The {what} is larger than {filesize(most)}, the most that is taken; send a smaller one."

        length = Headers(scope=scope).get("content-length", "")
        if length.isdecimal() and int(length) > limit:
            # A client that waits for "100 Continue" has not begun to send: it need not.
            if "expect" not in Headers(scope=scope):
                await _discard(receive)
            response = await self.refuse(scope, 413, sentence)
            return await response(scope, receive, send)

        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            if message["type"] == "http.request":
                taken += len(message.get("body", b""))
                if taken > limit:
                    if message.get("more_body"):
                        await _discard(receive)
                    raise HTTPException(413, sentence)
            return message

        return await self.app(scope, counted, send)


async def _discard(receive: Receive) -> None:
    """Read the rest of a body into nothing, until it ends or patience does."""
    try:
        async with asyncio.timeout(DISCARD_SECONDS):
            while True:
                message = await receive()
                if message["type"] != "http.request" or not message.get("more_body"):
                    return
    except TimeoutError:
        return


class Begun:
    """Which downloads have begun, in memory: so that one is told once, in however many parts it is fetched.

    It has begun once more than a probe's few bytes were asked for, from wherever in the file, and in however many
    pieces. It is over when nothing was asked for within `seconds`.
    """

    def __init__(self, probe: int = 1024, seconds: float = 3600.0, keys: int = 10_000) -> None:
        self.probe = probe  # bytes
        self.seconds = seconds
        self.keys = keys
        self._seen: OrderedDict[bytes, tuple[float, int]] = OrderedDict()  # when and how many bytes; the latest last
        self._lock = Lock()

    def begins(self, key: str, asked: int, whole: int) -> bool:
        """Count `asked` bytes of a file of `whole` bytes. True for those with which a download begins."""
        now, name, enough = monotonic(), _hash(key), min(self.probe, whole)
        with self._lock:
            at, before = self._seen.pop(name, (now, 0))
            if now - at > self.seconds:
                before = 0
            self._seen[name] = now, before + asked
            while len(self._seen) > self.keys:
                self._seen.popitem(last=False)
        return before < enough <= before + asked


class TryLimit:
    """At most `tries` a minute for one key, in memory: a restart forgives, which is no help to a guesser."""

    def __init__(self, tries: int = 10, seconds: float = 60.0, keys: int = 10_000) -> None:
        self.tries = tries
        self.seconds = seconds
        self.keys = keys
        self._times: dict[bytes, deque[float]] = {}  # by a hash: keys are typed by strangers, and of any length
        self._lock = Lock()  # routes run in several threads

    def allow(self, key: str) -> bool:
        """Count one try. False when there were too many within the time."""
        now = monotonic()
        with self._lock:
            times = self._times.setdefault(_hash(key), deque())
            while times and now - times[0] > self.seconds:
                times.popleft()
            if len(times) >= self.tries:
                return False
            times.append(now)
            if len(self._times) > self.keys:
                self._forget(now)
            return True

    def _forget(self, now: float) -> None:
        """Drop the keys whose tries are all long past, so that random keys do not fill the memory."""
        stale = [key for key, times in self._times.items() if not times or now - times[-1] > self.seconds]
        for key in stale:
            del self._times[key]


def _hash(key: str) -> bytes:
    return sha256(key.encode(errors="replace")).digest()
