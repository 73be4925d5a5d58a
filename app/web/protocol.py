"""HTTP/1.1 with limits on everything a client can make the server hold: bytes, time and connections.

uvicorn leaves these to a proxy. Soroe may be reached without one, so the `Door` counts each connection and checks it
once a second: a client that takes too long over a head, a body or an answer is dropped.

The parser is httptools, not h11. It wraps llhttp, the parser of Node.js, which is strict where proxies and servers have
been made to disagree on where a request ends (a length together with chunks, two lengths, bare line feeds, folded
lines). It is also too fast to attack; h11 is Python, and a body in chunks of one byte kept it busy for minutes.

A client over a limit gets a status and a sentence, if its answer has not started. Anything it still sends is then
discarded for a while, because a client that is cut off while sending never reads why.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from time import monotonic
from typing import Any, cast

import httptools
import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.web.limits.tries import network_of

log = structlog.get_logger()


@dataclass(frozen=True)
class Bounds:
    """The limits of one server. Bytes are counted on the wire."""

    line_bytes: int = 28 * 2**10
    """Of an address. The longest honest one downloads or compares a thousand pictures by number."""

    head_bytes: int = 32 * 2**10
    """Of a request before its body. Browsers send 1 to 4 KiB; with the cookies of a crowded domain, up to 16."""

    headers: int = 100
    """Lines of a head. Browsers send about 20, proxies add a few."""

    head_seconds: float = 15.0
    """From the connection, or the first byte of the next request, to the end of the head: usually one packet."""

    keep_alive_seconds: float = 65.0
    """How long a connection may wait for its next request.

    Longer than proxies wait (docs/proxy.md), so that we never close a connection on which a proxy is just sending.
    """

    body_quiet_seconds: float = 30.0
    """Without a byte of the body while we want one. A phone that changes cells is back sooner."""

    body_rate: int = 4 * 2**10
    """Minimum average bytes per second of a body, after `body_quiet_seconds`: half of a bad mobile connection.

    So an upload of 32 MB may take over two hours.
    """

    frame_bytes: int = 64 * 2**10
    """Allowed framing bytes of a chunked body, plus half as many as its content.

    A chunk of one byte has a frame of five; no honest client sends many of those, and parsing them is work.
    """

    answer_quiet_seconds: float = 60.0
    """Without the client reading any available byte of the answer. Downloads can be resumed."""

    answer_rate: int = 2**10
    """Minimum average bytes per second at which the client reads an answer, after `answer_quiet_seconds`."""

    linger_seconds: float = 20.0
    """How long a client's bytes are discarded after its answer, so that it can read why."""

    pipelined: int = 8
    """Requests sent ahead, before the answer to the first. Browsers send none."""

    connections: int = 2000
    """Open at once. `soroe serve` lowers it to what the process's limit of open files allows."""

    of_address: int = 200
    """Open at once from one address (IPv6: one /64) that is not one of our proxies: an office behind one router, with a
    few windows each.
    """


SENTENCES = {
    400: "The server could not read this request.",  # English
    408: "The request took too long to arrive.",  # English
    414: "The address of this request is too long.",  # English
    431: "The headers of this request are too large.",  # English
    503: "The server has too many connections. Try again in a moment.",  # English
}


class Door:
    """Counts the connections of a server, and makes room: those waiting without a request give way to new ones.

    So half-sent requests, however many, keep nobody out. A new one is only refused when all are being served.
    """

    def __init__(self, bounds: Bounds, is_proxy: Callable[[str], bool]) -> None:
        """`is_proxy` says whether everyone may come from this one address."""
        self.bounds = bounds
        self.is_proxy = is_proxy
        self.inside: dict[str, set[Connection]] = defaultdict(set)
        self.waiting: dict[str, dict[Connection, None]] = defaultdict(dict)  # longest waiting first
        self.everybody: dict[Connection, None] = {}
        self.all_waiting: dict[Connection, None] = {}
        self.turned_away = 0

    def enter(self, connection: "Connection") -> bool:
        """Count a new connection. False if there is no room."""
        network = connection.network
        full = len(self.everybody) >= self.bounds.connections
        crowded = len(self.inside[network]) >= self.bounds.of_address and not self.is_proxy(connection.address)
        if (crowded and not self._make_room(self.waiting[network])) or (
            full and not crowded and not self._make_room(self.all_waiting)
        ):
            self._tidy(network)
            self.turned_away += 1
            return False
        self.inside[network].add(connection)
        self.everybody[connection] = None
        self.waits(connection)
        return True

    def leave(self, connection: "Connection") -> None:
        self.serves(connection)
        self.everybody.pop(connection, None)
        self.inside[connection.network].discard(connection)
        self._tidy(connection.network)

    def waits(self, connection: "Connection") -> None:
        """Note that it has no request being answered."""
        if connection in self.everybody:
            self.waiting[connection.network][connection] = None
            self.all_waiting[connection] = None

    def serves(self, connection: "Connection") -> None:
        """Note that it has one."""
        self.waiting[connection.network].pop(connection, None)
        self.all_waiting.pop(connection, None)

    def check(self, seconds: float) -> None:
        """Drop those that take too long; `seconds` since the last check."""
        for connection in list(self.everybody):
            try:
                connection.check(seconds)
            except Exception:  # of one connection; the server and all others continue
                log.exception("a connection could not be checked")
                connection.transport.abort()
        if self.turned_away:  # one line per second for all
            log.warning("connections were refused", number=self.turned_away, open=len(self.everybody))
            self.turned_away = 0

    def _make_room(self, waiting: dict["Connection", None]) -> bool:
        first = next(iter(waiting), None)
        if first is not None:
            self.leave(first)
            first.transport.abort()
        return first is not None

    def _tidy(self, network: str) -> None:
        """Forget addresses without connections, so that they do not fill the memory."""
        if not self.inside[network]:
            del self.inside[network]
            self.waiting.pop(network, None)


class Counted:
    """A transport that counts the bytes written to it; everything else is the transport's own."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.written = 0

    def write(self, data: bytes) -> None:
        self.written += len(data)
        self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    @property
    def unread(self) -> int:
        """Bytes waiting here, because neither the client nor the kernel takes them."""
        return self._transport.get_write_buffer_size()


class RequestRefused(Exception):
    """Raised in the parser's callbacks to stop the parsing."""


class Connection(HttpToolsProtocol):
    """One connection. The parser's callbacks count bytes; `check` watches the time."""

    def __init__(self, *values: Any, door: Door, **named: Any) -> None:
        super().__init__(*values, **named)
        self.door = door
        self.bounds = door.bounds
        self.address = self.network = ""
        self.since = monotonic()  # when it was opened, answered or refused, or when the incoming head started
        self.in_head = self.in_body = self.refused = False
        self.status = 400  # of a refusal by a callback
        self.head = self.fields = self.hosts = 0  # bytes of the head, raw and parsed; lines with a host
        self.body = self.content = 0  # bytes of the body, raw and parsed
        self.receiving = self.sending = 0.0  # seconds that the body has taken so far, and the answer
        self.quiet = self.unmoved = 0.0  # of these, those since the last byte
        self.taken = self.taken_before = 0  # bytes that the client has read, in total and before this answer

    # Opening and closing

    def connection_made(  # type: ignore[override]  # uvicorn narrows it in the same way
        self, transport: asyncio.Transport
    ) -> None:
        self.counted = Counted(transport)
        super().connection_made(cast(asyncio.Transport, self.counted))
        self.connected(self.client[0] if self.client else "")
        if not self.door.enter(self):
            self.refused = True
            self._write(503)
            self.transport.close()

    def connected(self, address: str) -> None:
        self.address, self.network = address, network_of(address)

    def connection_lost(self, exc: Exception | None) -> None:
        self.door.leave(self)
        self._give_up()
        super().connection_lost(exc)

    def refuse(self, status: int) -> None:
        """Answer with a status only; close immediately if another answer has already started."""
        self.refused, self.since = True, monotonic()
        begun = self.busy and (self.cycle.response_started or self.pipeline)
        self._give_up()
        self.door.waits(self)
        if begun:
            return self.transport.close()
        self._write(status)
        try:
            self.transport.write_eof()
        except OSError:  # the client is already gone, but the transport does not know yet
            self.transport.abort()
        self.flow.resume_reading()
        return None

    @property
    def busy(self) -> bool:
        """Whether a request is being answered."""
        return self.cycle is not None and not self.cycle.response_complete

    # Incoming data

    def data_received(self, data: bytes) -> None:
        self.quiet = 0.0
        if self.refused:
            return None
        self.head += len(data) if self.in_head else 0
        self.body += len(data) if self.in_body else 0
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.cycle.keep_alive = False  # we speak nothing else: answer this request, and no more
        except httptools.HttpParserError:
            return self.refuse(self.status)
        if self.in_head and self.head > self.bounds.head_bytes:
            self.refuse(431)
        elif self.in_body and self.body - self.content > self.bounds.frame_bytes + self.content // 2:
            self.refuse(400)
        return None

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.in_head, self.in_body = True, False
        self.head = self.fields = self.hosts = self.body = self.content = 0
        if not self.busy:
            self.since = monotonic()

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._require(len(self.url) <= self.bounds.line_bytes, 414)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._require(self.in_head, 400)  # otherwise it comes after the body, when the head was read
        super().on_header(name, value)
        self.fields += len(name) + len(value) + 4
        self.hosts += name.lower() == b"host"
        self._require(len(self.headers) <= self.bounds.headers and self.fields <= self.bounds.head_bytes, 431)

    def on_headers_complete(self) -> None:
        version = self.parser.get_http_version()
        codings = [value.lower() for name, value in self.headers if name == b"transfer-encoding"]
        self._require(version in ("1.0", "1.1") and self.hosts <= 1 and (self.hosts == 1 or version == "1.0"), 400)
        self._require(not codings or (codings == [b"chunked"] and version == "1.1"), 400)
        self._require(len(self.pipeline) < self.bounds.pipelined, 503)
        self.in_head, self.in_body = False, True
        self.receiving = self.quiet = 0.0
        if not self.busy:
            self.sending = self.unmoved = 0.0
            self.taken_before = self.counted.written - self.counted.unread
        self.door.serves(self)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self.content += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self.in_body = False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._unset_keepalive_if_required()  # uvicorn's own timer, which any byte stops
        self.since = monotonic()
        if not self.busy:
            self.door.waits(self)

    # Timeouts

    def check(self, seconds: float) -> None:
        """Drop it if it takes too long; `seconds` since the last check."""
        waited = monotonic() - self.since
        if self.counted.unread:
            self._check_answer(seconds)
        elif self.refused or (self.in_body and not self.busy):
            if waited > self.bounds.linger_seconds:
                self.transport.abort()
        elif self.in_body:
            self._check_body(seconds)
        elif not self.busy and (self.in_head or self.cycle is None):
            if waited > self.bounds.head_seconds:
                self.refuse(408) if self.in_head else self.transport.close()
        elif not self.busy and waited > self.bounds.keep_alive_seconds:
            self.transport.close()

    def _check_answer(self, seconds: float) -> None:
        """Even a closed connection keeps its socket until it is read or given up."""
        taken = self.counted.written - self.counted.unread
        self.sending += seconds
        self.unmoved = 0.0 if taken > self.taken else self.unmoved + seconds
        self.taken = taken
        enough = self.bounds.answer_quiet_seconds + (taken - self.taken_before) / self.bounds.answer_rate
        if self.unmoved > self.bounds.answer_quiet_seconds or self.sending > enough:
            self.transport.abort()

    def _check_body(self, seconds: float) -> None:
        if self.flow.read_paused:  # we are the slow ones
            self.quiet = 0.0
            return
        self.receiving += seconds
        self.quiet += seconds
        enough = self.bounds.body_quiet_seconds + self.body / self.bounds.body_rate
        if self.quiet > self.bounds.body_quiet_seconds or self.receiving > enough:
            self.refuse(408)

    # Helpers

    def _require(self, fine: bool, status: int) -> None:
        if not fine:
            self.status = status
            raise RequestRefused

    def _give_up(self) -> None:
        """Tell running and waiting requests that the client is gone."""
        for cycle in (self.cycle, *(cycle for cycle, _ in self.pipeline)):
            if cycle is not None and not cycle.response_complete:
                cycle.disconnected = True
                cycle.message_event.set()
        self.pipeline.clear()
        self.flow.resume_writing()

    def _write(self, status: int) -> None:
        sentence = SENTENCES[status].encode()
        head = (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: text/plain; charset=utf-8\r\n"
            f"content-length: {len(sentence)}\r\ncache-control: no-store\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + sentence)
