"""Reading goes on while writers wait: for SQLite's lock, which another process holds, and for a thread."""

import asyncio
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from html import unescape
from inspect import getsource
from pathlib import Path

import httpx2
import pytest
from fastapi.routing import APIRoute
from sqlalchemy import func, select

from app.main import PAGES
from app.models import Comment, Role
from app.web import health, pools
from tests.web.server import Browser, Server, making

POSTS = 45
HOLD = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def locked(database: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the write lock until its stdin is closed."""
    command = [sys.executable, "-c", HOLD, str(database)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        yield process


@pytest.fixture
def image_id(server: Server) -> int:
    with making(server) as make:
        return make.finished_set(prompts="a fox").images[0].id


def test_reading_goes_on_while_writers_wait_and_each_of_them_is_answered(
    server: Server, sign_in: Callable[..., Browser], image_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pools, "PATIENCE", 1.0)
    reviewer = sign_in(Role.REVIEWER)
    static = reviewer.get("/").text.split('href="/static/')[1].split('"')[0]
    pages = ("/", "/sets/1", "/review?image=1", f"/images/{image_id}/thumb-320.webp", "/healthz", f"/static/{static}")

    async def story() -> list[httpx2.Response]:
        client = httpx2.AsyncClient(
            base_url=server.url,
            cookies=reviewer.cookies,
            headers=reviewer.headers,
            limits=httpx2.Limits(max_connections=100),
            timeout=60,
            trust_env=False,
        )
        async with client:
            with locked(server.resources.settings.data / "soroe.sqlite3") as other:
                posts = [
                    asyncio.create_task(
                        client.post(f"/images/{image_id}/comments", data={"body": f"Word {n}", "scope": "set=1"})
                    )
                    for n in range(POSTS)
                ]
                refused: set[asyncio.Task[httpx2.Response]] = set()
                while len(refused) < POSTS - pools.WRITERS:  # those for whom no thread is free
                    for path in pages:
                        assert (await client.get(path)).status_code == 200
                    done, _ = await asyncio.wait(posts, timeout=0.01)
                    refused |= done
                assert other.stdin
                other.stdin.close()
                return list(await asyncio.gather(*posts))

    answers = asyncio.run(story())
    refusals = {number: each for number, each in enumerate(answers) if each.status_code == 503}
    assert [each.status_code for each in answers].count(303) == pools.WRITERS
    assert len(refusals) == POSTS - pools.WRITERS
    for number, each in refusals.items():
        page = unescape(each.text)
        assert "The server is busy saving other changes, so this one was not saved. Try again in a moment." in page
        assert f'<input type="hidden" name="body" value="Word {number}">' in page
        assert each.headers["retry-after"] == str(pools.RETRY_AFTER)
    with server.resources.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Comment)) == pools.WRITERS


def test_every_route_runs_in_the_pool_of_its_kind() -> None:
    """Also those that write although they are GETs, because a download is recorded."""
    routes = [
        route
        for module in PAGES
        if module is not health
        for route in module.router.routes
        if isinstance(route, APIRoute)
    ]
    assert all(isinstance(route, pools.Route) for route in routes)
    reads = [route for route in routes if not pools.writes(route.endpoint, route.methods or set())]
    assert len(reads) > 50
    for route in reads:
        source = getsource(route.endpoint)
        assert "database.write()" not in source, f"{route.path} writes, so it is `writing`"
        assert "at_once(" not in source, route.path


def test_pages_do_not_wait_for_background_work(server: Server, designer: Browser) -> None:
    """More of it than `asyncio` has threads for by default."""
    loop = server.resources.exporter.background._loop
    assert loop is not None
    assert loop._default_executor._max_workers == pools.BACKGROUND


def test_slow_downloads_hold_no_thread(server: Server, sign_in: Callable[..., Browser]) -> None:
    owner = sign_in(Role.DESIGNER)
    with making(server) as make:
        subject = make.finished_subject(owner.user)
        data = b"lora " + bytes(8 * 2**20)
        subject.sha256, subject.bytes = make.files.put_lora(data), len(data)
    cookie = f"{server.resources.cookie}={owner.cookies[server.resources.cookie]}"
    get = f"GET /subjects/{subject.id}/lora.safetensors HTTP/1.1\r\nHost: a\r\nCookie: {cookie}\r\n\r\n".encode()
    with ExitStack() as stack:
        readers = [stack.enter_context(socket.socket()) for _ in range(pools.WRITERS + 10)]
        for reader in readers:
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            reader.settimeout(60)
            reader.connect(("127.0.0.1", int(server.url.rsplit(":", 1)[1])))
            reader.sendall(get)
            assert reader.recv(15) == b"HTTP/1.1 200 OK", "it has begun, and nobody reads on"
        busy = [each.name for each in threading.enumerate() if each.name.startswith("AnyIO worker thread")]
        assert owner.get("/sets").status_code == 200
        assert owner.post(f"/subjects/{subject.id}/archive").status_code == 303
        assert len(busy) < len(readers), "they share threads, a piece of the file at a time"
        assert sum(connection.busy for connection in server.door.everybody) >= len(readers)  # and perhaps the owner
