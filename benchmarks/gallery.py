"""Response times of a gallery of 100,000 pictures: `make bench-gallery`.

Fills a database, then requests pages from the real app, in this process and without a network, 20 times each, in
rotation. Runs twice: for a team with few campaigns and long sets, and for one with many and short ones. The budget is
100 ms of server time; if a median exceeds it, the status is 1. The table also has processor time, which is what counts
on a busy machine.
"""

import argparse
import asyncio
import random
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

import httpx2
from fastapi import FastAPI
from PIL.Image import Image as Picture
from rich.console import Console
from rich.table import Table
from sqlalchemy import Table as Rows
from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from app.accounts import service as accounts
from app.database import Database, migrate
from app.engine.base import EngineState, ModelFacts, ModelUnknown, NoDepth, NotReady, Slot
from app.engine.events import Event, Work
from app.gallery import search
from app.main import create_app
from app.models import (
    Base,
    Campaign,
    Image,
    ImageSet,
    ImageTag,
    Reference,
    Role,
    Star,
    State,
    Style,
    StyleReference,
    StyleVersion,
    User,
    Verdict,
    now,
)
from app.settings import Settings
from app.styles.service import CODE_LETTERS
from app.translation.translator import CannotTranslate

BUDGET = 100.0  # ms
TIMES = 20
CHUNK = 5000  # rows inserted at once


@dataclass(frozen=True)
class Spread:
    """How pictures are distributed over what they can be searched by."""

    name: str
    people: int
    campaigns: int
    styles: int
    a_set: int  # pictures
    tags: int  # distinct tags
    tagged: float  # tags per picture


SPREADS = (
    Spread("long sets", people=30, campaigns=25, styles=40, a_set=67, tags=10, tagged=0.2),
    Spread("short sets", people=100, campaigns=400, styles=400, a_set=5, tags=300, tagged=3),
)
TAGS = ("hero", "banner", "newsletter", "shop window", "social", "print", "秋", "予備", "retouch", "cover")
THINGS = (
    "a fox|an owl|a teapot|a brass bell|a steam train|a croissant|a town bicycle|a film camera|a whale|a chestnut|"
    "two pieces of sushi|a maple leaf|a running shoe|a cocktail glass|an old book|a hedgehog|a lighthouse|a pumpkin|"
    "色づいた楓の葉|露のついたぶどうの房|雪をかぶった富士山|幕の内弁当|栗の実|湯気の立つ急須|花火|猫"
)
PLACES = (
    "on a wooden table|under a paper lantern|in morning fog|by the sea|at night|beside a window|夕焼けの中|雨の日に"
)
WAYS = "seen from above|with long shadows|very close|with room for a headline|in three quarter view|静かに|正面から"
RARE = "zeppelin"  # in one prompt of a thousand
HOUSE = "studio light"  # in seven of ten
# Outcomes of finished pictures, in per cent.
DECISIONS = {Verdict.APPROVED: 45, Verdict.CHANGES_REQUESTED: 7, Verdict.REJECTED: 14, Verdict.WITHDRAWN: 1, None: 33}


class IdleEngine:
    """Replaces the model: nothing is generated here."""

    state = EngineState.READY
    restarts = 0

    def __init__(self, model: ModelFacts | None = None) -> None:
        self._model = model

    @property
    def model(self) -> ModelFacts:
        if self._model is None:
            raise ModelUnknown
        return self._model

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    def run(self, work: Work) -> AsyncIterator[Event]:
        raise NotReady

    async def cancel(self, unit_id: int) -> None: ...

    def lora_phrase(self, data: bytes, file_name: str) -> str:
        raise NotImplementedError

    def depth_map(self, picture: Picture) -> Picture:
        raise NoDepth

    def translate(self, texts: tuple[str, ...]) -> tuple[str, ...]:
        raise CannotTranslate("no model translates here")

    async def slots(self) -> list[Slot]:
        return []

    def listen(self, changed: Callable[[], None]) -> None: ...


# Filling


def fill(database: Database, pictures: int, spread: Spread, seed: int = 1) -> None:
    """Insert `pictures` rows of images like a team's after a year, most of them shown."""
    chance = random.Random(seed)  # noqa: S311  (the same gallery each time)
    began = now() - timedelta(days=365)
    with database.write() as session:
        put(session, User, people(spread.people))
        put(session, Campaign, ({"name": f"Campaign {n}", "created_by_id": 1} for n in range(spread.campaigns)))
        put(session, Reference, (reference(n) for n in range(spread.styles)))
        put(session, Style, (style(n) for n in range(spread.styles)))
        put(session, StyleVersion, ({"style_id": n + 1, "number": 1, "created_by_id": 1} for n in range(spread.styles)))
        uses = ({"version_id": n + 1, "position": 1, "reference_id": n + 1} for n in range(spread.styles))
        put(session, StyleReference, uses)
        sets = one_sets(chance, -(-pictures // spread.a_set), spread, began)
        put(session, ImageSet, sets)
        put(session, Image, images(chance, sets, pictures, spread.a_set))
        put(session, ImageTag, tags(chance, pictures, spread))
        starred = chance.sample(range(1, pictures + 1), pictures // 20)
        put(session, Star, ({"image_id": n, "user_id": 1 + n % spread.people} for n in starred))


def put(session: Session, table: type[Base], rows: Iterator[dict[str, Any]] | list[dict[str, Any]]) -> None:
    rest = iter(rows)
    while chunk := list(islice(rest, CHUNK)):
        session.execute(insert(cast(Rows, table.__table__)), chunk)


def people(number: int) -> Iterator[dict[str, Any]]:
    for n in range(number):
        role = Role.MANAGER if n == 0 else Role.DESIGNER
        yield {"email": f"{n}@example.com", "name": f"Person {n}", "password_hash": "", "role": role}


def reference(number: int) -> dict[str, Any]:
    name = sha256(f"reference {number}".encode()).hexdigest()
    return {"sha256": name, "width": 512, "height": 512, "bytes": 1, "original_name": "x.png", "uploaded_by_id": 1}


def style(number: int) -> dict[str, Any]:
    return {
        "code": f"SOR-{CODE_LETTERS[number % 30]}7K{CODE_LETTERS[number // 30]}",
        "name": f"Look {number}",
        "owner_id": 1,
    }


def popular(chance: random.Random, values: Any) -> Any:
    """One of `values`, the first far more often than the last: people have favourites."""
    return values[min(int(chance.expovariate(4 / len(values))), len(values) - 1)]


def tags(chance: random.Random, pictures: int, spread: Spread) -> Iterator[dict[str, Any]]:
    names = [TAGS[n] if n < len(TAGS) else f"{TAGS[n % len(TAGS)]} {n}" for n in range(spread.tags)]
    put_on = {(chance.randint(1, pictures), popular(chance, names)) for _ in range(int(pictures * spread.tagged))}
    return ({"image_id": n, "tag": tag, "added_by_id": 1} for n, tag in sorted(put_on))


def one_sets(chance: random.Random, number: int, spread: Spread, began: datetime) -> list[dict[str, Any]]:
    """In creation order, evenly over a year."""
    return [one_set(chance, n, spread, began + timedelta(days=365 * n / number)) for n in range(number)]


def one_set(chance: random.Random, number: int, spread: Spread, created_at: datetime) -> dict[str, Any]:
    width, height = chance.choice([(1024, 1024), (832, 1216), (1216, 832), (1344, 768)])
    return {
        "name": f"Set {number}",
        "owner_id": popular(chance, range(1, spread.people + 1)),
        "campaign_id": popular(chance, range(1, spread.campaigns + 1)),
        "style_version_id": popular(chance, range(1, spread.styles + 1)),
        "model": "demo",
        "prompts": ["a fox"],
        "count": 1,
        "width": width,
        "height": height,
        "steps": 20,
        "guidance": 5.0,
        "scheduler": "euler",
        "strength": 1.0,
        "seed": chance.randrange(2**31),
        "created_at": created_at,
    }


def images(chance: random.Random, sets: list[dict[str, Any]], number: int, a_set: int) -> Iterator[dict[str, Any]]:
    """In creation order of their sets; a twentieth redone, a hundredth in the bin or failed."""
    verdicts, weights = list(DECISIONS), list(DECISIONS.values())
    for n in range(number):
        image_set = sets[n // a_set]
        failed, superseded, deleted = chance.random() < 0.01, chance.random() < 0.05, chance.random() < 0.01
        finished_at = image_set["created_at"] + timedelta(minutes=chance.random() * 240)
        verdict = None if failed else chance.choices(verdicts, weights)[0]
        yield {
            "set_id": n // a_set + 1,
            "position": n % a_set + 1,
            "owner_id": image_set["owner_id"],
            "campaign_id": image_set["campaign_id"],
            "style_id": image_set["style_version_id"],  # each style has one version
            "prompt": prompt(chance),
            "seed": image_set["seed"] + n % a_set,
            "state": State.FAILED if failed else State.FINISHED,
            "sha256": None if failed else sha256(str(n).encode()).hexdigest(),
            "bytes": None if failed else chance.randrange(500_000, 2_000_000),
            "measures": {"seconds": round(chance.random() * 9, 3)},
            "decision": verdict,
            "approvals": int(verdict == Verdict.APPROVED),
            "superseded": superseded,
            "shown": not (failed or superseded or deleted),
            "created_at": image_set["created_at"],
            "finished_at": None if failed else finished_at,
            "deleted_at": now() - timedelta(days=chance.random() * 29) if deleted else None,
            "deleted_by_id": 1 if deleted else None,
        }


def prompt(chance: random.Random) -> str:
    words = [popular(chance, THINGS.split("|"))]
    words += [chance.choice(PLACES.split("|"))] * (chance.random() < 0.6)
    words += [chance.choice(WAYS.split("|"))] * (chance.random() < 0.5)
    words += [HOUSE] * (chance.random() < 0.7)
    words += [RARE] * (chance.random() < 0.001)
    return ", ".join(words)


# Requesting


@dataclass
class Page:
    """An address and its response times."""

    name: str
    path: str
    partial: bool = False  # as a script requests the next pictures
    clock: list[float] = field(default_factory=list)  # ms
    processor: list[float] = field(default_factory=list)  # ms


def pages(session: Session) -> list[Page]:
    """The requests: pages at every depth, each filter, words of every kind, and some combinations."""
    shown = select(Image.id).where(Image.shown).order_by(Image.id.desc())

    def at(row: int) -> int:
        return session.scalar(shown.offset(row).limit(1)) or 0

    total = session.scalar(select(func.count()).where(Image.shown)) or 0
    oldest = {"order": "oldest"}
    seed = session.scalar(select(Image.seed).where(Image.id == at(total // 3)))
    code = session.scalar(select(Style.code).where(Style.id == 2))
    alone: list[tuple[str, Any]] = [  # name, query
        ("by decision", {"decision": "rejected"}),
        ("by two decisions", [("decision", "none"), ("decision", "changes_requested")]),
        ("by all decisions", [("decision", each) for each in search.DECISIONS]),
        ("by style", {"style": code}),
        ("by campaign", {"campaign": 1}),
        ("by owner", {"owner": 3}),
        ("by set", {"set": session.scalar(select(Image.set_id).where(Image.id == at(total // 2)))}),
        ("by reference", {"reference": 1}),
        ("by tag", {"tag": "hero"}),
        ("starred", {"starred": 1}),
        ("by one day", {"since": day(session, total // 2), "until": day(session, total // 2)}),
        ("by all days", {"since": "2000-01-01"}),
        ("until one day", {"until": day(session, total // 2)}),
        ("until before all", {"until": "2000-01-01"}),
        ("rare word", {"q": RARE}),
        ("common word", {"q": "fox"}),
        ("common words", {"q": "table fog window"}),
        ("two common words", {"q": "fox window"}),
        ("word of most", {"q": "light"}),
        ("part of a word of most", {"q": "igh"}),
        ("no such word", {"q": "qqqqq"}),
        ("Japanese word", {"q": "富士山"}),
        ("Japanese, two letters", {"q": "花火"}),
        ("Japanese, one letter", {"q": "猫"}),
        ("two letters", {"q": "at"}),
        ("two letters of most", {"q": "li"}),
        ("two letters, nowhere", {"q": "zz"}),
        ("two letters, by days", {"q": "at", "since": day(session, total - 1), "until": day(session, total // 2)}),
        ("two letters of most, by no day", {"q": "li", "until": "2000-01-01"}),
        ("one letter", {"q": "a"}),
        ("a comma", {"q": ","}),
        ("a seed", {"q": seed}),
        ("a style's code", {"q": code}),
        ("its four letters", {"q": str(code)[-4:]}),
        ("combined", {"q": "fox table", "decision": "approved", "campaign": 1, "tag": "hero"}),
        ("combined, few", {"q": "猫", "style": code, "owner": 7, "since": day(session, total // 2)}),
        ("oldest first", oldest),
        ("oldest first, by two decisions", [("decision", "none"), ("decision", "changes_requested"), *oldest.items()]),
        ("oldest first, by campaign", {"campaign": 1} | oldest),
        ("oldest first, by tag", {"tag": "hero"} | oldest),
        ("oldest first, rare word", {"q": RARE} | oldest),
        ("oldest first, common word", {"q": "fox"} | oldest),
        ("oldest first, two letters", {"q": "at"} | oldest),
    ]
    return [
        Page("first page", "/pictures"),
        Page("page 2", f"/pictures?after={at(59)}", partial=True),
        Page("page at row 50,000", f"/pictures?after={at(min(50_000, total // 2))}", partial=True),
        Page("last page but one", f"/pictures?after={at(total - 90)}", partial=True),
        Page("last page", f"/pictures?after={at(total - 30)}", partial=True),
        Page("after an act", f"/pictures?upto={at(359)}"),
        Page("page at row 50,000, whole", f"/pictures?after={at(min(50_000, total // 2))}"),
        *(Page(name, f"/pictures?{urlencode(query)}") for name, query in alone),
        Page("common word, far down", f"/pictures?q=fox&after={at(total * 9 // 10)}", partial=True),
        Page("two letters, nowhere, next", f"/pictures?q=zz&after={at(total // 2)}", partial=True),
        Page("oldest first, page at row 50,000", f"/pictures?order=oldest&after={at(total // 2)}", partial=True),
        Page("oldest first, last page", f"/pictures?order=oldest&after={at(30)}", partial=True),
        Page("bin", "/pictures/bin"),
        *(Page(f"everything: {words}", f"/search?{urlencode({'q': words})}") for words in ("fox", "igh", RARE, "花火")),
        Page("palette", "/search/palette?q=fox"),
        Page("sets by words", "/sets?q=a"),
        Page("review room", "/review"),
        Page("review room, newest picture", f"/review?image={at(0)}"),
    ]


def day(session: Session, row: int) -> str:
    finished = select(Image.finished_at).where(Image.shown).order_by(Image.id.desc()).offset(row).limit(1)
    return str(session.scalars(finished).one().date())  # type: ignore[union-attr]  # what is shown is finished


async def measure(app: FastAPI, token: str, asked: list[Page], times: int) -> None:
    """Request every page in rotation, so that a busy second affects all of them; the first round only warms up."""
    transport = httpx2.ASGITransport(app=app)
    cookies = {app.state.resources.cookie: token}
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000", cookies=cookies) as client:
        for turn in range(times + 1):
            for each in asked:
                headers = {"accept": "text/html"} | ({"hx-request": "true"} if each.partial else {})
                began, worked = time.perf_counter(), time.process_time()
                answer = await client.get(each.path, headers=headers)
                clock, processor = time.perf_counter() - began, time.process_time() - worked
                if answer.status_code != 200:
                    raise SystemExit(f"{each.path} answered {answer.status_code}")
                if turn:
                    each.clock.append(1000 * clock)
                    each.processor.append(1000 * processor)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=TIMES)
    parser.add_argument("--data", type=Path, help="a folder to fill once and reuse")
    asked = parser.parse_args()
    late = 0
    for spread in SPREADS:
        with filled(asked.data, asked.pictures, spread) as (app, database):
            with database.write() as session:
                token = accounts.start_session(session, session.get_one(User, 1))
            with database.read() as session:
                found = pages(session)
            asyncio.run(measure(app, token, found, asked.times))
        late += told(found, f"{asked.pictures:,} pictures in {spread.name}", asked.times)
    return 1 if late else 0


@contextmanager
def filled(folder: Path | None, pictures: int, spread: Spread) -> Iterator[tuple[FastAPI, Database]]:
    with tempfile.TemporaryDirectory() as temporary:
        data = (folder or Path(temporary)) / spread.name.replace(" ", "-")
        settings = Settings(data=data, _env_file=None)  # type: ignore[call-arg]  # pydantic takes it
        migrate(settings)
        app = create_app(settings, IdleEngine())
        database: Database = app.state.resources.database
        with database.read() as session:
            there = session.scalar(select(func.count()).select_from(Image))
        if not there:
            fill(database, pictures, spread)
        yield app, database
        database.close()


def told(asked: list[Page], what: str, times: int) -> int:
    """Print the table; returns the number of pages over the budget."""
    table = Table(title=f"{what}, ms of {times} answers each; the budget is {BUDGET:g}")
    for column in ("page", "median", "worst", "processor, median", "processor, worst"):
        table.add_column(column, justify="left" if column == "page" else "right")
    late = 0
    for each in asked:
        median = statistics.median(each.clock)
        late += median > BUDGET
        values = (median, max(each.clock), statistics.median(each.processor), max(each.processor))
        table.add_row(each.name, *(f"{value:.1f}" for value in values), style="red" if median > BUDGET else "")
    Console(width=100).print(table)
    return late


if __name__ == "__main__":
    sys.exit(main())
