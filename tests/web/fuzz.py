"""The app called as a server calls it, without a server: for thousands of hostile requests in seconds.

`World` is an app on a database with one of everything. Each request's changes are rolled back, so that every request
finds the same world, in any order.
"""

import asyncio
import re
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi.routing import APIRoute

from app.accounts import service as accounts
from app.main import PAGES, create_app
from app.models import Role, User
from app.settings import Settings
from app.web.limits.tries import Tries
from app.web.protocol import Bounds, Door
from tests.engine.painter import Painter
from tests.factory import png
from tests.web.server import Server, make_person, making
from tests.web.world import form_of, names_of, populate

INPUT = re.compile(r"""\bname="(\w+)\"""")
# Written about refusals and about activity; everything else stays unchanged.
TALES = {"audit_events", "audit_head", "login_sessions", "sqlite_sequence"}


def routes() -> list[tuple[str, str]]:
    """Method and path of every route, so that new ones are included."""
    found = (route for module in PAGES for route in module.router.routes if isinstance(route, APIRoute))
    return sorted({(method, route.path) for route in found for method in route.methods} - {("HEAD", "")})


def fields() -> list[str]:
    """Names of all fields that any route or template knows."""
    pages = [path.read_text() for path in Path("templates").rglob("*.html")]
    forms = [form for module in PAGES for route in module.router.routes if (form := form_of(route))]
    return sorted({name for source in pages for name in INPUT.findall(source)}.union(*map(names_of, forms)))


def fields_of(path: str) -> list[str]:
    """Names of the fields in the forms of this address; all, if it takes no form."""
    routes = [each for module in PAGES for each in module.router.routes if isinstance(each, APIRoute)]
    found = (form_of(route) for route in routes if route.path == path)
    return sorted({name for form in found if form for name in names_of(form)}) or fields()


@dataclass
class Answer:
    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key == name), "")

    @property
    def cookies(self) -> list[str]:
        return [value for key, value in self.headers if key == "set-cookie"]

    @property
    def refused(self) -> bool:
        """By its status, or by the sentence on the next page."""
        return self.status >= 400 or any(value.startswith(("toast=!", "toast=%21")) for value in self.cookies)


class World:
    """An app with one of everything, and signed-in people of every role."""

    def __init__(self, folder: Path, migrated: Path, **values: Any) -> None:
        self.settings = Settings(data=folder / "data", **values)
        self.settings.data.mkdir()
        shutil.copy(migrated, self.settings.data)
        engine = Painter()
        asyncio.run(engine.start())
        self.app = create_app(self.settings, engine)
        self.resources = self.app.state.resources
        self.cookies: dict[str, str] = {"anonymous": ""}
        self.ids: dict[str, Any] = {}
        self._fill()
        self.snapshot = sqlite3.connect(":memory:", check_same_thread=False)
        with closing(sqlite3.connect(self.settings.data / "soroe.sqlite3")) as live:
            live.backup(self.snapshot)

    def close(self) -> None:
        self.snapshot.close()
        self.resources.database.close()

    def _fill(self) -> None:
        server = Server("", self.app, Door(Bounds(), lambda address: False), set())
        people = {role: make_person(server, role, f"The {role}") for role in Role}
        known = populate(server, people[Role.DESIGNER], people[Role.MANAGER], decider=people[Role.REVIEWER])
        with making(server) as make:
            waiting = make.image_set(make.session.get_one(User, people[Role.DESIGNER].id), prompts="a fox")
            queued = [waiting.id, waiting.images[0].id]
        with self.resources.database.write() as session:
            for role, user in people.items():
                self.cookies[str(role)] = accounts.start_session(session, session.get_one(User, user.id))
            invited = accounts.invite(session, session.get_one(User, people[Role.ADMIN].id), Role.DESIGNER)
        self.ids |= {name: [value] for name, value in known.items()}
        self.ids["set_id"] += queued[:1]
        self.ids["image_id"] += [known["undecided_id"], known["again_id"], *queued[1:]]
        self.ids["token"] += [invited if isinstance(invited, str) else str(invited)]
        self.ids["person_id"] = [user.id for user in people.values()]

    # One request

    def ask(
        self,
        method: str,
        path: str,
        query: str = "",
        body: bytes = b"",
        who: str = "anonymous",
        headers: dict[str, str] | None = None,
        *,
        accept: str = "text/html",
    ) -> Answer:
        """The answer of the app itself. Exceptions of the app are raised here."""
        object.__setattr__(self.resources, "tries", Tries())  # attempts are not limited here
        sent = {"host": "127.0.0.1:8000", "accept": accept, "content-length": str(len(body)), **(headers or {})}
        if token := self.cookies[who]:
            sent["cookie"] = f"{self.resources.cookie}={token}; {sent.get('cookie', '')}"
        answer = Answer()
        asyncio.run(self._call(answer, method, path, query, body, sent))
        return answer

    async def _call(
        self, answer: Answer, method: str, path: str, query: str, body: bytes, headers: dict[str, str]
    ) -> None:
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": quote(path, safe="/%").encode(),
            "root_path": "",
            "query_string": query.encode("latin-1", "replace"),
            "headers": [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers.items()],
            "client": ("192.0.2.1", 5000),
            "server": ("127.0.0.1", 8000),
            "state": {},
        }
        pieces = [body]

        async def receive() -> dict[str, Any]:
            if pieces:
                return {"type": "http.request", "body": pieces.pop(), "more_body": False}
            await asyncio.sleep(0.05)  # an event stream would stay open
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = [(name.decode(), value.decode("latin-1")) for name, value in message["headers"]]
            else:
                answer.body += message.get("body", b"")

        async with asyncio.timeout(20):
            await self.app(scope, receive, send)

    # Effects

    @cached_property
    def tables(self) -> list[str]:
        rows = self.snapshot.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return sorted(name for (name,) in rows if name not in TALES and not name.startswith("alembic"))

    def counts(self) -> dict[str, int]:
        """The number of rows by table that people made."""
        with closing(sqlite3.connect(self.settings.data / "soroe.sqlite3")) as live:
            return _counts(live, self.tables)

    @cached_property
    def counts_before(self) -> dict[str, int]:
        return _counts(self.snapshot, self.tables)

    def restore(self) -> None:
        """Restore everything."""
        with closing(sqlite3.connect(self.settings.data / "soroe.sqlite3", timeout=20)) as live:
            self.snapshot.backup(live)


def _counts(database: sqlite3.Connection, tables: list[str]) -> dict[str, int]:
    asked = " UNION ALL ".join(f"SELECT '{name}', count(*) FROM \"{name}\"" for name in tables)  # noqa: S608
    return dict(database.execute(asked).fetchall())


def picture() -> bytes:
    return png("teal", (64, 64))
