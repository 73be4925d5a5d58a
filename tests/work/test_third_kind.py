"""A made-up kind of work through the real queue and dispatcher: one class, one column, one line.

It is added as described in `docs/how-it-works.md`: a column of `units`, a `WorkKind`, and an entry in the list of
kinds.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import (
    Column,
    Integer,
    MetaData,
    SQLColumnExpression,
    String,
    Table,
    column,
    literal_column,
    select,
    table,
    update,
)
from sqlalchemy.orm import Session, object_session

from app import wiring
from app.database import Database, make_engine
from app.engine.base import ModelFacts
from app.engine.events import Done, Event, Failed, Step, Work
from app.files import Files
from app.models import State, Subject, Unit, User
from app.sets.queries import progress
from app.sets.queries import topic as set_topic
from app.settings import Settings
from app.subjects.training import topic as subject_topic
from app.work import kinds, line, queue
from app.work.kinds import Row, WorkKind, Write
from app.work.topics import Topic
from tests.engine.painter import Painter
from tests.work.test_dispatcher import Room, at_work

POEMS = Table(
    "poems",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("title", String),
    Column("state", String),
    Column("sha256", String),
    Column("error", String),
)
POEM_ID = literal_column("units.poem_id", Integer)


@dataclass(frozen=True)
class Ode:
    """Sent to the engine."""

    id: int
    title: str


@dataclass(frozen=True)
class Verse:
    """Sent back."""

    unit_id: int
    text: str


@dataclass(kw_only=True)
class PoemRow(Row):
    title: str
    state: str

    @property
    def runs(self) -> bool:
        return self.state == State.GENERATING


class Poems(WorkKind):
    noun = "poem"

    @property
    def column(self) -> SQLColumnExpression[int | None]:
        return POEM_ID

    def row_id(self, unit: Unit) -> int | None:
        session = cast(Session, object_session(unit))  # a mapped class would use `unit.poem_id`
        return session.scalar(select(POEM_ID).where(Unit.id == unit.id))

    def for_engine(self, session: Session, unit: Unit, files: Files, model: ModelFacts | None) -> Work:
        title = session.scalar(select(POEMS.c.title).where(POEMS.c.id == self.row_id(unit)))
        return cast(Work, Ode(unit.id, cast(str, title)))

    def keep(self, event: Event, files: Files) -> Write:
        verse = cast(Verse, event)
        sha256 = files.put_lora(verse.text.encode())
        of_unit = select(POEM_ID).where(Unit.id == verse.unit_id).scalar_subquery()
        running = POEMS.c.id == of_unit, POEMS.c.state == State.GENERATING
        kept = update(POEMS).where(*running).values(state=State.FINISHED, sha256=sha256)
        return lambda session: session.execute(kept)

    def moved(self, session: Session, unit: Unit, before: State, after: State, error: str | None) -> None:
        of_unit = POEMS.c.id == self.row_id(unit), POEMS.c.state == before
        session.execute(update(POEMS).where(*of_unit).values(state=after, error=error))

    def unfinished(self, session: Session, unit: Unit) -> bool:
        return session.scalar(select(POEMS.c.state).where(POEMS.c.id == self.row_id(unit))) == State.GENERATING

    def record_failure(self, session: Session, unit: Unit, message: str) -> None:
        session.execute(update(POEMS).where(POEMS.c.id == self.row_id(unit)).values(title=f"lost: {message}"))

    def record_hold(self, session: Session, unit: Unit) -> None:
        session.execute(update(POEMS).where(POEMS.c.id == self.row_id(unit)).values(title="held"))

    def rows(self, session: Session, user: User, ids: Collection[int]) -> Mapping[int, Row]:
        found = session.execute(select(POEMS.c.id, POEMS.c.title, POEMS.c.state).where(POEMS.c.id.in_(ids)))
        return {
            id: PoemRow(topic=self.topic(id), owner=user.name, title=title, state=state) for id, title, state in found
        }


class Poet(Painter):
    """An engine that also knows the made-up work."""

    async def run(self, work: Work) -> AsyncIterator[Event]:
        if not isinstance(work, Ode):
            async for event in super().run(work):
                yield event
            return
        yield Step(work.id, 1, 1)
        if work.title == "fail":
            yield Failed(work.id, "Nothing rhymes with it.")
            return
        yield cast(Event, Verse(work.id, f"O {work.title}!"))
        yield Done(work.id)


@pytest.fixture
def poems(settings: Settings) -> Iterator[Poems]:
    """The kind, registered, in a database with its column and its table."""
    engine = make_engine(settings.database_url, foreign_keys=False)
    with engine.execution_options(writes=True).begin() as connection:
        operations = Operations(MigrationContext.configure(connection))
        with operations.batch_alter_table("units", recreate="always") as batch:
            batch.drop_constraint("ck_units_one_purpose", type_="check")
            batch.add_column(Column("poem_id", Integer))
            batch.create_check_constraint(
                "one_purpose",
                "(set_id IS NOT NULL) + (subject_id IS NOT NULL) + (strip_id IS NOT NULL) + (tuning_id IS NOT NULL)"
                " + (map_id IS NOT NULL) + (poem_id IS NOT NULL) = 1",
            )
        POEMS.create(connection)
    engine.dispose()
    kind = Poems()
    kinds.use(*wiring.KINDS, kind)
    yield kind
    wiring.connect()


def ask(session: Session, owner: User, title: str) -> int:
    """Queue a poem and return its id."""
    added = POEMS.insert().values(title=title, state=State.QUEUED).returning(POEMS.c.id)
    poem_id = session.execute(added).scalar_one()
    row = {"poem_id": poem_id, "owner_id": owner.id, "priority": 0, "state": State.QUEUED, "tries": 0, "crashes": 0}
    units = table("units", *(column(name) for name in (*row, "created_at")))
    session.execute(units.insert().values(**row, created_at=owner.created_at))
    return cast(int, poem_id)


def poem(room: Room, poem_id: int) -> Any:
    with room.database.read() as session:
        return session.execute(select(POEMS).where(POEMS.c.id == poem_id)).one()


def test_it_is_served_and_queued_like_the_others(poems: Poems, database: Database, files: Files) -> None:
    async def story() -> None:
        room = Room(Poet(), database, files)
        with room.making() as make:
            user = make.user()
            first, bad = ask(make.session, user, "moon"), ask(make.session, user, "fail")
            image_set, subject = make.image_set(user, prompts="a fox"), make.subject(user)
        with database.read() as session:
            order = [Topic("poem", first), Topic("poem", bad), set_topic(image_set.id), subject_topic(subject.id)]
            assert line.served_order(session) == order
            assert line.place(session, set_topic(image_set.id)) == progress(session, user, image_set.id).line == 2
            assert [row.line for row in line.listed(session, user)] == [1, 2, 3, 4]
            assert [row.title for row in line.listed(session, user) if isinstance(row, PoemRow)] == ["moon", "fail"]
        cursor = room.bus.cursor()
        async with at_work(room):
            room.dispatcher.wake()
            await room.until_done(image_set.id)
            await room.until(lambda: trained(room, subject.id))
            assert (await room.bus.changes(Topic("poem", first), cursor)).images == frozenset()
        made, lost = poem(room, first), poem(room, bad)
        assert (made.state, files.lora(made.sha256).read_bytes()) == (State.FINISHED, b"O moon!")
        assert (lost.state, lost.error) == (State.FAILED, "Nothing rhymes with it.")
        assert lost.title == "lost: Nothing rhymes with it.", "its own way to record a failure"
        assert room.states(image_set.id) == [State.FINISHED]

    asyncio.run(story())


def trained(room: Room, subject_id: int) -> bool:
    with room.database.read() as session:
        return session.get_one(Subject, subject_id).state == State.FINISHED


def test_what_a_killed_server_was_making_of_it_is_queued_again(poems: Poems, database: Database, files: Files) -> None:
    room = Room(Poet(), database, files)
    with room.making() as make:
        poem_id = ask(make.session, make.user(), "moon")
        unit = queue.claim_next(make.session)
        assert unit
        assert kinds.kind_of(unit) is poems
        assert queue.claim_next(make.session) is None
    assert poem(room, poem_id).state == State.GENERATING
    with room.making() as make:
        assert len(queue.requeue_running(make.session)) == 1
    assert poem(room, poem_id).state == State.QUEUED


def test_a_unit_of_no_kind_that_is_registered_is_a_fault_in_plain_sight(
    poems: Poems, database: Database, files: Files
) -> None:
    room = Room(Poet(), database, files)
    with room.making() as make:
        ask(make.session, make.user(), "moon")
    wiring.connect()
    with pytest.raises(LookupError, match="is of no kind that is registered"), database.write() as session:
        queue.claim_next(session)
