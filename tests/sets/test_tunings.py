"""Tunings: drafts at several strengths through the real queue, scored, and taken into a style."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from PIL import Image as Picture
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.database import Database
from app.errors import Invalid, NotFound
from app.files import Files
from app.models import AuditEvent, Image, State, Tuning, TuningDraft, Unit, Usage, What, now
from app.quality.features import VERSION, features
from app.sets import tunings
from app.styles import service as styles
from app.work import line, queue
from tests.engine.painter import Painter
from tests.factory import MODEL, Factory
from tests.work.test_dispatcher import Room, at_work


def tuning_of(make: Factory, user: object, **values: object) -> Tuning:
    spec = make.spec(make.style(), **values)
    return tunings.create(make.session, user, spec, MODEL, make.files)  # type: ignore[arg-type]


def test_drafts_come_first_are_scored_and_belong_to_nothing(database: Database, files: Files) -> None:
    async def story() -> None:
        painter = Painter()
        room = Room(painter, database, files)
        with room.making() as make:
            user = make.user()
            image_set = make.image_set(user, prompts="a fox")
            tuning = tuning_of(make, user, prompts="a teapot\nan owl", seed="7", size="384x256", steps="20")
            before = make.session.scalar(select(func.count(AuditEvent.id)))
        async with at_work(room):
            room.dispatcher.wake()
            await room.until_done(image_set.id)
        unit, later = painter.units
        assert unit.measured
        assert unit.batch == len(tunings.STRENGTHS)
        assert [image.strength for image in unit.images] == [*tunings.STRENGTHS] * 2
        assert [(image.prompt, image.seed) for image in unit.images[5:7]] == [("a teapot", 7), ("an owl", 8)]
        assert unit.images[0].object == "teapot"
        assert later.images[0].prompt == "a fox"
        with database.read() as session:
            made = tunings.get(session, user, tuning.id)
            assert made.state == State.FINISHED
            assert all(draft.webp and draft.features for draft in made.drafts)
            found = tunings.found(made)
            assert [setting.strength for setting in found.settings] == [*tunings.STRENGTHS]
            assert all(setting.scores for setting in found.settings)
            assert found.best is None, "the painter draws alike at every strength"
            assert session.scalar(select(func.count(Image.id))) == 1
            finished = 1  # the set's picture
            assert session.scalar(select(func.count(AuditEvent.id))) == (before or 0) + finished
            assert line.listed(session, user) == []
            counted = session.scalars(select(Usage.amount).where(Usage.what == What.PICTURES)).all()
            assert counted == [1], "the set's picture: drafts use no quota"

    asyncio.run(story())


def test_what_is_finished_is_kept_when_the_server_stops(make: Factory, session: Session) -> None:
    """A claimed unit is prepared again without the drafts that are there."""
    tuning = tuning_of(make, make.user(), prompts="a teapot\nan owl")
    tuning.drafts[0].webp = b"RIFF"
    session.flush()
    unit = session.scalars(select(Unit).where(Unit.tuning_id == tuning.id)).one()
    work = tunings.engine_unit(session, unit, make.files)
    assert [-image.image_id for image in work.images] == [draft.id for draft in tuning.drafts[1:]]


def test_one_at_a_time_and_only_its_owner_sees_it(make: Factory, session: Session) -> None:
    user, other = make.user(), make.user()
    first, theirs = tuning_of(make, user), tuning_of(make, other)
    second = tuning_of(make, user)
    states = dict(session.execute(select(Tuning.id, Tuning.state)).all())
    assert states == {first.id: State.CANCELLED, theirs.id: State.QUEUED, second.id: State.QUEUED}
    with pytest.raises(NotFound):
        tunings.get(session, other, second.id)
    tunings.cancel(session, other, second.id)
    assert session.get_one(Tuning, second.id).state == State.QUEUED, "nobody cancels another person's"


def test_a_killed_server_makes_the_rest(make: Factory, session: Session) -> None:
    tuning = tuning_of(make, make.user(), prompts="a teapot\nan owl")
    for killed in range(2):
        unit = queue.claim_next(session)
        assert unit
        tuning.drafts[killed].webp = b"RIFF"
        session.flush()
        queue.requeue_running(session)
        session.refresh(tuning)
        assert (tuning.state, unit.state) == (State.QUEUED, State.QUEUED)
    queue.claim_next(session)
    for draft in tuning.drafts:
        draft.webp = b"RIFF"
    session.flush()
    queue.requeue_running(session)
    session.refresh(tuning)
    assert tuning.state == State.FINISHED


def test_drafts_measured_by_another_version_have_no_scores(make: Factory, session: Session) -> None:
    tuning = tuning_of(make, make.user())
    older = features(Picture.new("RGB", (64, 64), "#c03020")).to_json() | {"version": VERSION - 1}
    tuning.looks = {"0": older}
    for draft in tuning.drafts:
        draft.webp, draft.features = b"RIFF", older
    session.flush()
    found = tunings.found(tuning)
    assert (found.best, [setting.scores for setting in found.settings]) == (None, [None] * len(tunings.STRENGTHS))


def test_layers_are_tried_as_a_second_axis(make: Factory, session: Session) -> None:
    """Without a second draft at strength 0, where layers make no difference."""
    user, style = make.user(), make.style()
    ranked = ("up.a", "down.b", "mid.c", "up.d", "down.e", "mid.f", "up.g")
    model = replace(MODEL, layers=ranked, ranked_layers=ranked)
    choices = tunings.layers_choices(style.versions[0], model)
    assert [each.key for each in choices] == ["all", "upper", "ranked"]
    spec = make.spec(style, prompts="a teapot\nan owl")
    tuning = tunings.create(session, user, spec, model, make.files, ["upper", "ranked"])
    settings = tunings.found(tuning).settings
    shared = [*tunings.STRENGTHS[1:]]
    assert [(each.layers, each.strength) for each in settings] == [
        *(((), strength) for strength in (0.0, *shared)),
        *((("up_blocks",), strength) for strength in shared),
        *((ranked[: tunings.RANKED], strength) for strength in shared),
    ]
    assert [each.number for each in settings] == [*range(1, 17)]
    assert all([draft.prompt for draft in each.drafts] == [0, 1] for each in settings)
    unit = session.scalars(select(Unit).where(Unit.tuning_id == tuning.id)).one()
    work = tunings.engine_unit(session, unit, make.files)
    assert [image.layers for image in work.images] == [tuple(draft.layers) for draft in tuning.drafts]
    with pytest.raises(Invalid) as refused:
        tunings.create(session, user, spec, MODEL, make.files, ["ranked"])
    assert "cannot be tried" in refused.value.errors["layers"]


def test_the_layers_of_the_style_are_tried_first_also_if_they_are_its_own(make: Factory) -> None:
    version = make.style().versions[0]
    version.layers = ["up_blocks"]
    assert [each.key for each in tunings.layers_choices(version, MODEL)] == ["upper", "all"]
    version.layers = ["mid_block"]
    assert [each.key for each in tunings.layers_choices(version, None)] == ["own", "all", "upper"]


def test_they_are_removed_after_a_month(make: Factory, session: Session) -> None:
    old = tuning_of(make, make.user())
    old.created_at = now() - timedelta(days=31)
    session.flush()
    fresh = tuning_of(make, make.user())
    session.refresh(old)
    assert old.state == State.CANCELLED
    session.query(Unit).filter_by(tuning_id=old.id).update({"ended_at": now() - timedelta(days=30, minutes=1)})
    assert tunings.forget(session) == 1
    assert session.scalars(select(Tuning.id)).all() == [fresh.id]
    assert set(session.scalars(select(TuningDraft.tuning_id))) == {fresh.id}


def test_too_many_prompts_and_what_a_set_would_refuse(make: Factory) -> None:
    with pytest.raises(Invalid) as refused:
        tuning_of(make, make.user(), prompts="a\nb\nc\nd\ne")
    assert "At most 4 prompts" in refused.value.errors["prompts"]
    with pytest.raises(Invalid) as refused:
        tuning_of(make, make.user(), size="100x100")
    assert "size" in refused.value.errors


def test_taking_a_setting_adds_a_version_that_differs_in_nothing_else(make: Factory, session: Session) -> None:
    owner = make.user()
    style = make.style(owner, text="vintage poster")
    before = style.versions[0]
    version = styles.set_sharing(session, owner, style, 0.7, ["up_blocks"])
    assert (version.number, version.strength, version.layers) == (2, 0.7, ["up_blocks"])
    assert version.text == before.text
    assert [use.reference_id for use in version.references] == [use.reference_id for use in before.references]
    assert styles.set_sharing(session, owner, style, 0.7, ["up_blocks"]) is version, "nothing changes"
