"""Style maps: a picture is made again to see what it drew from, and stays as it is."""

import asyncio

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.audit.service import record
from app.database import Database
from app.engine.base import ModelFacts
from app.errors import Conflict, Forbidden, NotFound
from app.files import Files
from app.models import Act, AuditEvent, Image, State, StyleMap, Unit, now
from app.sets import style_maps
from app.work import line, queue
from tests.engine.painter import Painter
from tests.factory import MODEL, Factory
from tests.work.test_dispatcher import Room, at_work


def test_a_map_is_made_once_and_the_picture_stays(database: Database, files: Files) -> None:
    async def story() -> None:
        painter = Painter()
        room = Room(painter, database, files)
        with room.making() as make:
            user = make.user()
            image = make.finished_set(user, prompts="a fox").images[0]
            style_maps.ask(make.session, user, image.id, MODEL)
            style_maps.ask(make.session, make.user(), image.id, MODEL)
            assert make.session.scalar(select(func.count(Unit.id)).where(Unit.map_id.is_not(None))) == 1
            later = make.image_set(user, prompts="an owl")
            before = (image.sha256, image.finished_at)
            events = make.session.scalar(select(func.count(AuditEvent.id)))
        async with at_work(room):
            room.dispatcher.wake()
            await room.until_done(later.id)
        unit, _ = painter.units
        assert unit.maps
        assert [(each.prompt, each.seed) for each in unit.images] == [(image.prompt, image.seed)]
        with database.read() as session:
            again, known = style_maps.of_picture(session, user, image.id)
            assert known
            assert (known.state, known.groups, known.steps) == (State.FINISHED, ["down 1", "up 1"], 2)
            assert (again.sha256, again.finished_at) == before
            assert session.scalar(select(func.count(Image.id))) == 2
            assert session.scalar(select(func.count(AuditEvent.id))) == (events or 0) + 1, "the later set's picture"
            assert line.listed(session, user) == []
        with database.write() as session:
            style_maps.ask(session, user, image.id, MODEL)
            assert session.scalars(select(Unit.state).where(Unit.map_id.is_not(None))).all() == [State.FINISHED]

    asyncio.run(story())


def test_only_what_can_be_made_again_has_a_map(make: Factory, session: Session) -> None:
    user = make.user()
    image = make.finished_set(user, prompts="a fox").images[0]
    other = ModelFacts("sdxl", (1024, 1024), 8, 8192, 2**24, ("euler",), 30, 5.0, "cuda")
    with pytest.raises(Conflict, match="now runs sdxl"):
        style_maps.ask(session, user, image.id, other)
    image.strength = 0.0
    with pytest.raises(Conflict, match="strength 0"):
        style_maps.ask(session, user, image.id, MODEL)
    with pytest.raises(NotFound):
        style_maps.ask(session, user, make.image_set(user).images[0].id, MODEL)


def test_what_was_removed_is_not_made_again(make: Factory, session: Session) -> None:
    user = make.user()
    image = make.finished_set(user, prompts="a fox").images[0]
    image.shown, image.deleted_at = False, now()
    with pytest.raises(Conflict, match="in the bin"):
        style_maps.ask(session, user, image.id, MODEL)
    image.purged_at = now()
    with pytest.raises(NotFound, match="no such picture"):
        style_maps.ask(session, user, image.id, MODEL)
    assert session.scalars(select(StyleMap)).all() == []


def test_it_can_be_stopped_by_who_asked_and_asked_for_again(make: Factory, session: Session) -> None:
    user = make.user()
    image = make.finished_set(user, prompts="a fox").images[0]
    style_maps.ask(session, user, image.id, MODEL)
    with pytest.raises(Forbidden):
        style_maps.cancel(session, make.user(), image.id)
    known = session.scalars(select(StyleMap)).one()
    assert known.state == State.QUEUED, "nobody stops another person's"
    style_maps.cancel(session, user, image.id)
    session.refresh(known)
    assert known.state == State.CANCELLED
    style_maps.ask(session, user, image.id, MODEL)
    assert known.state == State.QUEUED


def test_a_killed_server_makes_the_map_again(make: Factory, session: Session) -> None:
    user = make.user()
    image = make.finished_set(user, prompts="a fox").images[0]
    style_maps.ask(session, user, image.id, MODEL)
    known = session.scalars(select(StyleMap)).one()
    queue.claim_next(session)
    queue.requeue_running(session)
    session.refresh(known)
    assert known.state == State.QUEUED
    queue.claim_next(session)
    known.png = b"map"
    session.flush()
    queue.requeue_running(session)
    session.refresh(known)
    assert known.state == State.FINISHED


def test_asking_again_takes_the_place_of_one_that_was_held(make: Factory, session: Session) -> None:
    user = make.user()
    image = make.finished_set(user, prompts="a fox").images[0]
    style_maps.ask(session, user, image.id, MODEL)
    for _ in range(queue.MOST_CRASHES):
        unit = session.scalars(select(Unit).where(Unit.map_id.is_not(None))).one()
        unit.state = State.GENERATING
        session.query(StyleMap).update({"state": State.GENERATING})
        session.flush()
        queue.lose_unit(session, unit.id, "The engine died.")
    assert unit.state == State.HELD
    session.expire_all()
    style_maps.ask(session, user, image.id, MODEL)
    states = session.scalars(select(Unit.state).where(Unit.map_id.is_not(None)).order_by(Unit.id)).all()
    assert states == [State.CANCELLED, State.QUEUED]


def test_who_asks_again_has_it_and_can_stop_it(make: Factory, session: Session) -> None:
    first, second = make.user(), make.user()
    image = make.finished_set(first, prompts="a fox").images[0]
    style_maps.ask(session, first, image.id, MODEL)
    style_maps.cancel(session, first, image.id)
    known = session.scalars(select(StyleMap)).one()
    session.refresh(known)
    style_maps.ask(session, second, image.id, MODEL)
    assert set(session.scalars(select(Unit.owner_id).where(Unit.map_id == known.id))) == {second.id}
    with pytest.raises(Forbidden):
        style_maps.cancel(session, first, image.id)
    session.refresh(known)
    assert known.state == State.QUEUED
    assert style_maps.cancel(session, second, image.id)
    session.refresh(known)
    assert known.state == State.CANCELLED


def test_a_picture_that_is_removed_for_good_takes_its_map_along(make: Factory, session: Session) -> None:
    user = make.user()
    image = make.finished_set(user, prompts="a fox").images[0]
    style_maps.ask(session, user, image.id, MODEL)
    known = session.scalars(select(StyleMap)).one()
    known.png = b"map"
    session.flush()
    record(session, user, Act.IMAGE_PURGE, image)
    session.refresh(known)
    assert (known.png, known.state) == (None, State.CANCELLED)
    assert session.scalars(select(Unit.state).where(Unit.map_id == known.id)).all() == [State.CANCELLED]
