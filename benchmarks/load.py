"""Pictures made, pages and events while people watch: `make bench-load`.

Starts the real server with the bundled model and makes two sets generate: with nobody there, with 10 open pages of
those sets, and with 50 open pages and 50 people who read other pages. The browsers run in a process of their own, on
the same machine. The three take turns, so that a busy minute of the machine affects all of them.

A reader opens a page every 5 seconds on average (`--think`): home, sets, a set, the pictures or the review room, with
its pictures and, the first time, its style sheets and scripts. An open page loads every preview that its events name.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import quantiles

import httpx2
from rich.console import Console
from rich.table import Table
from sqlalchemy import select

from app import slow, wiring
from app.accounts.service import start_session
from app.database import Database, migrate
from app.files import Files
from app.models import Image, Role, State, Unit
from app.settings import Settings
from tests.factory import Factory
from tests.web.process import Process

LOOK = Path(__file__).parents[1] / "tests" / "data" / "looks" / "poster-pear.webp"
THINGS = ("a fox", "a teapot", "a house", "a tulip", "an owl", "a bicycle")
FINISHED_SETS, PICTURES_EACH = 12, 8  # there before
COUNT = 15  # pictures of each thing in a set that generates; they outlast a phase
PEOPLE = 50
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Scene:
    """Who is there."""

    name: str
    streams: int = 0  # open pages of the two sets
    readers: int = 0


SCENES = (Scene("quiet"), Scene("10 open pages", 10), Scene("50 open pages, 50 readers", 50, 50))


@dataclass
class World:
    """What is in the database before the server starts."""

    style: str  # its code
    tokens: list[str]  # of signed-in people
    paths: list[list[str]]  # of pages to read, by kind


@dataclass
class Figures:
    """What was measured in one scene, in all turns."""

    seconds: float = 0.0  # of the turns
    pictures: float = 0.0  # per minute, the sum of all turns
    turns: int = 0
    processor: dict[str, float] = field(default_factory=lambda: defaultdict(float))  # seconds, by process
    milliseconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    delays: list[float] = field(default_factory=list)  # ms from a finished picture's commit to a reader
    messages: int = 0
    message_bytes: int = 0
    failed: int = 0  # answers with an error


def fill(settings: Settings) -> World:
    """People, a style and finished sets, made by the services themselves."""
    settings.data.mkdir(parents=True, exist_ok=True)
    wiring.connect()
    migrate(settings)
    database, files = Database(settings), Files(settings.data / "files")
    with slow.permitted(), database.write() as session:
        make = Factory(session, files)
        people = [make.user(Role.MANAGER if number % 2 else Role.DESIGNER) for number in range(PEOPLE)]
        style = make.style(people[0], make.reference(people[0], as_png(LOOK)))
        prompts = "\n".join(f"{THINGS[number % 6]} {number}" for number in range(PICTURES_EACH))
        sets = [make.finished_set(people[number], style, prompts=prompts) for number in range(FINISHED_SETS)]
        tokens = [start_session(session, person) for person in people]
        rooms = [f"/review?set={each.id}&image={each.images[0].id}" for each in sets]
        shown = [f"/sets/{each.id}" for each in sets]
        code = style.code
    database.close()
    return World(code, tokens, [["/"], ["/sets"], shown, ["/pictures"], rooms])


def as_png(path: Path) -> bytes:
    from PIL import Image as Picture

    from tests.factory import encoded

    return encoded(Picture.open(path).convert("RGB"))


@contextmanager
def generating(url: str, cookie: str, world: World) -> Iterator[list[int]]:
    """Two sets of two people that generate; cancelled at the end."""
    sets = []
    for token in world.tokens[:2]:
        form = {"style": world.style, "prompts": "\n".join(THINGS), "count": str(COUNT), "steps": "20"}
        answer = post(url, "/sets", {cookie: token}, form)
        sets.append(int(answer.headers["location"].rsplit("/", 1)[1]))
    try:
        yield sets
    finally:
        for token, set_id in zip(world.tokens, sets, strict=False):
            post(url, f"/sets/{set_id}/cancel", {cookie: token}, {})


def post(url: str, path: str, cookies: dict[str, str], form: dict[str, str]) -> httpx2.Response:
    answer = httpx2.post(url + path, cookies=cookies, data=form, timeout=60, trust_env=False)
    if answer.status_code != 303:
        raise SystemExit(f"{path} answered {answer.status_code}: {answer.text[:2000]}")
    return answer


def turn(server: Process, database: Database, world: World, scene: Scene, asked: argparse.Namespace) -> Figures:
    """One scene for some seconds."""
    with generating(server.url, "soroe", world) as sets:
        order = {
            "url": server.url,
            "cookie": "soroe",
            "tokens": world.tokens,
            "sets": sets,
            "paths": world.paths,
            "streams": scene.streams,
            "readers": scene.readers,
            "think": asked.think,
            "settle": asked.settle,
            "seconds": asked.seconds,
        }
        clients = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.load_clients"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert clients.stdin  # noqa: S101
        clients.stdin.write(json.dumps(order))
        clients.stdin.close()
        time.sleep(asked.settle)
        began, before = time.time(), processor_seconds(server.process.pid)
        time.sleep(asked.seconds)
        after = processor_seconds(server.process.pid)
        assert clients.stdout  # noqa: S101
        told = json.loads(clients.stdout.read())
        clients.wait(60)
    figures = Figures(asked.seconds, pictures_a_minute(database, sets, began, began + asked.seconds), turns=1)
    figures.processor = {name: after[name] - before.get(name, 0.0) for name in after}
    figures.milliseconds = told["milliseconds"]
    figures.messages, figures.message_bytes = told["messages"], told["message_bytes"]
    figures.failed = sum(number for status, number in told["statuses"].items() if int(status) >= 400)
    figures.delays = delays(database, told["arrivals"], told["began"])
    return figures


def renice(pid: int, niceness: int) -> None:
    """Give the process of the model, which is the server's child of the lowest priority, another one."""
    model = max(children_of(pid), key=partial(os.getpriority, os.PRIO_PROCESS))
    for thread in Path(f"/proc/{model}/task").iterdir():
        os.setpriority(os.PRIO_PROCESS, int(thread.name), niceness)
    with suppress(OSError):  # as `app.processes.give_way` does
        Path(f"/proc/{model}/autogroup").write_text(str(niceness))


def children_of(pid: int) -> list[int]:
    """The ids of its children."""
    return [
        int(each)
        for children_of_thread in Path(f"/proc/{pid}/task").glob("*/children")
        for each in children_of_thread.read_text().split()
    ]


def processor_seconds(pid: int) -> dict[str, float]:
    """Processor time so far of the server's process, and of all its children together."""
    own, children = 0.0, 0.0
    waiting = [pid]
    while waiting:
        one = waiting.pop()
        try:
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            waiting += children_of(one)
        except OSError:  # it has ended
            continue
        seconds = (int(fields[11]) + int(fields[12])) / TICKS
        own, children = (own + seconds, children) if one == pid else (own, children + seconds)
    return {"server": own, "its children": children}


def pictures_a_minute(database: Database, sets: list[int], began: float, ended: float) -> float:
    """From the first end of a unit in that time to the last, so that no unit counts in part."""
    with database.read() as session:
        found = session.scalars(
            select(Unit.ended_at).where(Unit.set_id.in_(sets), Unit.state == State.FINISHED).order_by(Unit.ended_at)
        )
        ends = [each.timestamp() for each in found if each and began <= each.timestamp() <= ended]
        units = session.scalars(select(Unit).where(Unit.set_id.in_(sets)).limit(1)).one()
        size = len(units.images)
    return 60 * size * (len(ends) - 1) / (ends[-1] - ends[0]) if len(ends) > 1 else 0.0


def delays(database: Database, arrivals: list[tuple[int, int, float]], began: float) -> list[float]:
    """Milliseconds from when a picture was finished, just before its commit, until a reader had its tile."""
    with database.read() as session:
        rows = session.execute(
            select(Image.set_id, Image.position, Image.finished_at).where(Image.finished_at.is_not(None))
        )
        finished = {(set_id, position): at.timestamp() for set_id, position, at in rows if at}
    found = ((arrived, finished.get((set_id, position), 0.0)) for set_id, position, arrived in arrivals)
    return [1000 * (arrived - at) for arrived, at in found if at >= began]


def add(total: Figures, one: Figures) -> None:
    for name in ("seconds", "pictures", "turns", "messages", "message_bytes", "failed"):
        setattr(total, name, getattr(total, name) + getattr(one, name))
    total.delays += one.delays
    for kind, values in one.milliseconds.items():
        total.milliseconds[kind] += values
    for name, seconds in one.processor.items():
        total.processor[name] += seconds


def spread(values: list[float]) -> str:
    """The median and the 95th percentile."""
    if len(values) < 2:
        return ""
    cuts = quantiles(values, n=20)
    return f"{cuts[9]:.0f} / {cuts[18]:.0f}"


def told(found: dict[str, Figures], asked: argparse.Namespace) -> Table:
    title = (
        f"{asked.turns} turns of {asked.seconds:.0f} s; a reader opens a page every {asked.think:g} s; p50 / p95 in ms"
    )
    table = Table(title=title)
    table.add_column("")
    for name in found:
        table.add_column(name, justify="right")
    quiet = next(iter(found.values()))
    rows: dict[str, list[str]] = {
        "pictures per minute": [f"{each.pictures / each.turns:.1f}" for each in found.values()],
        "of quiet": [f"{each.pictures / (quiet.pictures or 1):.0%}" for each in found.values()],
    }
    for kind in ("page", "picture", "preview", "static"):
        rows[f"{kind}, ms"] = [spread(each.milliseconds.get(kind, [])) for each in found.values()]
    rows["finished picture to reader, ms"] = [spread(each.delays) for each in found.values()]
    for kind in ("page", "picture", "preview"):
        counts = [len(each.milliseconds.get(kind, [])) / each.seconds for each in found.values()]
        rows[f"{kind}s per second"] = [f"{count:.1f}" for count in counts]
    rows["messages per second"] = [f"{each.messages / each.seconds:.1f}" for each in found.values()]
    rows["kB a message"] = [f"{each.message_bytes / max(each.messages, 1) / 1000:.1f}" for each in found.values()]
    for name in ("server", "its children"):
        rows[f"processor, {name}"] = [f"{each.processor[name] / each.seconds:.0%}" for each in found.values()]
    rows["answers with an error"] = [str(each.failed) for each in found.values()]
    for name, values in rows.items():
        table.add_row(name, *values)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=40.0, help="of a turn")
    parser.add_argument("--settle", type=float, default=20.0, help="seconds before, for the browsers' first pages")
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--think", type=float, default=5.0, help="seconds between two pages of a reader, on average")
    parser.add_argument("--streams", type=int, default=50, help="open pages in the last scene")
    parser.add_argument("--readers", type=int, default=50, help="people who read pages in the last scene")
    parser.add_argument("--nice", type=int, help="of the model's process, instead of its own; 1 to 19, lower as root")
    asked = parser.parse_args()
    last = Scene(f"{asked.streams} open pages, {asked.readers} readers", asked.streams, asked.readers)
    scenes = (*SCENES[:-1], last)
    found = {scene.name: Figures() for scene in scenes}
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data=Path(folder) / "data", _env_file=None)  # type: ignore[call-arg]  # pydantic takes it
        world = fill(settings)
        database = Database(settings)
        with Process(settings.data) as server:
            if asked.nice is not None:
                renice(server.process.pid, asked.nice)
            for _ in range(asked.turns):
                for scene in scenes:
                    add(found[scene.name], turn(server, database, world, scene, asked))
            server.stop()
        database.close()
    Console(width=110).print(told(found, asked))


if __name__ == "__main__":
    main()
