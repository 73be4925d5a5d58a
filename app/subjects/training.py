"""Training a subject, as the queue sees it: a unit of work that has a subject instead of images.

`app.sets.service` moves units of both kinds through the queue; here is what is different about these.
"""

from sqlalchemy import select, update
from sqlalchemy.orm import Session, selectinload

from app.audit.service import record
from app.engine import events as engine
from app.errors import Conflict
from app.files import Files, Kind
from app.models import Act, State, Subject, SubjectSample, Unit, now


def queue(session: Session, subject: Subject) -> None:
    """Let the subject be trained when its turn comes."""
    subject.state, subject.error = State.QUEUED, None
    session.flush()
    session.add(Unit(subject_id=subject.id, owner_id=subject.owner_id))
    session.flush()


def engine_training(session: Session, unit: Unit, files: Files, model: str | None = None) -> engine.Training:
    """A claimed unit as an engine takes it. Raises Conflict when the server now runs another model than `model`."""
    subject = session.scalars(
        select(Subject).where(Subject.id == unit.subject_id).options(selectinload(Subject.pictures))
    ).one()
    if model not in (None, subject.model):
        raise Conflict(
            f"This subject was to be learnt by {subject.model}, but the server now runs {model}. Make a new subject."
        )
    return engine.Training(
        id=unit.id,
        subject_id=subject.id,
        pictures=tuple(files.path(Kind.SUBJECTS, picture.sha256) for picture in subject.pictures),
        phrase=subject.phrase,
        class_words=subject.class_words,
        steps=subject.steps,
        rank=subject.settings["rank"],
        rate=subject.settings["rate"],
        text_encoders=subject.settings["text_encoders"],
    )


def move(session: Session, subject_id: int, before: State, after: State, error: str | None = None) -> None:
    """The subject goes with its unit from one state to the next."""
    session.execute(
        update(Subject).where(Subject.id == subject_id, Subject.state == before).values(state=after, error=error)
    )


def unfinished(session: Session, subject_id: int) -> bool:
    """Whether the subject is still being trained."""
    return session.scalar(select(Subject.state).where(Subject.id == subject_id)) == State.GENERATING


def add_sample(session: Session, unit_id: int, step: int, sha256: str) -> None:
    """Note a sample that is kept. After a cancel, nothing happens."""
    subject = _trained_by(session, unit_id)
    if subject is None:
        return
    # A training that went on from an earlier state draws some samples again.
    known = select(SubjectSample.id).where(
        SubjectSample.subject_id == subject.id, SubjectSample.step == step, SubjectSample.sha256 == sha256
    )
    if session.scalar(known) is None:
        session.add(SubjectSample(subject_id=subject.id, step=step, sha256=sha256))
    subject.step = step


def finish(session: Session, unit_id: int, sha256: str, size: int) -> Subject | None:
    """Note that a subject's LoRA of `size` bytes is kept. None when it was cancelled or finished before."""
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
