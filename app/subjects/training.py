"""Train subjects: a kind of work of `app.work`, whose units have a subject instead of images."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import SQLColumnExpression, select, update
from sqlalchemy.orm import Session, selectinload

from app.accounts.queries import signed_in
from app.audit.service import record
from app.engine import events as engine
from app.engine.base import ModelFacts
from app.errors import Conflict
from app.files import Files, Kind
from app.languages import gettext as _
from app.models import Act, State, Subject, SubjectPicture, SubjectSample, Unit, User, now
from app.rights import queries as rights
from app.work.kinds import Row, WorkKind, Write
from app.work.order import pause_of
from app.work.queue import add_units
from app.work.topics import Topic


def topic(subject_id: int) -> Topic:
    """The topic that a subject's pages watch, and that the queue lists."""
    return Topic("subject", subject_id)


@dataclass(kw_only=True)
class TrainingRow(Row):
    """A subject whose training runs or waits."""

    handle: str
    state: State
    step: int
    steps: int
    has_picture: bool
    class_pictures: tuple[int, int] = (0, 0)  # before its first step: how many are drawn, of how many

    @property
    def runs(self) -> bool:
        return self.state == State.GENERATING


class Trainings(WorkKind):
    """The training of a subject."""

    noun = topic(0).noun
    resumable = True

    @property
    def column(self) -> SQLColumnExpression[int | None]:
        return Unit.subject_id

    def row_id(self, unit: Unit) -> int | None:
        return unit.subject_id

    def for_engine(
        self, session: Session, unit: Unit, files: Files, model: ModelFacts | None = None
    ) -> engine.Training:
        return engine_training(session, unit, files, model)

    def keep(self, event: engine.Event, files: Files) -> Write:
        match event:
            case engine.Sample(unit_id, step, png):
                sha256 = files.put(Kind.SUBJECTS, png)
                return lambda session: add_sample(session, unit_id, step, sha256)
            case engine.Trained(unit_id, safetensors):
                sha256 = files.put_lora(safetensors)
                return lambda session: finish(session, unit_id, sha256, len(safetensors))
        raise TypeError(f"nothing of a training comes with {type(event).__name__}")

    def moved(self, session: Session, unit: Unit, before: State, after: State, error: str | None) -> None:
        of_unit = Subject.id == unit.subject_id, Subject.state == before
        session.execute(update(Subject).where(*of_unit).values(state=after, error=error))

    def unfinished(self, session: Session, unit: Unit) -> bool:
        state = select(Subject.state).where(Subject.id == unit.subject_id)
        return session.scalar(state) == State.GENERATING

    def record_failure(self, session: Session, unit: Unit, message: str) -> None:
        record(session, None, Act.SUBJECT_FAIL, session.get_one(Subject, unit.subject_id), error=message)

    def record_hold(self, session: Session, unit: Unit) -> None:
        record(session, None, Act.SUBJECT_HOLD, session.get_one(Subject, unit.subject_id), crashes=unit.crashes)

    def rows(self, session: Session, user: User, ids: Collection[int]) -> Mapping[int, Row]:
        return training_rows(session, user, ids)


def training_rows(session: Session, user: User, ids: Collection[int]) -> dict[int, TrainingRow]:
    """Subjects as the home page lists running or waiting work."""
    pictured = select(SubjectPicture.position).where(SubjectPicture.subject_id == Subject.id).exists()
    found = session.execute(
        select(
            Subject.id,
            Subject.handle,
            User.name,
            Subject.state,
            Subject.step,
            Subject.steps,
            pictured.label("has_picture"),
        )
        .join(User, User.id == Subject.owner_id)
        .where(Subject.id.in_(ids), signed_in(user))
    )
    return {
        id: TrainingRow(
            topic=topic(id), owner=owner, handle=handle, state=state, step=step, steps=steps, has_picture=has_picture
        )
        for id, handle, owner, state, step, steps, has_picture in found
    }


def enqueue(session: Session, subject: Subject) -> None:
    """Queue the training of a subject."""
    subject.state, subject.error = State.QUEUED, None
    session.flush()
    pause = pause_of(session, topic(subject.id))
    add_units(session, [{"subject_id": subject.id, "owner_id": subject.owner_id, **pause}])


def engine_training(session: Session, unit: Unit, files: Files, model: ModelFacts | None = None) -> engine.Training:
    """Prepare a claimed unit for an engine.

    Raises Conflict if the server now runs another model than `model`, or if the rights to one of the pictures, or the
    consent of the person whom the subject shows, ended after it was queued.
    """
    subject = session.scalars(
        select(Subject).where(Subject.id == unit.subject_id).options(selectinload(Subject.pictures))
    ).one()
    if model and model.name != subject.model:
        raise Conflict(
            _(
                "This subject was created for %(model)s, but the server now runs %(name)s. Create a new subject.",
                model=subject.model,
                name=model.name,
            )
        )
    hashes = [picture.sha256 for picture in subject.pictures]
    if why := rights.pictures_refusal(session, hashes) or rights.subjects_refusal(session, [subject.id]):
        raise Conflict(why)
    return engine.Training(
        id=unit.id,
        subject_id=subject.id,
        pictures=tuple(
            files.whole(Kind.SUBJECTS, picture.sha256, f"picture {picture.position} of @{subject.handle}")
            for picture in subject.pictures
        ),
        phrase=subject.phrase,
        class_words=subject.class_words,
        steps=subject.steps,
        rank=subject.settings["rank"],
        rate=subject.settings["rate"],
        text_encoders=subject.settings["text_encoders"],
    )


def add_sample(session: Session, unit_id: int, step: int, sha256: str) -> None:
    """Note a stored sample. Does nothing after a cancel."""
    subject = _trained_by(session, unit_id)
    if subject is None:
        return
    # A training resumed from an earlier state draws some samples again.
    known = select(SubjectSample.id).where(
        SubjectSample.subject_id == subject.id, SubjectSample.step == step, SubjectSample.sha256 == sha256
    )
    if session.scalar(known) is None:
        session.add(SubjectSample(subject_id=subject.id, step=step, sha256=sha256))
    subject.step = step


def finish(session: Session, unit_id: int, sha256: str, size: int) -> Subject | None:
    """Note that a subject's LoRA of `size` bytes is stored. None if it was cancelled or finished before."""
    subject = _trained_by(session, unit_id)
    if subject is None:
        return None
    subject.state, subject.error, subject.step = State.FINISHED, None, subject.steps
    subject.sha256, subject.bytes, subject.finished_at = sha256, size, now()
    record(session, None, Act.SUBJECT_FINISH, subject)
    return subject


def _trained_by(session: Session, unit_id: int) -> Subject | None:
    return session.scalar(
        select(Subject)
        .join(Unit, Unit.subject_id == Subject.id)
        .where(Unit.id == unit_id, Unit.state == State.GENERATING, Subject.state == State.GENERATING)
        .execution_options(populate_existing=True)
    )
