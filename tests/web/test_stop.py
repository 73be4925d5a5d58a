"""How a server ends: answers in progress have their time, streams and downloads learn of it, units go back."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.responses import StreamingResponse

from app.database import Database
from app.exports import service as exports
from app.exports.options import ExportOptions
from app.exports.preparer import BATCH, Preparer
from app.main import create_app
from app.models import Export, ExportState, Role, State, Subject, Unit
from app.settings import Settings
from app.web import systemd
from app.web.server import Server as RealServer
from tests.engine.painter import Painter
from tests.web.server import Server, make_person, making, signed_in_browser

CHUNKS = 512  # of 64 KiB: more than the system's buffers hold


@pytest.fixture
def engine() -> Painter:
    return Painter(pause_at=2)


@pytest.fixture
def ending(settings: Settings, engine: Painter) -> Iterator[tuple[Server, RealServer, threading.Thread]]:
    """A server that gives answers time at its end until its `graceful` is 0, and its thread."""
    app = create_app(settings, engine)
    add_download(app)
    listener = socket.create_server(("127.0.0.1", 0))
    real = RealServer(app, graceful=60)
    thread = threading.Thread(target=real.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not real.started and thread.is_alive():
        thread.join(0.01)
    server = Server(f"http://127.0.0.1:{listener.getsockname()[1]}", app, real.door, real.server_state.tasks)
    yield server, real, thread
    real.should_exit, real.graceful = True, 0
    thread.join(60)


def add_download(app: FastAPI) -> None:
    @app.get("/big")
    async def big() -> StreamingResponse:
        async def body() -> object:
            for _ in range(CHUNKS):
                yield b"x" * 2**16

        length = {"content-length": str(CHUNKS * 2**16)}
        return StreamingResponse(body(), headers=length)  # type: ignore[arg-type]


@contextmanager
def dialled(url: str, sent: bytes) -> Iterator[socket.socket]:
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(60)
        client.connect(("127.0.0.1", int(url.rsplit(":", 1)[1])))
        client.sendall(sent)
        yield client


def received(client: socket.socket) -> int:
    """The bytes that come until the server closes."""
    total = 0
    with suppress(ConnectionResetError):
        while part := client.recv(2**20):
            total += len(part)
    return total


def head(path: str, *lines: str, method: str = "GET") -> bytes:
    return "\r\n".join((f"{method} {path} HTTP/1.1", "Host: a", *lines, "", "")).encode()


def test_answers_have_their_time_and_late_ones_are_cut(
    ending: tuple[Server, RealServer, threading.Thread], engine: Painter, caplog: pytest.LogCaptureFixture
) -> None:
    server, real, thread = ending
    person = make_person(server, Role.DESIGNER)
    with signed_in_browser(server, person) as browser:
        cookie = f"Cookie: soroe={browser.cookies['soroe']}"
    with making(server) as make:
        make.image_set(person, prompts="a fox")
    server.app.state.dispatcher.wake()
    while not engine.steps:
        thread.join(0.01)
    body = b"name=Foxes&query=q%3Dfox"
    form = head(
        "/searches",
        cookie,
        "Sec-Fetch-Site: same-origin",
        f"Content-Length: {len(body)}",
        "Content-Type: application/x-www-form-urlencoded",
        method="POST",
    )
    with (
        dialled(server.url, head("/big")) as slow,
        dialled(server.url, head("/big")) as quick,
        dialled(server.url, form + body[:5]) as posting,
        ThreadPoolExecutor() as threads,
    ):
        while sum(connection.busy for connection in server.door.everybody) < 3:
            thread.join(0.01)
        real.should_exit = True
        reading = threads.submit(received, quick)
        posting.sendall(body[5:])
        assert posting.recv(2**16).startswith(b"HTTP/1.1 303"), "the form arrived, and was saved"
        assert reading.result() > CHUNKS * 2**16, "a download that ends in time is whole"
        real.graceful = 0
        thread.join(60)
        assert not thread.is_alive()
        assert received(slow) < CHUNKS * 2**16, "one that does not is cut off, so that it can be resumed"
    told = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    assert [line["number"] for line in told if "answers were cut off" in line["event"]] == [1]
    assert not [record for record in caplog.records if record.exc_info]
    with server.resources.database.read() as session:
        (unit,) = session.query(Unit).all()
    assert (unit.state, unit.tries) == (State.QUEUED, 0)


def test_an_export_and_an_upload_in_progress_end_with_nothing_half(
    ending: tuple[Server, RealServer, threading.Thread], settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    server, real, thread = ending
    resources = server.resources
    with making(server) as make:
        manager = make.user(Role.MANAGER)
        image_set = make.finished_set(prompts="a fox\nan owl")
        for image in image_set.images:
            make.decide(image)
        set_id = image_set.id
    with signed_in_browser(server, manager) as browser:
        cookie = f"Cookie: soroe={browser.cookies['soroe']}"
    upload = head(
        "/subjects/lora",
        cookie,
        "Sec-Fetch-Site: same-origin",
        "Content-Length: 60000000",
        "Content-Type: multipart/form-data; boundary=b",
        method="POST",
    )
    part = b'--b\r\nContent-Disposition: form-data; name="file"; filename="lamp.safetensors"\r\n\r\n'
    with resources.database.read() as session:
        wanted = exports.selection(session, manager, set_id=set_id)
    sizes = tuple(f"{side}x{side}" for side in range(1500, 1508))
    with dialled(server.url, upload + part + b"x" * 2**20) as sending:
        export_id = resources.exporter.ask(manager, wanted, ExportOptions(format="webp", sizes=sizes)).id
        while not [path for path in (settings.data / "exports").rglob("*") if path.is_file()]:
            thread.join(0.01)
        real.should_exit, real.graceful = True, 0
        thread.join(60)
        assert not thread.is_alive()
        assert received(sending) == 0, "it is cut off, and the browser says that it was not sent"
    assert not [record for record in caplog.records if record.exc_info]
    with closing(Database(settings)) as database:
        with database.read() as session:
            export = session.get_one(Export, export_id)
            assert (export.state, session.query(Subject).count()) == (ExportState.PREPARING, 0)
            assert export.done < BATCH, "it waited for the file at work, not for the batch"
        again = Preparer(settings, database, resources.files)
        again.recover()
        again.make_ready()
        with database.read() as session:
            export = session.get_one(Export, export_id)
            assert (export.state, export.done) == (ExportState.READY, 16)
            assert exports.is_whole(session, manager, export_id, again.store)
    assert not list(settings.data.rglob("*.unfinished*"))
    assert not list((settings.data / "files" / "loras").rglob("*.safetensors"))


HANGING = """
import os, signal, threading
from app.web import server as module

def status(stopped, signals):
    child = os.fork()
    if not child:
        server = module.Server.__new__(module.Server)
        server.should_exit, server.stopped = False, stopped
        for _ in range(signals):
            server.handle_exit(signal.SIGTERM, None)
        threading.Event().wait()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

module.STOP_SECONDS = 0.6
print(status(False, 1), status(True, 1), status(False, 2))
"""


def test_the_process_ends_for_sure() -> None:
    """When a part never ends, when only threads of requests are left, and at a second signal."""
    root = Path(__file__).parents[2]
    ended = subprocess.run([sys.executable, "-c", HANGING], check=True, cwd=root, capture_output=True, text=True)
    assert ended.stdout.splitlines()[-1] == f"1 0 {128 + signal.SIGTERM}"
    assert (ended.stderr + ended.stdout).count("did not stop in time") == 1


def test_systemd_hears_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        systemd.notify("READY=1")  # nobody asked for it
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        systemd.notify("STOPPING=1")
        assert manager.recv(100) == b"STOPPING=1"
    systemd.notify("READY=1")  # nobody listens any more
    assert systemd.watchdog_seconds() is None
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    assert systemd.watchdog_seconds() == 15
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid() + 1))
    assert systemd.watchdog_seconds() is None
