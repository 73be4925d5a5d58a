"""A training in the queue: claimed, finished, failed, interrupted, like any unit."""

from dataclasses import replace

import pytest
from sqlalchemy import select, true
from sqlalchemy.orm import Session

from app.errors import Conflict
from app.files import Files, Kind
from app.models import Act, AuditEvent, State, Subject, SubjectSample, Unit
from app.rights import service as rights
from app.rights.spec import Reason
from app.sets import queries as sets_queries
from app.sets.units import QueuedSet
from app.subjects import service, training
from app.subjects.training import TrainingRow
from app.work import line, queue
from tests.factory import MODEL, Factory


def claim(session: Session) -> Unit:
    queue.retry_now(session, true())
    unit = queue.claim_next(session)
    assert unit
    return unit


def state_of(session: Session, subject: Subject) -> tuple[State, str | None]:
    session.refresh(subject)
    return State(subject.state), subject.error


def test_a_claimed_training_is_what_an_engine_needs(session: Session, make: Factory, files: Files) -> None:
    subject = make.subject(steps=9, rank=4, rate=0.001, text_encoders=True)
    unit = claim(session)
    assert state_of(session, subject) == (State.GENERATING, None)
    given = training.engine_training(session, unit, files, MODEL)
    assert (given.id, given.subject_id, given.phrase, given.class_words) == (unit.id, subject.id, "sks mug", "mug")
    assert (given.steps, given.rank, given.rate, given.text_encoders) == (9, 4, 0.001, True)
    assert given.pictures == tuple(files.path(Kind.SUBJECTS, picture.sha256) for picture in subject.pictures)
    with pytest.raises(Conflict, match="was created for demo, but the server now runs sdxl"):
        training.engine_training(session, unit, files, replace(MODEL, name="sdxl"))


def test_a_training_whose_rights_ended_in_the_queue_is_not_begun(session: Session, make: Factory, files: Files) -> None:
    subject = make.subject()
    reference = make.reference(data=files.read(Kind.SUBJECTS, subject.pictures[0].sha256))
    subject.pictures[0].sha256 = reference.sha256
    unit = claim(session)
    rights.withdraw(session, reference.uploaded_by, reference, Reason(reason="The photographer asked for it"))
    with pytest.raises(Conflict, match="were withdrawn"):
        training.engine_training(session, unit, files, MODEL)


def test_trainings_and_sets_take_turns(session: Session, make: Factory) -> None:
    """Two people share one slot, with any requests."""
    one, other = make.user(), make.user()
    make.subject(one, name="a")
    make.subject(one, name="b")
    make.image_set(other, prompts="a\nb", unit_size=1)
    served = []
    while unit := queue.claim_next(session):
        served.append(unit.owner_id)
        unit.state = State.FINISHED
        session.flush()
    assert served == [one.id, other.id, one.id, other.id]


def test_finish(session: Session, make: Factory) -> None:
    subject = make.subject(steps=6)
    unit = claim(session)
    training.add_sample(session, unit.id, 3, "a" * 64)
    training.add_sample(session, unit.id, 3, "a" * 64)
    assert subject.step == 3
    assert training.finish(session, unit.id, "b" * 64, 1234)
    assert queue.end_unit(session, unit.id).state == State.FINISHED
    assert state_of(session, subject) == (State.FINISHED, None)
    assert (subject.sha256, subject.bytes, subject.step) == ("b" * 64, 1234, 6)
    assert subject.finished_at
    assert len(session.scalars(select(SubjectSample)).all()) == 1, "the same sample again is one"
    assert session.scalars(select(AuditEvent).where(AuditEvent.act == Act.SUBJECT_FINISH)).one()
    assert training.finish(session, unit.id, "c" * 64, 1) is None
    assert subject.sha256 == "b" * 64


def test_an_end_without_a_file_is_a_failure(session: Session, make: Factory) -> None:
    subject = make.subject()
    assert queue.end_unit(session, claim(session).id).state == State.QUEUED
    assert state_of(session, subject)[0] == State.QUEUED


def test_tried_three_times_at_most(session: Session, make: Factory) -> None:
    subject = make.subject()
    for _ in range(3):
        assert state_of(session, subject) == (State.QUEUED, None)
        queue.fail_unit(session, claim(session).id, "The worker was lost.", transient=True)
    assert state_of(session, subject) == (State.FAILED, "The worker was lost.")
    assert queue.claim_next(session) is None


def test_neither_a_shutdown_nor_a_kill_of_the_server_counts_as_a_try(session: Session, make: Factory) -> None:
    subject = make.subject()
    unit = claim(session)
    queue.give_back(session, unit.id)
    assert (unit.tries, state_of(session, subject)[0]) == (0, State.QUEUED)
    claim(session)
    assert len(queue.requeue_running(session)) == 1
    assert (unit.tries, state_of(session, subject)[0]) == (0, State.QUEUED)


def test_a_training_at_which_the_engine_dies_three_times_is_held(session: Session, make: Factory) -> None:
    subject = make.subject()
    for _ in range(3):
        queue.lose_unit(session, claim(session).id, "The engine stopped.")
    assert state_of(session, subject)[0] == State.HELD
    assert queue.claim_next(session) is None
    service.retry(session, subject.owner, subject.id)
    assert state_of(session, subject) == (State.QUEUED, None)
    for _ in range(3):
        queue.lose_unit(session, claim(session).id, "The engine stopped.")
    service.cancel(session, subject.owner, subject.id)
    session.flush()
    assert state_of(session, subject) == (State.CANCELLED, None)
    assert set(session.scalars(select(Unit.state))) == {State.CANCELLED}


def test_a_crash_between_the_file_and_the_end_loses_nothing(session: Session, make: Factory) -> None:
    subject = make.subject()
    unit = claim(session)
    training.finish(session, unit.id, "b" * 64, 1)
    queue.requeue_running(session)
    assert unit.state == State.FINISHED
    assert state_of(session, subject)[0] == State.FINISHED


def test_events_after_a_cancel_change_nothing(session: Session, make: Factory) -> None:
    subject = make.subject()
    unit = claim(session)
    service.cancel(session, subject.owner, subject.id)
    session.flush()
    training.add_sample(session, unit.id, 3, "a" * 64)
    assert training.finish(session, unit.id, "b" * 64, 1) is None
    queue.fail_unit(session, unit.id, "late", transient=True)
    assert state_of(session, subject) == (State.CANCELLED, None)
    assert (subject.sha256, subject.step) == (None, 0)


def test_the_queue_shows_trainings_and_sets(session: Session, make: Factory) -> None:
    user = make.user()
    subject = make.subject(user, name="mug")
    image_set = make.image_set(user)
    claim(session)
    first, second = line.listed(session, user)
    assert isinstance(first, TrainingRow)
    assert isinstance(second, QueuedSet)
    assert (first.topic.id, first.handle, first.state, first.line) == (subject.id, "mug", State.GENERATING, None)
    assert (second.topic.id, second.line) == (image_set.id, 1)
    assert line.place(session, sets_queries.topic(image_set.id)) == 1
    assert line.place(session, training.topic(subject.id)) == 0
