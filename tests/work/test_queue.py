"""The queue: fair, nothing twice, nothing lost."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from shutil import copy
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import select, true
from sqlalchemy.orm import Session

from app import slow
from app.database import Database
from app.engine.events import UnitSharing
from app.errors import Conflict, Forbidden
from app.files import Files, Kind
from app.models import Act, AuditEvent, Image, ImageSet, Role, State, Unit, now
from app.sets import retries, service, units
from app.settings import Settings
from app.work import queue
from tests.factory import MODEL, Factory
from tests.statements import counted


@contextmanager
def fresh(migrated: Path) -> Iterator[tuple[Session, Factory]]:
    """A new empty database, for each example of a property."""
    with TemporaryDirectory() as folder:
        copy(migrated, folder)
        database = Database(Settings(data=Path(folder)))
        with slow.permitted(), database.write() as session:
            yield session, Factory(session, Files(Path(folder) / "files"))
        database.close()


def claim(session: Session) -> Unit:
    """The next unit; those that failed are due at once."""
    queue.retry_now(session, true())
    unit = queue.claim_next(session)
    assert unit
    return unit


def claim_any(session: Session) -> Unit:
    unit = queue.claim_next(session)
    assert unit
    return unit


def finish(session: Session, unit: Unit) -> None:
    for image in unit.images:
        units.finish_image(session, unit.id, image.id, "0" * 64, 1, 1.0)
    queue.end_unit(session, unit.id)


def outcomes(session: Session, image_set: ImageSet) -> set[tuple[str, str | None]]:
    rows = session.execute(select(Image.state, Image.error).where(Image.set_id == image_set.id))
    return {(state, error) for state, error in rows}


# Order


def test_claim_takes_the_unit_and_its_images(session: Session, make: Factory) -> None:
    image_set = make.image_set(prompts="a\nb\nc", unit_size=2)
    unit = claim(session)
    assert (unit.state, unit.tries, unit.set_id) == (State.GENERATING, 0, image_set.id)
    assert unit.started_at
    assert [image.state for image in image_set.images] == [State.GENERATING, State.GENERATING, State.QUEUED]


def test_claim_of_an_empty_queue(session: Session, make: Factory) -> None:
    assert queue.claim_next(session) is None
    make.finished_set()
    assert queue.claim_next(session) is None


def test_claim_takes_the_oldest_of_one_owner(session: Session, make: Factory) -> None:
    user = make.user()
    first, second = make.image_set(user, unit_size=1), make.image_set(user, unit_size=1)
    assert [claim(session).set_id for _ in range(4)] == [first.id, first.id, second.id, second.id]


def test_claim_prefers_priority(session: Session, make: Factory) -> None:
    make.image_set(unit_size=1)
    urgent = make.image_set(unit_size=1)
    for unit in session.scalars(select(Unit).where(Unit.set_id == urgent.id)):
        unit.priority = 1
    assert [claim(session).set_id for _ in range(2)] == [urgent.id, urgent.id]


@hypothesis_settings(max_examples=10)
@given(first=st.integers(1, 6), second=st.integers(1, 6))
def test_two_owners_take_turns_on_one_slot(migrated: Path, first: int, second: int) -> None:
    """With any number of requests from either, and either first."""
    with fresh(migrated) as (session, make):
        style = make.style()
        one = make.image_set(make.user(), style, prompts="a\n" * first, unit_size=1)
        other = make.image_set(make.user(), style, prompts="b\n" * second, unit_size=1)
        served = []
        while unit := queue.claim_next(session):
            served.append(unit.owner_id)
            finish(session, unit)
        shared = min(first, second)
        assert served[: 2 * shared] == [one.owner_id, other.owner_id] * shared
        assert len(served) == first + second


@hypothesis_settings(max_examples=10)
@given(wanted=st.lists(st.integers(1, 5), min_size=1, max_size=4), slots=st.integers(1, 4))
def test_slots_are_shared_evenly(migrated: Path, wanted: list[int], slots: int) -> None:
    """Nobody who waits has two units fewer in the slots than someone else; every unit is claimed once."""
    with fresh(migrated) as (session, make):
        style = make.style()
        for number in wanted:
            make.image_set(make.user(), style, prompts="a\n" * number, unit_size=1)
        running: list[Unit] = []
        claimed: list[int] = []
        while True:
            while len(running) < slots and (unit := queue.claim_next(session)):
                running.append(unit)
                claimed.append(unit.id)
            waiting = set(session.scalars(select(Unit.owner_id).where(Unit.state == State.QUEUED)))
            counts = [sum(unit.owner_id == owner for unit in running) for owner in waiting]
            most = max((sum(other.owner_id == unit.owner_id for other in running) for unit in running), default=0)
            assert all(most - count <= 1 for count in counts) or len(running) < slots
            if not running:
                break
            finish(session, running.pop(0))
        assert sorted(claimed) == sorted(session.scalars(select(Unit.id)))
        assert len(claimed) == sum(wanted)


def test_no_unit_is_claimed_twice(session: Session, make: Factory, database: Database) -> None:
    for _ in range(2):
        make.image_set(prompts="a fox\n" * 30, unit_size=1)
    session.commit()

    def claim_all(_: int) -> list[int]:
        claimed: list[int] = []
        while True:
            with database.write() as own:
                unit = queue.claim_next(own)
                if unit is None:
                    return claimed
                claimed.append(unit.id)

    with ThreadPoolExecutor(6) as pool:
        claimed = [unit_id for ids in pool.map(claim_all, range(6)) for unit_id in ids]
    assert len(claimed) == len(set(claimed)) == 60


def test_claim_takes_few_statements(session: Session, make: Factory, database: Database) -> None:
    for _ in range(5):
        make.image_set(prompts="a fox\n" * 20, unit_size=4)
    session.commit()
    with counted(database) as seen:
        queue.claim_next(session)
    assert len(seen) == 2


# What the engine gets


def test_engine_unit(session: Session, make: Factory, files: Files) -> None:
    style = make.style(text="vintage poster", reference_prompt="a train", method="ddim", scale=0.8, adain_values=True)
    make.image_set(style=style, prompts="a fox\nan owl", seed=5, size="384x256", strength="1.2", negative_prompt="text")
    row = claim(session)
    unit = units.engine_unit(session, row, files)
    assert [(image.prompt, image.seed) for image in unit.images] == [
        ("a fox, vintage poster", 5),
        ("an owl, vintage poster", 6),
    ]
    assert [image.image_id for image in unit.images] == [image.id for image in row.images]
    reference = style.versions[0].references[0].reference
    assert unit.references[0].path == files.path(Kind.REFERENCES, reference.sha256)
    assert unit.references[0].path.is_file()
    assert (unit.references[0].prompt, unit.references[0].crop.width) == ("a train, vintage poster", 1.0)
    assert (unit.method, unit.strength, unit.scale, unit.adain_values) == ("ddim", 1.2, 0.8, True)
    assert (unit.width, unit.height, unit.steps, unit.scheduler) == (384, 256, 20, "euler")
    assert unit.negative_prompt == "text"


def test_engine_unit_shares_as_its_style_says(session: Session, make: Factory, files: Files) -> None:
    shared = {"reference_queries": 1.0, "subject_attention": 0.2}
    names = ["up_blocks", "mid_block.attentions.0.transformer_blocks.0.attn1"]
    make.image_set(style=make.style(**shared, calibration=0.5, calibration_end=0.8, layers=names, blend="sphere"))
    unit = units.engine_unit(session, claim(session), files)
    assert unit.options == UnitSharing(tuple(names), 0.5, 0.0, 0.8, **shared, blend="sphere")


def test_engine_unit_of_a_style_from_before_the_options_shares_as_it_did(
    session: Session, make: Factory, files: Files
) -> None:
    """The migration gives old rows the defaults, which `tests/engine/test_runner.py` holds to the method's own."""
    make.image_set()
    assert units.engine_unit(session, claim(session), files).options == UnitSharing()


def test_engine_unit_without_style_text(session: Session, make: Factory, files: Files) -> None:
    make.image_set(prompts="a fox")
    unit = units.engine_unit(session, claim(session), files)
    assert (unit.images[0].prompt, unit.references[0].prompt) == ("a fox", "")


def test_engine_unit_of_another_model_409(session: Session, make: Factory, files: Files) -> None:
    make.image_set()
    unit = claim(session)
    assert units.engine_unit(session, unit, files, model=MODEL).id == unit.id
    with pytest.raises(Conflict, match="created with demo, but the server now runs sdxl"):
        units.engine_unit(session, unit, files, model=replace(MODEL, name="sdxl"))


def test_engine_unit_leaves_out_what_is_finished(session: Session, make: Factory, files: Files) -> None:
    image_set = make.image_set(prompts="a\nb\nc")
    unit = claim(session)
    units.finish_image(session, unit.id, image_set.images[1].id, "0" * 64, 1, 1.0)
    queue.fail_unit(session, unit.id, "The worker was lost.", transient=True)
    again = claim(session)
    assert again.id == unit.id
    assert [image.prompt for image in units.engine_unit(session, again, files).images] == ["a", "c"]


# Results


def test_finish_image(session: Session, make: Factory) -> None:
    image_set = make.image_set()
    unit = claim(session)
    image = units.finish_image(session, unit.id, image_set.images[0].id, "ab" * 32, 1234, 1.5)
    assert image is image_set.images[0]
    assert (image.state, image.sha256, image.bytes, image.measures) == (
        State.FINISHED,
        "ab" * 32,
        1234,
        {"seconds": 1.5},
    )
    assert image.finished_at
    event = session.scalars(select(AuditEvent).where(AuditEvent.act == Act.IMAGE_FINISH)).one()
    assert (event.user_id, event.subject_id) == (None, image.id)


def test_image_is_finished_once(session: Session, make: Factory) -> None:
    image_set = make.image_set()
    unit = claim(session)
    image = image_set.images[0]
    assert units.finish_image(session, unit.id, image.id, "a" * 64, 1, 1.0)
    assert units.finish_image(session, unit.id, image.id, "b" * 64, 1, 1.0) is None
    assert units.finish_image(session, unit.id + 1, image_set.images[1].id, "b" * 64, 1, 1.0) is None
    assert image.sha256 == "a" * 64


def test_end_unit(session: Session, make: Factory) -> None:
    make.image_set()
    unit = claim(session)
    finish(session, unit)
    assert unit.state == State.FINISHED
    assert unit.ended_at


def test_end_of_a_unit_that_left_images_out_is_a_failure(session: Session, make: Factory) -> None:
    image_set = make.image_set()
    unit = claim(session)
    units.finish_image(session, unit.id, image_set.images[0].id, "0" * 64, 1, 1.0)
    assert queue.end_unit(session, unit.id).state == State.QUEUED
    assert [image.state for image in image_set.images] == [State.FINISHED, State.QUEUED]


def test_transient_failure_is_tried_three_times(session: Session, make: Factory) -> None:
    image_set = make.image_set()
    for tries in (1, 2, 3):
        unit = claim(session)
        queue.fail_unit(session, unit.id, "The worker was lost.", transient=True)
        assert unit.tries == tries
    assert unit.state == State.FAILED
    assert outcomes(session, image_set) == {(State.FAILED, "The worker was lost.")}
    assert queue.claim_next(session) is None


@pytest.mark.parametrize("end", [lambda s, u: queue.fail_unit(s, u, "It broke.", True), queue.lose_unit])
def test_a_failed_unit_waits_longer_each_time_and_others_are_served(
    session: Session, make: Factory, end: Callable[..., Unit]
) -> None:
    make.image_set(prompts="a")
    for wait in queue.BACK_OFF:
        unit = claim(session)
        end(session, unit.id, *(["It stopped."] if end is queue.lose_unit else []))
        assert unit.retry_at
        assert timedelta(0) < unit.retry_at - now() <= wait
        make.image_set(prompts="b")
        other = queue.claim_next(session)
        assert other
        assert other.id != unit.id
        finish(session, other)
        assert queue.claim_next(session) is None
        assert queue.next_retry(session) == unit.retry_at
    unit.retry_at = now() - timedelta(seconds=1)
    session.flush()
    assert claim(session) is unit
    assert unit.retry_at is None


def test_a_clock_that_was_set_back_does_not_keep_a_unit_waiting(session: Session, make: Factory) -> None:
    make.image_set()
    unit = claim(session)
    queue.fail_unit(session, unit.id, "It broke.", transient=True)
    unit.retry_at = now() + timedelta(days=1)
    session.flush()
    assert queue.claim_next(session) is unit


def test_retry_now_ends_the_wait_of_one_set(session: Session, make: Factory) -> None:
    one, two = make.image_set(prompts="a\nb"), make.image_set(prompts="c")
    for _ in range(2):
        queue.fail_unit(session, claim_any(session).id, "It broke.", transient=True)
    assert queue.claim_next(session) is None
    found = retries.retry(session, one.owner, one.id)
    assert found
    assert (found.pictures, found.why) == (2, "It broke.")
    service.retry_now(session, one.owner, one.id)
    assert claim_any(session).set_id == one.id
    assert queue.claim_next(session) is None
    with pytest.raises(Conflict, match="another try"):
        service.retry_now(session, one.owner, one.id)
    event = session.scalars(select(AuditEvent).where(AuditEvent.act == Act.SET_RETRY)).one()
    assert (event.subject_id, event.details["pictures"]) == (one.id, [1, 2])
    assert retries.retry(session, two.owner, two.id)


def test_permanent_failure_is_not_retried(session: Session, make: Factory) -> None:
    image_set = make.image_set()
    unit = queue.fail_unit(session, claim(session).id, "The picture is too large for the GPU.")
    assert (unit.state, unit.error) == (State.FAILED, "The picture is too large for the GPU.")
    assert {image.state for image in image_set.images} == {State.FAILED}


def test_orderly_shutdown_costs_no_try(session: Session, make: Factory) -> None:
    make.image_set()
    for _ in range(5):
        unit = claim(session)
        queue.give_back(session, unit.id)
        assert (unit.state, unit.tries, unit.crashes) == (State.QUEUED, 0, 0)


# A restart


def test_requeue_running(session: Session, make: Factory) -> None:
    image_set = make.image_set(prompts="a\nb\nc\nd", unit_size=2)
    unit = claim(session)
    units.finish_image(session, unit.id, image_set.images[0].id, "0" * 64, 1, 1.0)
    assert len(queue.requeue_running(session)) == 1
    assert [image.state for image in image_set.images] == [State.FINISHED] + [State.QUEUED] * 3
    assert claim(session).id == unit.id


def test_requeue_running_of_a_unit_that_only_missed_its_end(session: Session, make: Factory) -> None:
    make.image_set()
    unit = claim(session)
    for image in unit.images:
        units.finish_image(session, unit.id, image.id, "0" * 64, 1, 1.0)
    queue.requeue_running(session)
    assert unit.state == State.FINISHED
    assert queue.claim_next(session) is None


def test_a_server_that_is_killed_again_and_again_charges_nothing(session: Session, make: Factory) -> None:
    image_set = make.image_set()
    for _ in range(10):
        unit = claim(session)
        queue.requeue_running(session)
    assert (unit.tries, unit.crashes) == (0, 0)
    assert outcomes(session, image_set) == {(State.QUEUED, None)}


def test_crashes_and_failures_are_counted_apart(session: Session, make: Factory) -> None:
    make.image_set()
    for _ in range(2):
        unit = claim(session)
        queue.lose_unit(session, unit.id, "The engine stopped.")
        claim(session)
        queue.fail_unit(session, unit.id, "It stumbled.", transient=True)
    assert (unit.state, unit.tries, unit.crashes) == (State.QUEUED, 2, 2)


# Held


@pytest.fixture
def held(session: Session, make: Factory) -> ImageSet:
    """A set of three: one finished, one held, one in another unit."""
    image_set = make.image_set(prompts="a\nb\nc", unit_size=2)
    units.finish_image(session, claim(session).id, image_set.images[0].id, "0" * 64, 1, 1.0)
    for _ in range(3):
        queue.lose_unit(session, image_set.images[0].unit_id or 0, "The engine stopped.")
        unit = claim(session)
    assert unit.id == image_set.images[2].unit_id, "the held one is not claimed"
    assert [image.state for image in image_set.images] == [State.FINISHED, State.HELD, State.GENERATING]
    return image_set


def test_held_pictures_are_tried_again_in_a_new_unit(session: Session, held: ImageSet) -> None:
    before = held.images[1].unit_id
    assert service.retry_held(session, held.owner, held.id, 4) == 1
    session.expire_all()
    assert session.get_one(Unit, before).state == State.CANCELLED
    assert held.images[1].unit
    assert (held.images[1].state, held.images[1].error, held.images[1].unit.crashes) == (State.QUEUED, None, 0)
    with pytest.raises(Conflict, match="held now"):
        service.retry_held(session, held.owner, held.id, 4)


def test_held_pictures_are_removed_and_the_others_continue(session: Session, held: ImageSet) -> None:
    assert service.remove_held(session, held.owner, held.id) == 1
    session.expire_all()
    assert [image.state for image in held.images] == [State.FINISHED, State.CANCELLED, State.GENERATING]
    assert {unit.state for unit in session.scalars(select(Unit))} == {State.CANCELLED, State.GENERATING}


def test_cancelling_the_set_removes_held_pictures_too(session: Session, held: ImageSet) -> None:
    service.cancel(session, held.owner, held.id)
    session.expire_all()
    assert [image.state for image in held.images] == [State.FINISHED, State.CANCELLED, State.CANCELLED]


def test_only_its_owner_and_managers_answer_for_held_pictures(session: Session, make: Factory, held: ImageSet) -> None:
    for act in (
        lambda: service.retry_held(session, make.user(), held.id, 4),
        lambda: service.remove_held(session, make.user(), held.id),
    ):
        with pytest.raises(Forbidden):
            act()
    assert service.remove_held(session, make.user(Role.ADMIN), held.id) == 1


ACTS = st.lists(
    st.sampled_from(["claim", "image", "end", "fail", "lose", "crash", "stop", "restart", "cancel", "retry", "answer"]),
    max_size=25,
)


@hypothesis_settings(max_examples=20)
@given(ACTS)
def test_after_any_events_nothing_is_repeated_or_lost(migrated: Path, acts: list[str]) -> None:
    """Any events and interruptions, then a calm run: every image ends finished, failed or cancelled."""
    with fresh(migrated) as (session, make):
        user = make.user()
        image_set = make.image_set(user, prompts="a\nb\nc\nd\ne", unit_size=2)
        finished: list[int] = []
        for act in acts:
            happen(session, image_set, act, finished)
            check(session, image_set)
        queue.requeue_running(session)
        queue.retry_now(session, true())
        while unit := queue.claim_next(session):
            for image in unit.images:
                if units.finish_image(session, unit.id, image.id, "0" * 64, 1, 1.0):
                    finished.append(image.id)
            queue.end_unit(session, unit.id)
        check(session, image_set)
        ended = {State.FINISHED, State.FAILED, State.CANCELLED, State.HELD}
        assert {image.state for image in image_set.images} <= ended
        assert set(session.scalars(select(Unit.state))) <= ended
        assert len(finished) == len(set(finished))
        assert {image.id for image in image_set.images if image.state == State.FINISHED} == set(finished)


def happen(session: Session, image_set: ImageSet, act: str, finished: list[int]) -> None:
    running = session.scalars(select(Unit).where(Unit.state == State.GENERATING)).first()
    images = set(session.scalars(select(Image.state).where(Image.set_id == image_set.id)))
    if act == "claim":
        queue.retry_now(session, true())
        queue.claim_next(session)
    elif act == "restart":
        queue.requeue_running(session)
    elif act == "cancel" and images & {State.QUEUED, State.GENERATING}:
        service.cancel(session, image_set.owner, image_set.id)
    elif act == "retry" and images & {State.FAILED, State.CANCELLED}:
        service.retry_set(session, image_set.owner, image_set.id, 2)
    elif act == "answer" and State.HELD in images:
        service.retry_held(session, image_set.owner, image_set.id, 2)
    elif running and act == "image":
        image = next((image for image in running.images if image.state == State.GENERATING), running.images[0])
        if units.finish_image(session, running.id, image.id, "0" * 64, 1, 1.0):
            finished.append(image.id)
    elif running and act in ("fail", "lose"):
        queue.fail_unit(session, running.id, "It failed.", transient=act == "lose")
    elif running and act == "crash":
        queue.lose_unit(session, running.id, "The engine stopped.")
    elif running and act == "stop":
        queue.give_back(session, running.id)
    elif running and act == "end":
        queue.end_unit(session, running.id)


def check(session: Session, image_set: ImageSet) -> None:
    """A waiting or running image has such a unit too, and no unit is tried too often."""
    session.flush()
    session.expire_all()
    for image in image_set.images:
        if image.state in (State.QUEUED, State.GENERATING, State.HELD):
            assert image.unit
            assert image.unit.state == image.state
    assert all(0 <= unit.tries <= 3 for unit in session.scalars(select(Unit)))


@pytest.mark.parametrize("state", [State.FINISHED, State.FAILED, State.CANCELLED, State.HELD])
def test_ended_units_stay_unchanged(session: Session, make: Factory, state: State) -> None:
    make.image_set()
    unit = claim(session)
    unit.state = state
    queue.give_back(session, unit.id)
    queue.fail_unit(session, unit.id, "late", transient=True)
    queue.lose_unit(session, unit.id, "late")
    queue.end_unit(session, unit.id)
    assert (unit.state, unit.tries, unit.error) == (state, 0, None)
