"""A real server on a free port, in a thread of the tests' process, and headless HTTP clients as browsers."""

import shutil
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import httpx2
from fastapi import FastAPI

from app import slow
from app.accounts import service as accounts
from app.database import Database
from app.errors import Later
from app.exports import queries as export_queries
from app.exports import service as exports
from app.exports import shares
from app.exports.options import ExportOptions
from app.exports.shares import ShareSpec
from app.files import Files
from app.models import Export, Role, Share, User
from app.settings import Settings
from app.web.protocol import Bounds, Door
from app.web.server import Server as RealServer
from tests.factory import PASSWORD, Factory

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # instead of reading the system's certificates for each browser
NUMBERS = count(1)  # so that no two people have the same address


@dataclass
class Server:
    url: str
    app: FastAPI
    door: Door
    tasks: set[Any]  # requests in progress

    @property
    def resources(self) -> Any:
        return self.app.state.resources


@contextmanager
def serve(app: FastAPI, bounds: Bounds | None = None, host: str = "127.0.0.1", port: int = 0) -> Iterator[Server]:
    """Run the app under uvicorn, as `soroe serve` does; on the port of one that has ended, if given."""
    # With the protocol, asyncio sends at once; without, every answer would wait 40 ms for an acknowledgement.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen()
    server = RealServer(app, bounds, graceful=2, check_seconds=1.0 if bounds is None else 0.1)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="server", daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        thread.join(0.01)
    assert server.started, "the server did not start"
    try:
        yield Server(f"http://127.0.0.1:{listener.getsockname()[1]}", app, server.door, server.server_state.tasks)
    finally:
        app.state.resources.bus.close()
        server.should_exit = True
        thread.join(60)
        listener.close()
        assert not thread.is_alive(), "the server did not end"


class Browser(httpx2.Client):
    """One person's browser: keeps cookies, says where its requests come from, and does not follow redirects."""

    user: User

    def __init__(self, url: str, **options: Any) -> None:
        headers = {"accept": "text/html,*/*;q=0.8", "sec-fetch-site": "same-origin"}
        options = {"verify": NO_TLS, "timeout": 120, "trust_env": False} | options
        super().__init__(base_url=url, headers=headers, **options)

    def sign_in(self, email: str, password: str = PASSWORD) -> httpx2.Response:
        return self.post("/login", data={"email": email, "password": password})


def make_person(server: Server, role: Role, name: str = "") -> User:
    """An account, without the slow way through an invitation."""
    with making(server) as make:
        return make.user(role, name)


def spend(server: Server, act: str, account: object = "", address: str = "127.0.0.1") -> None:
    """Try an act until no attempts are left from there."""
    with suppress(Later):
        for _ in range(10_000):
            server.resources.tries.count(act, address, account)


def signed_in_browser(server: Server, user: User) -> Browser:
    """A browser of `user`, without the password, whose check is slow by design."""
    with server.resources.database.write() as session:
        token = accounts.start_session(session, session.get_one(User, user.id))  # with the current role
    browser = Browser(server.url)
    browser.cookies.set(server.resources.cookie, token, domain="127.0.0.1")
    browser.user = user
    return browser


@contextmanager
def making(server: Server) -> Iterator[Factory]:
    """Rows of all kinds with their files, committed at the end. Slow work is permitted, because nobody waits."""
    with slow.permitted(), server.resources.database.write() as session:
        make = Factory(session, server.resources.files)
        make._numbers = NUMBERS
        yield make


@contextmanager
def made_before(data: Path, migrated: Path, settings: Settings) -> Iterator[Factory]:
    """Rows of all kinds with their files in a new data folder, for servers that get copies of it."""
    data.mkdir()
    shutil.copy(migrated, data)
    with closing(Database(settings.model_copy(update={"data": data}))) as database:
        with slow.permitted(), database.write() as session:
            make = Factory(session, Files(data / "files"))
            make._numbers = NUMBERS
            yield make
        database.checkpoint()


def shared_export(server: Server, set_id: int) -> tuple[Export, Share]:
    """A ready export of a set, with a link for people outside."""
    user = make_person(server, Role.MANAGER)
    with server.resources.database.read() as session:
        wanted = exports.selection(session, user, set_id=set_id)
    export = server.resources.exporter.ask(user, wanted, ExportOptions())
    server.resources.exporter.prepare(export.id)
    _, share = share_link(server, export.id)
    return export, share


def share_link(server: Server, export_id: int, password: str = "") -> tuple[str, Share]:
    """The token of a new link to an export, and its row."""
    user = make_person(server, Role.MANAGER)
    password_hash = shares.hashed(password)
    with server.resources.database.write() as session:
        token = shares.create(session, user, export_id, ShareSpec(password=password), password_hash)
        session.flush()
        return token, export_queries.share(session, token)
