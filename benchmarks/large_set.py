"""The cost of a set of 1,000 pictures: `python -m benchmarks.large_set`.

Requests its pages from the real app, in this process and without a network, in rotation: processor time, and bytes of
HTML. Then performs each act on all of its pictures, as the pages do: the longest time that one transaction holds the
write lock, all of them together, and the number of statements. Times are processor time, of acts
without garbage collection; run it with `OMP_NUM_THREADS=1`.
"""

import argparse
import asyncio
import gc
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import httpx2
from fastapi import FastAPI
from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection, bindparam, event, insert, select, update
from sqlalchemy import Engine as Connections
from sqlalchemy import Table as Rows
from sqlalchemy.orm import Session

from app.accounts import service as accounts
from app.database import Database, migrate
from app.engine.base import ModelFacts
from app.exports import service as exports
from app.exports.options import ExportOptions
from app.gallery import service as gallery
from app.main import create_app
from app.models import Image, Reference, Role, State, Unit, User, Verdict, now
from app.reviews import service as reviews
from app.sets import service as sets
from app.sets.spec import MOST_PICTURES, SetSpec
from app.settings import Settings
from app.styles import service as styles
from app.styles.spec import ReferenceSpec, StyleSpec
from app.web.gallery import in_parts
from benchmarks.gallery import IdleEngine, reference

MODEL = ModelFacts(
    name="demo",
    default_size=(256, 256),
    size_multiple=32,
    max_side=512,
    max_pixels=512 * 512,
    schedulers=("euler",),
    default_steps=20,
    default_guidance=5.0,
    device="cpu",
    controls=(),
)
ROLES = Role.ADMIN, Role.REVIEWER
WARM_UP = 8  # pictures of a first set, which compiles all statements
PROMPT = "a very large set, picture number {}, on a wooden table, with room for a headline, studio light"


@dataclass
class Asked:
    """A page, and what its answers cost."""

    name: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    processor: list[float] = field(default_factory=list)  # ms
    bytes: int = 0


@dataclass
class Held:
    """What writing transactions cost an act."""

    longest: float = 0.0  # ms of processor time with the lock
    total: float = 0.0
    transactions: int = 0
    statements: int = 0


class Lock:
    """Measures each transaction of `Database.write`, from the lock to the commit."""

    def __init__(self, database: Database) -> None:
        self.held, self._began = Held(), 0.0
        self._write = database.write
        database.write = self.write  # type: ignore[method-assign]
        event.listen(Connections, "after_cursor_execute", self._executed)

    @contextmanager
    def write(self) -> Iterator[Session]:
        with self._write() as session:
            event.listen(session, "after_commit", self._ended)
            yield session

    def _executed(self, _: Connection, __: Any, statement: str, *___: Any) -> None:
        if statement == "BEGIN IMMEDIATE":
            self._began = time.thread_time()
        elif self._began:
            self.held.statements += 1

    def _ended(self, _: Session) -> None:
        spent, self._began = 1000 * (time.thread_time() - self._began), 0.0
        self.held.longest = max(self.held.longest, spent)
        self.held.total += spent
        self.held.transactions += 1

    def of(self, act: Callable[[], object]) -> Held:
        self.held = Held()
        gc.collect()
        gc.disable()  # a collection concerns everything in the process
        try:
            act()
        finally:
            gc.enable()
        return self.held


@dataclass
class Stage:
    """The app with one set, and its owner."""

    app: FastAPI
    lock: Lock
    me: User
    reviewer: User
    code: str  # of its style
    pictures: int
    set_id: int = 0

    @property
    def database(self) -> Database:
        return cast(Database, self.app.state.resources.database)

    def create(self) -> None:
        prompts = "\n".join(PROMPT.format(number) for number in range(self.pictures // 2))
        spec = SetSpec.from_form({"style": self.code, "prompts": prompts, "count": "2"}, MODEL)
        with self.database.write() as session:
            self.set_id = sets.create(session, self.me, spec, MODEL, 4).id

    def change(self, act: Callable[..., object], *values: Any) -> None:
        with self.database.write() as session:
            act(session, self.me, self.set_id, *values)

    def all(self, act: Callable[..., gallery.Outcome], *values: Any, who: User | None = None) -> None:
        """An act of the gallery on all pictures."""
        done, _ = in_parts(
            self.app.state.resources, self.ids, lambda session, ids: act(session, who or self.me, ids, *values)
        )
        if len(done.ids) != self.pictures:
            raise SystemExit(f"{act.__name__}: {len(done.ids)} of {self.pictures} were changed, {dict(done.refused)}")

    def export(self) -> None:
        with self.database.read() as session:
            wanted = exports.selection(session, self.me, set_id=self.set_id)
            planned = exports.plan(session, self.me, wanted, ExportOptions())
        with self.database.write() as session:
            exports.create(session, self.me, planned)

    @property
    def ids(self) -> list[int]:
        with self.database.read() as session:
            return list(session.scalars(select(Image.id).where(Image.set_id == self.set_id).order_by(Image.position)))

    def finish(self) -> None:
        """As if an engine had made every picture."""
        rows = [{"key": each, "sha256": sha256(str(each).encode()).hexdigest()} for each in self.ids]
        done = {"state": State.FINISHED, "shown": True, "bytes": 1000, "finished_at": now(), "error": None}
        table = cast(Rows, Image.__table__)
        with self.database.write() as session:
            session.connection().execute(
                update(table).where(table.c.id == bindparam("key")).values(**done, sha256=bindparam("sha256")), rows
            )
            session.execute(update(Unit).values(state=State.FINISHED, ended_at=now()))

    def fail(self) -> None:
        with self.database.write() as session:
            failed = {"state": State.FAILED, "error": "The model could not generate this picture."}
            session.execute(update(Image).where(Image.set_id == self.set_id).values(**failed))
            session.execute(update(Unit).where(Unit.set_id == self.set_id).values(**failed, ended_at=now()))


@contextmanager
def staged(pictures: int) -> Iterator[Stage]:
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data=Path(folder), _env_file=None)  # type: ignore[call-arg]  # pydantic takes it
        migrate(settings)
        app = create_app(settings, IdleEngine(MODEL))
        database: Database = app.state.resources.database
        with database.write() as session:
            me, reviewer = (User(email=f"{role}@example.com", name=role, role=role, password_hash="") for role in ROLES)
            session.add_all([me, reviewer])
            session.flush()
            session.execute(insert(Reference), [reference(1)])
            draft = StyleSpec.parse({"name": "Look", "references": (ReferenceSpec(reference_id=1),)})
            code = styles.create(session, me, draft).code
        yield Stage(app, Lock(database), me, reviewer, code, pictures)
        database.close()


async def measure(stage: Stage, asked: list[Asked], times: int) -> None:
    """Request every page in rotation; the first round only warms up."""
    with stage.database.write() as session:
        token = accounts.start_session(session, session.get_one(User, stage.me.id))
    transport = httpx2.ASGITransport(app=stage.app)
    cookies = {stage.app.state.resources.cookie: token}
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000", cookies=cookies) as client:
        for turn in range(times + 1):
            for each in asked:
                began = time.process_time()
                answer = await client.get(each.path, headers={"accept": "text/html"} | each.headers)
                if answer.status_code != 200:
                    raise SystemExit(f"{each.path} answered {answer.status_code}")
                each.bytes = len(answer.content)
                if turn:
                    each.processor.append(1000 * (time.process_time() - began))


def pages(stage: Stage) -> list[Asked]:
    script, middle = {"hx-request": "true"}, stage.ids[stage.pictures // 2]
    set_ = f"/sets/{stage.set_id}"
    return [
        Asked("set", set_),
        Asked("set, its next pictures", f"{set_}?after={stage.pictures // 2}", script),
        Asked("set, at a picture", f"{set_}?at={stage.pictures * 7 // 10}"),
        Asked("set, in one piece", f"{set_}?whole=on"),
        Asked("its review room", f"/review?set={stage.set_id}&image={middle}"),
        Asked("compare four", f"/compare?{'&'.join(f'ids={each}' for each in stage.ids[:4])}"),
        Asked("its pictures in the gallery", f"/pictures?set={stage.set_id}"),
        Asked("new set like it", f"/sets/new?from={stage.set_id}"),
        Asked("new export", f"{set_}/export"),
        Asked("sets", "/sets"),
        Asked("its style", f"/styles/{stage.code}"),
        Asked("its reference", "/references/1"),
        Asked("home", "/"),
        Asked("audit log", "/record"),
    ]


def acts(stage: Stage) -> Iterator[tuple[str, Callable[[], object]]]:
    """Every act on all pictures, in an order in which each is possible."""
    yield "create the set", stage.create
    yield "cancel it", lambda: stage.change(sets.cancel)
    yield "retry it", lambda: stage.change(sets.retry_set, 4)
    stage.fail()
    yield "retry it after all failed", lambda: stage.change(sets.retry_set, 4)
    stage.finish()
    yield "approve all", lambda: stage.all(gallery.decide, Verdict.APPROVED, None, who=stage.reviewer)
    yield "lock it", lambda: stage.change(reviews.lock)
    yield "unlock it", lambda: stage.change(reviews.unlock)
    yield "tag all", lambda: stage.all(gallery.tag, "hero")
    yield "star all", lambda: stage.all(gallery.star)
    yield "move all", lambda: stage.all(gallery.move, "Spring")
    yield "export all", stage.export
    yield "delete all", lambda: stage.all(gallery.delete)
    yield "restore all", lambda: stage.all(gallery.restore)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=MOST_PICTURES)
    parser.add_argument("--times", type=int, default=10)
    options = parser.parse_args()
    console = Console(width=100)
    with staged(WARM_UP) as stage:
        for _, act in acts(stage):
            act()
        stage.pictures = options.pictures
        table = heading(f"acts on {options.pictures} pictures", "longest, ms", "all, ms", "transactions", "statements")
        for name, act in acts(stage):
            held = stage.lock.of(act)
            numbers = (f"{held.longest:.1f}", f"{held.total:.1f}", f"{held.transactions}", f"{held.statements}")
            table.add_row(name, *numbers)
        console.print(table)
        asked = pages(stage)
        asyncio.run(measure(stage, asked, options.times))
    table = heading(f"pages of {options.pictures} pictures", "median, ms", "worst, ms", "HTML, kB")
    for each in asked:
        median, worst = statistics.median(each.processor), max(each.processor)
        table.add_row(each.name, f"{median:.1f}", f"{worst:.1f}", f"{each.bytes / 1000:.0f}")
    console.print(table)


def heading(title: str, *columns: str) -> Table:
    table = Table("", *columns, title=title)
    for column in table.columns[1:]:
        column.justify = "right"
    return table


if __name__ == "__main__":
    main()
