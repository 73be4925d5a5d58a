"""What each common request costs the server: `make bench-pages`.

Fills a database as `benchmarks.load` does, with two sets in progress, then requests pages, pictures and messages from
the real app, in this process and without a network, in turns: processor time, statements, and bytes before
compression.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from rich.console import Console
from rich.table import Table
from sqlalchemy import select, update

from app import slow
from app.database import Database
from app.engine.events import Preview, Step
from app.engine.events import Unit as MadeUnit
from app.main import create_app
from app.models import Image, State, Style, Unit, User
from app.settings import Settings
from app.web.live import ChangedPlaces
from app.wiring import KINDS
from benchmarks import load
from benchmarks.gallery import IdleEngine
from benchmarks.large_set import MODEL
from tests.factory import Factory
from tests.statements import counted


@dataclass
class Asked:
    """A request or a message, and what its answers cost."""

    name: str
    path: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    repeat: int = 1  # times in a turn
    processor: list[float] = field(default_factory=list)  # ms
    statements: int = 0
    bytes: int = 0


async def answer(app: FastAPI, path: str, headers: dict[str, str]) -> tuple[int, int]:
    """Call the app as a server does; returns the status and the number of bytes of the answer."""
    path, _, query = path.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8000),
    }
    status, length, sent = 0, 0, False

    async def receive() -> dict[str, Any]:
        nonlocal sent
        if sent:
            await asyncio.Event().wait()  # the browser stays
        sent = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        nonlocal status, length
        status = message.get("status", status)
        length += len(message.get("body", b""))

    await app(scope, receive, send)
    return status, length


def begin(app: FastAPI, code: str) -> list[int]:
    """Two sets in progress, of which one unit is in the engine; returns their ids."""
    resources = app.state.resources
    with slow.permitted(), resources.database.write() as session:
        make = Factory(session, resources.files)
        style = session.scalars(select(Style).where(Style.code == code)).one()
        people = session.scalars(select(User).order_by(User.id).limit(2)).all()
        prompts = "\n".join(load.THINGS)
        sets = [make.image_set(person, style, prompts=prompts, count=load.COUNT) for person in people]
        unit = session.scalars(select(Unit).where(Unit.set_id == sets[0].id).order_by(Unit.id)).first()
        assert unit  # noqa: S101
        unit.state = State.GENERATING
        session.execute(update(Image).where(Image.unit_id == unit.id).values(state=State.GENERATING))
        session.flush()
        kind = next(kind for kind in KINDS if kind.noun == "set")
        work = kind.for_engine(session, unit, resources.files, None)
        ids = [each.id for each in sets]
    resources.bus.begin(work, kind.topic(ids[0]))
    resources.bus.step(Step(work.id, 3, 20))
    assert isinstance(work, MadeUnit)  # noqa: S101
    for each in work.images:
        resources.bus.preview(Preview(work.id, each.image_id, b"RIFF" + bytes(1500)))
    return ids


def asked_of(world: load.World, running: list[int], image: int, preview: int) -> list[Asked]:
    page = {"accept": "text/html"}
    pages = {
        "home": "/",
        "sets": "/sets",
        "set, running": f"/sets/{running[0]}",
        "set, finished": world.paths[2][0],
        "gallery": "/pictures",
        "review room": world.paths[4][3],
        "compare": f"/compare?ids={image}&ids={image + 1}",
        "styles": "/styles",
        "a style": f"/styles/{world.style}",
        "new set": "/sets/new",
        "exports": "/exports",
        "account": "/account",
    }
    found = [Asked(name, path, page) for name, path in pages.items()]
    small = {
        "thumbnail": f"/images/{image}/thumb-320.webp",
        "preview": f"/images/{preview}/preview",
        "picture": f"/images/{image}.png",
        "style sheet": "/static/x/css/tokens.css",
    }
    found += [Asked(name, path, repeat=20) for name, path in small.items()]
    return [*found, Asked("message to an open page")]


def message(app: FastAPI, set_id: int) -> int:
    """Render what everyone who watches a set gets after a step; returns its length."""
    resources = app.state.resources
    unit = next(iter(resources.bus.running.values())).work
    images = frozenset(each.image_id for each in unit.images)
    with resources.database.read() as session:
        me = session.get_one(User, 1)
        return len(ChangedPlaces(None, "")(resources, set_id, session, me, images).data)


async def measure(app: FastAPI, world: load.World, asked: list[Asked], running: list[int], times: int) -> None:
    """Everything in turns; the first two rounds only warm up."""
    cookie = f"{app.state.resources.cookie}={world.tokens[1]}"
    database: Database = app.state.resources.database
    for turn in range(times + 2):
        for each in asked:
            with counted(database) as seen:
                began = time.process_time()
                for _ in range(each.repeat):
                    if each.path:
                        status, each.bytes = await answer(app, each.path, each.headers | {"cookie": cookie})
                        if status != 200:
                            raise SystemExit(f"{each.path} answered {status}")
                    else:
                        each.bytes = await asyncio.to_thread(message, app, running[0])
                spent = 1000 * (time.process_time() - began) / each.repeat
            each.statements = len(seen) // each.repeat
            if turn > 1:
                each.processor.append(spent)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data=Path(folder) / "data", _env_file=None)  # type: ignore[call-arg]  # pydantic takes it
        world = load.fill(settings)
        app = create_app(settings, IdleEngine(MODEL))
        running = begin(app, world.style)
        preview = min(app.state.resources.bus.previews)
        asked = asked_of(world, running, 1, preview)
        asyncio.run(measure(app, world, asked, running, options.times))
        app.state.resources.database.close()
    table = Table("", "median, ms", "least, ms", "statements", "kB", title="processor time of one answer")
    for column in table.columns[1:]:
        column.justify = "right"
    for each in asked:
        median, least = statistics.median(each.processor), min(each.processor)
        table.add_row(each.name, f"{median:.2f}", f"{least:.2f}", f"{each.statements}", f"{each.bytes / 1000:.1f}")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
