"""Subjects: made from pictures or from a LoRA file, and used in sets.

Prompts name a subject by its handle, `@mug`; the model reads its phrase, "sks mug".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts import authority
from app.accounts.service import may_change as may_change
from app.accounts.service import need_active
from app.audit.service import record
from app.engine.base import Engine, ModelFacts
from app.errors import Conflict, Forbidden, Invalid
from app.files import Files, Kind, Room
from app.models import Act, State, Subject, SubjectKind, SubjectPicture, Unit, User, What, now
from app.pictures import Limits, clean_upload, png_size
from app.quotas.service import take, take_upload
from app.rights import queries as rights
from app.subjects import handles, queries, training
from app.subjects.spec import SubjectSpec
from app.text import plural, shorten
from app.work.queue import OPEN, WAITING, cancel_units

SMALLEST_SIDE = 0.5  # of the model's own side, for a training picture
ENDED = (State.FAILED, State.CANCELLED, State.HELD)  # and can be resumed
FILE_NAME_LENGTH = 255  # characters that the audit log keeps


def keep_picture(
    user: User,
    files: Files,
    data: bytes,
    model: ModelFacts,
    limits: Limits | None = None,
    room: Room | None = None,
) -> str:
    """Clean an uploaded picture of a product, store it, and return its SHA-256.

    Raises Invalid("pictures", ...), what `room` raises, and CannotSave.
    """
    need_active(user)
    try:
        picture = clean_upload(data, limits, small=True)
    except Invalid as error:
        raise Invalid("pictures", str(error)) from error
    least = int(min(model.default_size) * SMALLEST_SIDE)
    if min(picture.width, picture.height) < least:
        raise Invalid(
            "pictures",
            f"A picture is {picture.width} × {picture.height} px; for training, each side needs {least} px. Choose a"
            " larger one.",
        )
    return files.put(Kind.SUBJECTS, picture.png, picture.small, room)


def note_pictures(session: Session, user: User, sizes: Sequence[int], held: int) -> None:
    """Count pictures of these sizes in bytes, of which `held` are stored. Raises Spent and Full."""
    take(
        session,
        user,
        "pictures",
        {What.UPLOADS: len(sizes), What.UPLOAD_BYTES: sum(sizes), What.STORAGE: held},
    )


Sizes = Mapping[str, tuple[int, int]]
"""The width and height in px of stored pictures, by their SHA-256."""


def sizes(files: Files, pictures: Sequence[str]) -> Sizes:
    """The sizes of those of `pictures` that exist. Opens files, so call it before the transaction."""
    found = {}
    for sha256 in pictures:
        if files.has(Kind.SUBJECTS, sha256):
            found[sha256] = png_size(files.path(Kind.SUBJECTS, sha256))
    return found


def create_from_pictures(session: Session, user: User, kept: Sizes, spec: SubjectSpec, model: ModelFacts) -> Subject:
    """Create a subject and queue its training; `kept` comes from `sizes`. Raises Invalid and Forbidden."""
    need_active(user)
    handle = handles.handle_from(spec.name)
    wrong = spec.training_problems(len(spec.pictures), model.training)
    Invalid.check(
        {
            **wrong,
            "pictures": _pictures_error(spec, kept, wrong["pictures"])
            or rights.pictures_refusal(session, spec.pictures),
            "name": _handle_error(session, handle, spec.name),
        }
    )
    subject = Subject(
        handle=handle,
        name=spec.name,
        kind=SubjectKind.TRAINED,
        class_words=spec.class_words,
        phrase=f"{_free_word(session, model)} {spec.class_words}",
        model=model.name,
        owner_id=user.id,
        settings=spec.model_dump(include={"rank", "rate", "text_encoders"}),
        steps=spec.steps,
    )
    for position, sha256 in enumerate(spec.pictures, start=1):
        width, height = kept[sha256]
        subject.pictures.append(SubjectPicture(position=position, sha256=sha256, width=width, height=height))
    session.add(subject)
    take(session, user, "pictures", {What.TRAININGS: 1})
    record(session, user, Act.SUBJECT_CREATE, subject, handle=handle, pictures=len(spec.pictures))
    training.enqueue(session, subject)
    return subject


@dataclass(frozen=True)
class KeptLora:
    """A LoRA that was checked and stored, but which has no row yet."""

    sha256: str
    bytes: int
    file_name: str
    phrase: str  # the file's trigger phrase; "" if it has none
    model: str  # the model that it fits


def need_free_name(session: Session, user: User, spec: SubjectSpec) -> str:
    """The handle of a new subject. Raises Invalid and Forbidden."""
    need_active(user)
    handle = handles.handle_from(spec.name)
    Invalid.check({"name": _handle_error(session, handle, spec.name)})
    return handle


def keep_lora(
    user: User, files: Files, data: bytes, file_name: str, engine: Engine, room: Room | None = None
) -> KeptLora:
    """Check that a LoRA fits the engine's model, and store its file. Slow, so call it before the transaction.

    Raises Invalid("file", ...), Forbidden, what `room` raises, and CannotSave.
    """
    need_active(user)
    phrase = engine.lora_phrase(data, file_name)
    return KeptLora(
        files.put_lora(data, room), len(data), shorten(file_name, FILE_NAME_LENGTH), phrase, engine.model.name
    )


def create_from_file(session: Session, user: User, spec: SubjectSpec, lora: KeptLora) -> Subject:
    """Create a subject from a stored LoRA, ready immediately. Raises Invalid and Forbidden."""
    handle = need_free_name(session, user, spec)
    subject = Subject(
        handle=handle,
        name=spec.name,
        kind=SubjectKind.FILE,
        class_words=spec.class_words,
        phrase=spec.phrase or lora.phrase,
        model=lora.model,
        owner_id=user.id,
        state=State.FINISHED,
        sha256=lora.sha256,
        bytes=lora.bytes,
        finished_at=now(),
    )
    session.add(subject)
    take_upload(session, user, "file", lora.bytes, lora.bytes)
    record(session, user, Act.SUBJECT_CREATE, subject, handle=handle, file=lora.file_name)
    return subject


def cancel(session: Session, user: User, subject_id: int) -> None:
    """Cancel a training. Raises Conflict if there is none."""
    subject = _changeable(session, user, subject_id)
    if subject.state not in OPEN:
        raise Conflict("There is nothing to cancel: this subject is not training.")
    cancel_units(session, Unit.subject_id == subject_id)
    subject.state, subject.error = State.CANCELLED, None
    record(session, user, Act.SUBJECT_CANCEL, subject)


def retry(session: Session, user: User, subject_id: int) -> Subject:
    """Retry a failed, cancelled or held training; it resumes where it stopped. Raises Conflict."""
    subject = _changeable(session, user, subject_id)
    if subject.state not in ENDED:
        raise Conflict("Only a failed, cancelled or held training can be resumed.")
    cancel_units(session, Unit.subject_id == subject_id)
    training.enqueue(session, subject)
    record(session, user, Act.SUBJECT_RETRY, subject)
    return subject


def note_download(session: Session, user: User, subject: Subject) -> None:
    """Record that `user` downloads what was trained: its owner, or a manager. Raises Forbidden."""
    if not may_change(user, subject):
        raise Forbidden(f"Only {subject.owner.name} or a manager can download the file of this subject.")
    record(session, user, Act.LORA_DOWNLOAD, subject, sha256=subject.sha256, bytes=subject.bytes)


def archive(session: Session, user: User, subject_id: int) -> Subject:
    """Hide the subject from new sets; existing sets keep it. Raises Conflict while it is trained."""
    subject = _changeable(session, user, subject_id)
    if subject.state in WAITING:
        raise Conflict("This subject is training. Cancel the training first.")
    if subject.archived_at is None or authority.outweighs(user.role, subject.archived_as):
        subject.archived_as = user.role
    subject.archived_at = subject.archived_at or now()
    record(session, user, Act.SUBJECT_ARCHIVE, subject)
    return subject


def unarchive(session: Session, user: User, subject_id: int) -> Subject:
    """Offer the subject to new sets again."""
    subject = _changeable(session, user, subject_id)
    authority.need_power(user, subject.archived_as, f"archived @{subject.handle}", "restore it")
    subject.archived_at = subject.archived_as = None
    record(session, user, Act.SUBJECT_ARCHIVE, subject, archived=False)
    return subject


def _changeable(session: Session, user: User, subject_id: int) -> Subject:
    subject = queries.get(session, user, subject_id)
    if not may_change(user, subject):
        raise Forbidden(f"Only {subject.owner.name} or a manager can edit this subject.")
    return subject


def _pictures_error(spec: SubjectSpec, kept: Sizes, wrong_number: str | None) -> str | None:
    twice = len(spec.pictures) - len(set(spec.pictures))
    if twice:
        added = plural(twice, "picture was", "pictures were")
        return f"{added} added twice. Each picture should show the thing differently."
    if wrong_number:
        return wrong_number
    if not all(sha256 in kept for sha256 in spec.pictures):
        return "A picture is no longer there; upload the pictures again."
    return None


def _handle_error(session: Session, handle: str, name: str) -> str | None:
    if not handle:
        return f"{name[:40]!r} gives no handle. Use at least one letter a to z or digit."
    if queries.by_handle(session, [handle]):
        return f"There is already a subject @{handle}. Choose another name."
    return None


def _free_word(session: Session, model: ModelFacts) -> str:
    """A meaningless word that no other subject of this model uses; the first, if all are taken."""
    phrases = session.scalars(select(Subject.phrase).where(Subject.model == model.name))
    taken = {phrase.partition(" ")[0] for phrase in phrases}
    words = model.training.words
    return next((word for word in words if word not in taken), words[0])
