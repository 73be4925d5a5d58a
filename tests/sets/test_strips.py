"""Strips: five drafts through the real queue, before what else waits, and gone soon."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.database import Database
from app.engine.base import ModelFacts
from app.errors import Invalid, NotFound
from app.files import Files
from app.models import AuditEvent, Image, State, Strip, StripDraft, Unit, Usage, What, now
from app.sets import strips
from app.work import line
from tests.engine.painter import Painter
from tests.factory import MODEL, Factory
from tests.work.test_dispatcher import Room, at_work


def strip_of(make: Factory, user: object, **values: object) -> Strip:
    spec = make.spec(make.style(), **values)
    return strips.create(make.session, user, spec, MODEL, make.files)  # type: ignore[arg-type]


def test_five_drafts_come_first_and_belong_to_nothing(database: Database, files: Files) -> None:
    async def story() -> None:
        painter = Painter()
        room = Room(painter, database, files)
        with room.making() as make:
            user = make.user()
            image_set = make.image_set(user, prompts="a fox")
            strip = strip_of(make, user, prompts="a teapot\na cat", seed="7", size="384x256", steps="20", count="4")
            before = make.session.scalar(select(func.count(AuditEvent.id)))
        async with at_work(room):
            room.dispatcher.wake()
            await room.until_done(image_set.id)
        unit, later = painter.units
        assert [image.strength for image in unit.images] == [0, 0.5, 1, 1.5, 2]
        assert {(image.prompt, image.seed) for image in unit.images} == {("a teapot", 7)}
        assert (unit.width, unit.height, unit.steps) == (320, 224, 8), "small, of the same shape, few steps"
        assert later.images[0].prompt == "a fox"
        with database.read() as session:
            made = strips.get(session, user, strip.id)
            assert made.state == State.FINISHED
            assert [draft.strength for draft in made.drafts] == [0, 0.5, 1, 1.5, 2]
            assert all(draft.webp and draft.webp[8:12] == b"WEBP" for draft in made.drafts)
            assert session.scalar(select(func.count(Image.id))) == 1
            finished = 1  # the set's picture
            assert session.scalar(select(func.count(AuditEvent.id))) == (before or 0) + finished
            assert line.listed(session, user) == []

    asyncio.run(story())


def test_asking_again_cancels_the_last_and_only_its_owner_sees_it(make: Factory, session: Session) -> None:
    user, other = make.user(), make.user()
    first, theirs = strip_of(make, user), strip_of(make, other)
    second = strip_of(make, user)
    states = dict(session.execute(select(Strip.id, Strip.state)).all())
    assert states == {first.id: State.CANCELLED, theirs.id: State.QUEUED, second.id: State.QUEUED}
    unit_states = session.scalars(select(Unit.state).where(Unit.strip_id == first.id)).all()
    assert unit_states == [State.CANCELLED]
    with pytest.raises(NotFound):
        strips.get(session, other, second.id)
    strips.cancel(session, other, second.id)
    assert session.get_one(Strip, second.id).state == State.QUEUED, "nobody cancels another person's"
    counted = select(Usage.what).where(Usage.what.in_([What.SETS, What.PICTURES]))
    assert session.scalars(counted).all() == [], "no quota"


def test_they_are_removed_after_an_hour(make: Factory, session: Session) -> None:
    user = make.user()
    old = strip_of(make, user)
    old.created_at = now() - timedelta(hours=2)
    session.flush()
    fresh = strip_of(make, make.user())
    session.refresh(old)
    assert old.state == State.CANCELLED, "nobody waits for it any more"
    assert strips.forget(session) == 0, "the queue may still look for its row"
    session.query(Unit).filter_by(strip_id=old.id).update({"ended_at": now() - timedelta(hours=1, minutes=1)})
    assert strips.forget(session) == 1
    assert session.scalars(select(Strip.id)).all() == [fresh.id]
    assert set(session.scalars(select(StripDraft.strip_id))) == {fresh.id}
    assert session.scalars(select(Unit.strip_id)).all() == [fresh.id]


def test_what_a_set_would_refuse_is_refused(make: Factory) -> None:
    with pytest.raises(Invalid) as refused:
        strip_of(make, make.user(), size="100x100")
    assert "size" in refused.value.errors


@pytest.mark.parametrize(
    ("size", "drafts"), [((1024, 1024), (768, 768)), ((512, 512), (512, 512)), ((2560, 720), (1448, 408))]
)
def test_a_draft_has_the_shape_of_its_picture(size: tuple[int, int], drafts: tuple[int, int]) -> None:
    sdxl = ModelFacts("sdxl", (1024, 1024), 8, 8192, 2**24, ("euler",), 30, 5.0, "cuda")
    assert strips.small(*size, sdxl) == drafts
