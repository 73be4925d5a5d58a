"""Connections as attackers make them, over real sockets: each limit of `app.web.protocol` holds, and others are served.

The attackers come from other addresses of this machine (127.0.0.2 and up), to tell them apart.
"""

import asyncio
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from app.main import create_app
from app.settings import Settings
from app.web.protocol import Bounds, Connection, Door
from tests.engine.painter import Painter
from tests.web.server import Browser, Server, serve

# The real limits with shorter times, so that nobody waits.
QUICK = replace(
    Bounds(),
    head_seconds=1.0,
    keep_alive_seconds=2.0,
    body_quiet_seconds=2.0,
    body_rate=20_000,
    answer_quiet_seconds=1.0,
    answer_rate=100_000_000,
    linger_seconds=2.0,
    connections=60,
    of_address=40,
)
BIG = 64 * 2**20
GET = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /login HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[Server]:
    settings = Settings(data=tmp_path_factory.mktemp("data"))
    shutil.copy(migrated, settings.data)
    app = create_app(settings, Painter())

    @app.get("/big")
    async def big(chunks: int = BIG // 2**16) -> object:
        from starlette.responses import StreamingResponse

        async def body() -> object:
            for _ in range(chunks):
                yield b"x" * 2**16

        return StreamingResponse(body(), media_type="text/plain")  # type: ignore[arg-type]

    with serve(app, QUICK) as running:
        yield running


@pytest.fixture
def dial(server: Server) -> Iterator[Callable[..., socket.socket]]:
    """Open a connection from an address of this machine."""
    opened: list[socket.socket] = []

    def connect(address: str = "127.0.0.2", receive: int = 0) -> socket.socket:
        made = socket.socket()
        if receive:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        made.bind((address, 0))
        made.settimeout(20)
        made.connect(("127.0.0.1", int(server.url.rsplit(":", 1)[1])))
        opened.append(made)
        return made

    yield connect
    for each in opened:
        each.close()


def read(connection: socket.socket) -> bytes:
    """Everything received until the server closes."""
    taken = b""
    with suppress(ConnectionResetError):
        while part := connection.recv(2**16):
            taken += part
    return taken


def answer(connection: socket.socket, sent: bytes) -> bytes:
    with suppress(BrokenPipeError, ConnectionResetError):
        connection.sendall(sent)
    return read(connection)


def healthy(server: Server) -> None:
    with Browser(server.url) as other:
        assert other.get("/healthz").status_code == 200


def settled(true: Callable[[], bool]) -> None:
    ends = time.monotonic() + 60
    while not true():
        assert time.monotonic() < ends
        time.sleep(0.02)


def test_half_sent_requests_keep_nobody_out(server: Server, dial: Callable[..., socket.socket]) -> None:
    for number in range(300):
        with suppress(ConnectionError):
            dial(f"127.0.1.{number % 8 + 1}").sendall(GET[:-3])
        if number % 50 == 0:
            healthy(server)
    healthy(server)


def test_half_sent_requests_from_the_same_address_keep_nobody_out(
    server: Server, dial: Callable[..., socket.socket]
) -> None:
    for _ in range(100):
        with suppress(ConnectionError):
            dial("127.0.0.1").sendall(GET[:-3])
    healthy(server)


def test_when_all_are_being_served_the_next_gets_503(server: Server, dial: Callable[..., socket.socket]) -> None:
    busy = [dial("127.0.0.3") for _ in range(QUICK.of_address)]
    for each in busy:
        each.sendall(POST + b"Content-Length: 10\r\n\r\n")
    settled(lambda: sum(c.busy for c in connections(server)) == QUICK.of_address)
    assert read(dial("127.0.0.3")).startswith(b"HTTP/1.1 503 ")
    healthy(server)
    assert all(read(each).startswith(b"HTTP/1.1 408 ") for each in busy)


def test_a_whole_network_of_ipv6_counts_as_one_address() -> None:
    """Someone with one IPv6 address has its whole /64."""
    door = Door(replace(Bounds(), of_address=2), lambda address: address == "2001:db8::9")

    def enters(address: str) -> bool:
        made = Connection(
            Config(create_app, log_config=None, access_log=False), ServerState(), {}, runner.get_loop(), door=door
        )
        made.connected(address)
        done = door.enter(made)
        door.serves(made)
        return done

    with asyncio.Runner() as runner:  # or a connection makes an event loop that nobody closes
        assert [enters(f"2001:db8::{number}") for number in range(1, 4)] == [True, True, False]
        assert enters("2001:db8:0:1::1")
        assert enters("2001:db8::9"), "a proxy of ours in the same network"


def connections(server: Server) -> list[Connection]:
    return list(server.door.everybody)


def test_huge_heads_are_refused(server: Server, dial: Callable[..., socket.socket]) -> None:
    before = psutil.Process().memory_info().rss
    for sent, status in (
        (b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: " + b"a" * BIG + b"\r\n\r\n", 431),
        (b"GET /healthz HTTP/1.1\r\nHost: a\r\n" + b"X: a\r\n" * 101 + b"\r\n", 431),
        (b"GET /healthz HTTP/1.1\r\nHost: a\r\n" + (b"X: " + b"a" * 4000 + b"\r\n") * 10 + b"\r\n", 431),
        (b"GET /healthz HTTP/1.1\r\nHost: a\r\n" + b"X" * BIG, 431),
        (b"GET /" + b"a" * BIG + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET /?" + b"a" * 29_000 + b" HTTP/1.1\r\n\r\n", 414),
    ):
        assert answer(dial(), sent).startswith(b"HTTP/1.1 %d " % status), sent[:40]
    assert psutil.Process().memory_info().rss - before < 150 * 2**20, "the request here is as large"


def test_a_large_honest_head_is_read(dial: Callable[..., socket.socket]) -> None:
    head = GET[:-2] + b"Connection: close\r\n" + (b"Cookie: " + b"a" * 7000 + b"\r\n") * 4 + b"\r\n"
    assert answer(dial(), head).startswith(b"HTTP/1.1 200 ")


def test_slow_heads_are_dropped(dial: Callable[..., socket.socket]) -> None:
    silent, slow = dial(), dial()
    ends = time.monotonic() + 10
    slow.settimeout(0.2)
    taken = b""
    for byte in GET[:-1] * 100:
        slow.send(bytes([byte]))
        with suppress(TimeoutError):
            taken = slow.recv(100)
            break
        assert time.monotonic() < ends
    assert taken.startswith(b"HTTP/1.1 408 ")
    assert read(silent) == b"", "who said nothing hears nothing"


def test_an_idle_connection_stays_open_for_a_while(dial: Callable[..., socket.socket]) -> None:
    connection = dial()
    began = time.monotonic()
    assert answer(connection, GET).startswith(b"HTTP/1.1 200 ")
    assert time.monotonic() - began > QUICK.keep_alive_seconds - 0.5


def test_line_feeds_do_not_keep_a_connection(dial: Callable[..., socket.socket]) -> None:
    connection, ends = dial(), time.monotonic() + 10
    with suppress(ConnectionError):
        while time.monotonic() < ends:
            connection.sendall(b"\r\n")
            time.sleep(0.05)
        raise AssertionError("it was kept")


def test_bodies_that_stop_or_trickle_are_dropped(dial: Callable[..., socket.socket]) -> None:
    assert answer(dial(), POST + b"Content-Length: 100\r\n\r\nemail").startswith(b"HTTP/1.1 408 ")
    trickle = dial()
    trickle.settimeout(0.1)
    trickle.sendall(POST + b"Content-Length: 100000\r\n\r\n")
    ends, taken = time.monotonic() + 10, b""
    while not taken and time.monotonic() < ends:
        trickle.sendall(b"a" * 50)
        with suppress(TimeoutError):
            taken = trickle.recv(100)
    assert taken.startswith(b"HTTP/1.1 408 ")


def test_an_aborted_body_is_not_a_server_error(
    server: Server, dial: Callable[..., socket.socket], caplog: pytest.LogCaptureFixture
) -> None:
    for kind in (b"", b"Content-Type: multipart/form-data; boundary=x\r\n"):
        head = POST.replace(b"Content-Type: application/x-www-form-urlencoded\r\n", kind) if kind else POST
        connection = dial()
        connection.sendall(head + b"Content-Length: 100\r\n\r\n--x\r\n")
        settled(lambda: any(c.busy for c in connections(server)))
        connection.close()
        settled(lambda: not server.tasks)
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_a_slow_honest_body_comes_through(dial: Callable[..., socket.socket]) -> None:
    connection = dial()
    body = b"email=a@example.com&password=" + b"a" * 400_000
    connection.sendall(POST + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body))
    for start in range(0, len(body), 30_000):
        connection.sendall(body[start : start + 30_000])
        time.sleep(0.2)  # 3 s in total: longer than a body may be quiet, faster than the minimum rate
    assert read(connection).startswith(b"HTTP/1.1 413 "), "all of it was read: no password is that long"


def test_tiny_chunks_are_refused(dial: Callable[..., socket.socket]) -> None:
    chunked = POST + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    assert answer(dial(), chunked + b"1\r\na\r\n" * 100_000).startswith(b"HTTP/1.1 400 ")
    extended = b"1;" + b"a" * 2_000_000 + b"\r\na\r\n0\r\n\r\n"
    assert answer(dial(), chunked + extended).startswith(b"HTTP/1.1 400 ")
    honest = b"".join(b"10\r\n" + b"a" * 16 + b"\r\n" for _ in range(20_000)) + b"0\r\n\r\n"
    assert answer(dial(), chunked + honest).startswith(b"HTTP/1.1 413 "), "read to its end, and too long for a field"


def test_a_client_that_never_reads_is_dropped_and_takes_no_memory(
    server: Server, dial: Callable[..., socket.socket]
) -> None:
    before = psutil.Process().memory_info().rss
    files = psutil.Process().num_fds()
    for _ in range(20):
        dial(receive=4096).sendall(GET.replace(b"/healthz", b"/big"))
    settled(lambda: sum(c.counted.unread > 0 for c in connections(server)) == 20)
    assert psutil.Process().memory_info().rss - before < 40 * 2**20, "20 answers of 64 MB each"
    settled(lambda: not any(c.address == "127.0.0.2" for c in connections(server)))
    assert psutil.Process().num_fds() <= files + 21, "only the clients' own sockets are left"


def test_an_unread_answer_is_closed(server: Server, dial: Callable[..., socket.socket]) -> None:
    head = GET.replace(b"/healthz", b"/big?chunks=80").replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    dial(receive=4096).sendall(head)
    settled(lambda: any(c.counted.unread for c in connections(server)))
    settled(lambda: not any(c.address == "127.0.0.2" for c in connections(server)))


def test_requests_sent_ahead_are_few(dial: Callable[..., socket.socket]) -> None:
    last = GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    assert answer(dial(), GET * 7 + last).count(b"HTTP/1.1 200 ") == 8
    assert answer(dial(), GET * 500 + last).count(b"HTTP/1.1 200 ") <= QUICK.pipelined + 1


def test_an_endless_upload_is_dropped_after_its_answer(dial: Callable[..., socket.socket]) -> None:
    connection = dial()
    connection.sendall(b"POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 4000000\r\n\r\n")
    ends = time.monotonic() + 10
    with suppress(ConnectionError):
        while time.monotonic() < ends:
            connection.sendall(b"a" * 1000)
            time.sleep(0.02)
        raise AssertionError("it was kept")


HEAD = b"POST /login HTTP/1.1\r\nHost: a\r\n"
END = b"\r\n\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked" + END,
        HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 5" + END,
        HEAD + b"Content-Length: 5\r\nContent-Length: 6" + END,
        HEAD + b"Content-Length: 5\r\nContent-Length: 5" + END,
        HEAD + b"Content-Length: 5, 5" + END,
        HEAD + b"Content-Length: +5" + END,
        HEAD + b"Content-Length: 0x5" + END,
        HEAD + b"Content-Length: -5" + END,
        HEAD + b"Content-Length: 99999999999999999999" + END,
        HEAD + b"Transfer-Encoding: xchunked" + END,
        HEAD + b"Transfer-Encoding: identity, chunked" + END,
        HEAD + b"Transfer-Encoding: chunked, identity" + END,
        HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked" + END,
        HEAD + b"Transfer-Encoding: \x0bchunked" + END,
        HEAD + b"Transfer-Encoding : chunked" + END,
        HEAD.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked" + END,
        HEAD + b"X: a\r\n folded" + END,
        HEAD + b"X: a\rb" + END,
        HEAD + b"X: a\nY: b" + END,
        HEAD + b"X: a\x00b" + END,
        HEAD + b"X y: a" + END,
        HEAD + b": a" + END,
        HEAD + b"Host: b" + END,
        HEAD.replace(b"Host: a\r\n", b"X: a") + END,
        HEAD.replace(b"\r\n", b"\n") + b"\n",
        HEAD.replace(b"1.1", b"2.0") + END,
        HEAD.replace(b"1.1", b"0.9") + END,
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\na\n0\n\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\na",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX-Late: a\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\x00" * 100,
    ],
    ids=lambda sent: repr(sent[len(HEAD) :][:40]),
)
def test_ambiguous_requests_are_refused(dial: Callable[..., socket.socket], sent: bytes) -> None:
    assert answer(dial(), sent + GET).count(b"HTTP/1.1 ") == 1, "what follows is no second request"
    with closing(dial()) as again:
        assert answer(again, sent).startswith(b"HTTP/1.1 400 ")


def test_other_protocols_are_not_begun(dial: Callable[..., socket.socket]) -> None:
    for name in (b"h2c", b"websocket"):
        upgrade = GET.replace(b"\r\n\r\n", b"\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n" % name)
        taken = answer(dial(), upgrade + GET)
        assert taken.startswith(b"HTTP/1.1 200 ")
        assert taken.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize(("soft", "hard", "raised", "most"), [(512, 1024, 1024, 256), (64, 128, 128, 16)])
def test_connections_fit_into_the_files_that_the_process_may_open(soft: int, hard: int, raised: int, most: int) -> None:
    """In a separate process, because a lowered limit stays lowered."""
    script = (
        f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))\n"
        "from app.web.server import bounds_of_process\n"
        "bounds = bounds_of_process()\n"
        "print(resource.getrlimit(resource.RLIMIT_NOFILE)[0], bounds.connections, bounds.of_address)"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert told.split() == [str(raised), str(most), str(min(200, most // 2))]
