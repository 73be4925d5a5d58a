"""Subjects: made from pictures or from a LoRA file, and used in sets.

Prompts name a subject by its handle, `@mug`; the model reads its phrase, "sks mug".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import grounds, undo
from app.accounts import authority
from app.accounts.service import may_change as may_change
from app.accounts.service import need_active
from app.audit.service import record
from app.blocked import queries as blocked
from app.engine.base import Engine, ModelFacts
from app.errors import Conflict, Forbidden, Invalid
from app.files import Files, Kind, Room
from app.grounds import GroundNeeded, TransparentPicture
from app.languages import gettext as _
from app.languages import ngettext
from app.models import Act, State, Subject, SubjectKind, SubjectPicture, Unit, User, What, now
from app.pictures import CleanPicture, Limits, png_size
from app.prompts.handles import handle_from
from app.quotas.service import take, take_upload
from app.rights import queries as rights
from app.subjects import queries, training
from app.subjects.spec import SubjectSpec
from app.text import shorten
from app.undo import Undone, changed_since
from app.work.queue import OPEN, WAITING, cancel_units, retry_now

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
    *,
    name: str = "",
    ground: str = "",
) -> str:
    """Clean an uploaded picture of a product, store it, and return its SHA-256.

    Raises Invalid("pictures", ...), GroundNeeded for a transparent one without a `ground`, what `room` raises, and
    CannotSave.
    """
    need_active(user)
    try:
        picture = grounds.opaque(files, data, name, ground=ground, limits=limits, room=room)
    except GroundNeeded as error:
        raise GroundNeeded(error.waiting, "pictures") from error
    except Invalid as error:
        raise Invalid("pictures", str(error)) from error
    return _stored(files, picture, model, room)


def answer_ground(
    user: User, files: Files, waiting: TransparentPicture, ground: str, model: ModelFacts, room: Room | None = None
) -> str:
    """Store a transparent picture on the ground that its uploader chose. Raises as `keep_picture`."""
    need_active(user)
    try:
        picture = grounds.answered(files, waiting, ground)
    except GroundNeeded as error:
        raise GroundNeeded(error.waiting, "pictures") from error
    except Invalid as error:
        raise Invalid("pictures", str(error)) from error
    return _stored(files, picture, model, room)


def _stored(files: Files, picture: CleanPicture, model: ModelFacts, room: Room | None) -> str:
    """Store a picture for training, if it is large enough."""
    least = int(min(model.default_size) * SMALLEST_SIDE)
    if min(picture.width, picture.height) < least:
        raise Invalid(
            "pictures",
            _(
                "A picture is %(width)s × %(height)s px; for training, each side needs %(least)s px. "
                "Choose a larger one.",
                width=picture.width,
                height=picture.height,
                least=least,
            ),
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
    handle = handle_from(spec.name)
    wrong = spec.training_problems(len(spec.pictures), model.training)
    Invalid.check(
        {
            **wrong,
            "pictures": _pictures_error(spec, kept, wrong["pictures"])
            or rights.pictures_refusal(session, spec.pictures, user),
            "name": _handle_error(session, handle, spec.name),
            "class_words": wrong["class_words"] or blocked.problem(session, user, [spec.class_words]),
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
    handle = handle_from(spec.name)
    phrase = blocked.problem(session, user, [spec.phrase])
    Invalid.check({"name": _handle_error(session, handle, spec.name), "phrase": phrase})
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


def create_from_file(
    session: Session, user: User, spec: SubjectSpec, lora: KeptLora, *, counted: bool = False
) -> Subject:
    """Create a subject from a stored LoRA, ready immediately; `counted`: its upload was, when it was kept for later.

    Raises Invalid, Forbidden, Spent and Full.
    """
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
    if counted:
        take(session, user, "file", {What.STORAGE: lora.bytes})
    else:
        take_upload(session, user, "file", lora.bytes, lora.bytes)
    record(session, user, Act.SUBJECT_CREATE, subject, handle=handle, file=lora.file_name)
    return subject


def cancel(session: Session, user: User, subject_id: int) -> None:
    """Cancel a training. Raises Conflict if there is none."""
    subject = _changeable(session, user, subject_id)
    if subject.state not in OPEN:
        raise Conflict(_("There is nothing to cancel: this subject is not training."))
    cancel_units(session, Unit.subject_id == subject_id)
    subject.state, subject.error = State.CANCELLED, None
    record(session, user, Act.SUBJECT_CANCEL, subject)


def retry(session: Session, user: User, subject_id: int) -> Subject:
    """Retry a failed, cancelled or held training; it resumes where it stopped. Raises Conflict, also without rights.

    One that waits for its next try after a failure is tried now.
    """
    subject = _changeable(session, user, subject_id)
    if not (subject.state == State.QUEUED and retry_now(session, Unit.subject_id == subject_id)):
        if subject.state not in ENDED:
            raise Conflict(_("Only a failed, cancelled or held training can be resumed."))
        if why := rights.pictures_refusal(session, [each.sha256 for each in subject.pictures], user):
            raise Conflict(why)
        cancel_units(session, Unit.subject_id == subject_id)
        training.enqueue(session, subject)
    record(session, user, Act.SUBJECT_RETRY, subject)
    return subject


def note_download(session: Session, user: User, subject: Subject) -> None:
    """Record that `user` downloads what was trained: its owner, or a manager. Raises Forbidden."""
    if not may_change(user, subject):
        raise Forbidden(_("Only %(name)s or a manager can download the file of this subject.", name=subject.owner.name))
    record(session, user, Act.LORA_DOWNLOAD, subject, sha256=subject.sha256, bytes=subject.bytes)


def archive(session: Session, user: User, subject_id: int) -> Subject:
    """Hide the subject from new sets; existing sets keep it. Raises Conflict while it is trained."""
    subject = _changeable(session, user, subject_id)
    if subject.state in WAITING:
        raise Conflict(_("The training of this subject is not finished. Cancel it first."))
    before = authority.archived(subject)
    if subject.archived_at is None or authority.outweighs(user.role, subject.archived_as):
        subject.archived_as = user.role
    subject.archived_at = subject.archived_at or now()
    record(session, user, Act.SUBJECT_ARCHIVE, subject)
    undo.offer(session, user, "subject", subject_id=subject.id, before=before, after=authority.archived(subject))
    return subject


def unarchive(session: Session, user: User, subject_id: int) -> Subject:
    """Offer the subject to new sets again."""
    subject = _changeable(session, user, subject_id)
    authority.need_power(user, subject.archived_as, _("archived %(name)s", name=f"@{subject.handle}"), _("restore it"))
    before = authority.archived(subject)
    subject.archived_at = subject.archived_as = None
    record(session, user, Act.SUBJECT_ARCHIVE, subject, archived=False)
    undo.offer(session, user, "subject", subject_id=subject.id, before=before, after=None)
    return subject


def undo_archive(
    session: Session, user: User, subject_id: int, before: list[str] | None, after: list[str] | None
) -> Undone:
    """Archive or restore a subject as it was. Raises Forbidden, and Conflict if that was changed since."""
    subject = _changeable(session, user, subject_id)
    if authority.archived(subject) != after:
        raise changed_since(session, user, subject, f"@{subject.handle}")
    authority.archive_as(subject, before)
    record(session, user, Act.SUBJECT_ARCHIVE, subject, archived=bool(before))
    return Undone(
        _("@%(handle)s is archived again.", handle=subject.handle)
        if before
        else _("@%(handle)s is no longer archived.", handle=subject.handle)
    )


def _changeable(session: Session, user: User, subject_id: int) -> Subject:
    subject = queries.get(session, user, subject_id)
    if not may_change(user, subject):
        raise Forbidden(_("Only %(name)s or a manager can edit this subject.", name=subject.owner.name))
    if subject.deleted_at:
        raise Conflict(_("@%(handle)s is in the bin. Restore it first.", handle=subject.handle))
    return subject


def _pictures_error(spec: SubjectSpec, kept: Sizes, wrong_number: str | None) -> str | None:
    twice = len(spec.pictures) - len(set(spec.pictures))
    if twice:
        return ngettext(
            "%(number)s picture was added twice. Each picture should show the thing differently.",
            "%(number)s pictures were added twice. Each picture should show the thing differently.",
            twice,
        )
    if wrong_number:
        return wrong_number
    if not all(sha256 in kept for sha256 in spec.pictures):
        return _("A picture is no longer there; upload the pictures again.")
    return None


def _handle_error(session: Session, handle: str, name: str) -> str | None:
    if not handle:
        return _(
            "%(name)s gives no handle. Use at least one letter a to z, digit, kana or kanji.", name=repr(name[:40])
        )
    known = queries.by_handle(session, [handle]).get(handle)
    if known and known.deleted_at:
        return _(
            "@%(handle)s is the handle of a deleted subject, which older prompts name. Choose another name.",
            handle=handle,
        )
    if known:
        return _("There is already a subject @%(handle)s. Choose another name.", handle=handle)
    return None


def _free_word(session: Session, model: ModelFacts) -> str:
    """A meaningless word that no other subject of this model uses; the first, if all are taken."""
    phrases = session.scalars(select(Subject.phrase).where(Subject.model == model.name))
    taken = {phrase.partition(" ")[0] for phrase in phrases}
    words = model.training.words
    return next((word for word in words if word not in taken), words[0])
