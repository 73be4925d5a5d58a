"""Subjects as people request them: made, refused, cancelled, resumed, and used in sets."""

from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.engine.base import TrainingFacts
from app.errors import Conflict, Forbidden, Invalid
from app.files import Files, Kind
from app.models import Act, AuditEvent, Role, SetSubject, State, Subject, SubjectKind, Unit
from app.sets import units
from app.subjects import service
from app.subjects.spec import SubjectSpec
from app.work import queue
from tests.engine.painter import Painter
from tests.factory import MODEL, Factory, png
from tests.noted import stopped


def acts(session: Session) -> list[Act]:
    return [Act(act) for act in session.scalars(select(AuditEvent.act).order_by(AuditEvent.id))]


@pytest.fixture
def engine() -> Painter:
    return Painter()


# From pictures


def test_create_from_pictures(session: Session, make: Factory, files: Files) -> None:
    subject = make.subject(name="Blue Mug", class_words="mug", steps=40, rank=8)
    assert (subject.handle, subject.phrase, subject.kind) == ("blue-mug", "sks mug", SubjectKind.TRAINED)
    assert (subject.state, subject.steps, subject.model) == (State.QUEUED, 40, "demo")
    assert subject.settings == {"rank": 8, "rate": TrainingFacts().rate, "text_encoders": False}
    assert [picture.position for picture in subject.pictures] == [1, 2, 3]
    assert all(files.path(Kind.SUBJECTS, picture.sha256).is_file() for picture in subject.pictures)
    unit = session.scalars(select(Unit)).one()
    assert (unit.subject_id, unit.set_id, unit.owner_id) == (subject.id, None, subject.owner_id)
    assert Act.SUBJECT_CREATE in acts(session)


@pytest.mark.parametrize(
    ("count", "sentence"),
    [
        (2, "Training needs 3 to 20 pictures; 2 pictures were given."),
        (1, "Training needs 3 to 20 pictures; 1 picture was given."),
        (21, "Training needs 3 to 20 pictures; 21 pictures were given."),
    ],
)
def test_too_few_or_too_many_pictures_422(session: Session, make: Factory, count: int, sentence: str) -> None:
    with pytest.raises(Invalid) as refused:
        make.subject(pictures=tuple(make.subject_draft(count).pictures))
    assert refused.value.errors == {"pictures": sentence}
    assert not session.scalars(select(Subject)).all()


def test_the_same_picture_twice_422(session: Session, make: Factory) -> None:
    kept = make.subject_draft(3).pictures
    with pytest.raises(Invalid, match=r"1 picture was added twice. Each picture should show the thing differently\."):
        make.subject(pictures=(*kept, kept[0]))


@pytest.mark.parametrize("name", ["f" * 64, "../../../etc/passwd", "short"])
def test_a_picture_that_is_not_there_422(session: Session, make: Factory, name: str) -> None:
    with pytest.raises(Invalid, match="no longer there"):
        make.subject(pictures=(*make.subject_draft(2).pictures, name))


@pytest.mark.parametrize(
    ("fields", "field", "sentence"),
    [
        ({"class_words": ""}, "class_words", "Enter the kind of thing"),
        ({"name": "🦊"}, "name", "gives no handle"),
        ({"name": "   "}, "name", "Name is missing"),
        ({"steps": 0}, "steps", "Steps must be a whole number from 1 to 10000"),
        ({"rank": 500}, "rank", "Rank must be a whole number from 1 to 128"),
        ({"rate": 1}, "rate", "Rate must be a number from 1e-06 to 0.01"),
    ],
)
def test_a_wrong_field_422(
    session: Session, make: Factory, fields: dict[str, object], field: str, sentence: str
) -> None:
    with pytest.raises(Invalid) as refused:
        make.subject(**fields)
    assert refused.value.errors[field].startswith(sentence) or sentence in refused.value.errors[field]


def test_two_subjects_never_share_a_handle_or_a_word(session: Session, make: Factory) -> None:
    assert make.subject(name="Mug").phrase == "sks mug"
    with pytest.raises(Invalid, match="already a subject @mug"):
        make.subject(name="ＭＵＧ!")
    assert make.subject(name="マグカップ").handle == "マグカップ"
    with pytest.raises(Invalid, match="already a subject @マグカップ"):
        make.subject(name="ﾏｸﾞｶｯﾌﾟ")
    model_words = MODEL.training.words
    second = make.subject(name="Kettle", class_words="kettle")
    assert second.phrase.split()[0] in model_words


def test_keep_picture(make: Factory, files: Files) -> None:
    user = make.user()
    sha256 = service.keep_picture(user, files, png(size=(300, 200)), MODEL)
    assert files.has(Kind.SUBJECTS, sha256)
    assert service.keep_picture(user, files, png(size=(300, 200)), MODEL) == sha256
    with pytest.raises(Invalid, match="100 × 100 px; for training, each side needs 128 px"):
        service.keep_picture(user, files, png(size=(100, 100)), MODEL)
    with pytest.raises(Invalid, match="not a supported picture") as refused:
        service.keep_picture(user, files, b"nothing of the kind", MODEL)
    assert refused.value.field == "pictures"


def test_a_closed_account_makes_none_403(session: Session, make: Factory, files: Files) -> None:
    closed = make.user(active=False)
    with pytest.raises(Forbidden):
        service.create_from_pictures(session, closed, {}, make.subject_draft(), MODEL)
    with pytest.raises(Forbidden):
        service.keep_picture(closed, files, png(size=(300, 200)), MODEL)


# From a file


def test_create_from_a_lora_file(session: Session, make: Factory, files: Files, engine: Painter) -> None:
    draft = SubjectSpec.from_form({"name": "Glow"}, TrainingFacts())
    user = make.user()
    kept = service.keep_lora(user, files, b"lora sks lamp", "g.safetensors", engine)
    subject = service.create_from_file(session, user, draft, kept)
    session.flush()
    assert (subject.state, subject.kind, subject.phrase) == (State.FINISHED, SubjectKind.FILE, "sks lamp")
    assert subject.sha256
    assert files.lora(subject.sha256).read_bytes() == b"lora sks lamp"
    assert not session.scalars(select(Unit)).all(), "no training is queued"


def test_a_file_that_does_not_fit_422(session: Session, make: Factory, files: Files, engine: Painter) -> None:
    with pytest.raises(Invalid, match="damaged or not a safetensors") as refused:
        service.keep_lora(make.user(), files, b"junk", "g.safetensors", engine)
    assert refused.value.field == "file"
    assert not files.root.exists()


# Acts on a subject


def test_cancel_and_resume(session: Session, make: Factory) -> None:
    subject = make.subject()
    service.cancel(session, subject.owner, subject.id)
    assert stopped(session) == []
    assert subject.state == State.CANCELLED
    assert session.scalars(select(Unit.state)).all() == [State.CANCELLED]
    with pytest.raises(Conflict, match="nothing to cancel"):
        service.cancel(session, subject.owner, subject.id)
    service.retry(session, subject.owner, subject.id)
    assert subject.state == State.QUEUED
    with pytest.raises(Conflict, match="failed, cancelled or held"):
        service.retry(session, subject.owner, subject.id)
    assert {Act.SUBJECT_CANCEL, Act.SUBJECT_RETRY} <= set(acts(session))


def test_cancel_of_what_runs_names_the_unit(session: Session, make: Factory) -> None:
    subject = make.subject()
    unit = queue.claim_next(session)
    assert unit
    service.cancel(session, subject.owner, subject.id)
    assert stopped(session) == [unit.id]


def test_archive(session: Session, make: Factory) -> None:
    subject = make.finished_subject()
    service.archive(session, subject.owner, subject.id)
    assert subject.archived_at
    with pytest.raises(Invalid, match="@blue-mug is archived"):
        make.image_set(prompts="@blue-mug on a beach")
    service.unarchive(session, subject.owner, subject.id)
    assert make.image_set(prompts="@blue-mug on a beach").subjects == (SetSubject(id=subject.id, weight=1.0),)
    waiting = make.subject(name="other")
    with pytest.raises(Conflict, match="is not finished"):
        service.archive(session, waiting.owner, waiting.id)


@pytest.mark.parametrize("act", [service.cancel, service.retry, service.archive, service.unarchive])
def test_only_the_owner_and_managers_change_it(session: Session, make: Factory, act: object) -> None:
    subject = make.subject()
    with pytest.raises(Forbidden, match=r"Only .* or a manager can edit this subject"):
        act(session, make.user(Role.REVIEWER), subject.id)  # type: ignore[operator]
    service.cancel(session, make.user(Role.MANAGER), subject.id)


# In sets


def test_a_set_takes_what_was_chosen_and_what_prompts_name(session: Session, make: Factory, files: Files) -> None:
    mug, kettle = make.finished_subject(name="mug"), make.finished_subject(name="kettle")
    image_set = make.image_set(
        prompts="@kettle on a beach\na fox", subjects=f'[{{"id": {mug.id}, "weight": 0.5}}]', unit_size=2
    )
    assert image_set.subjects == (SetSubject(id=mug.id, weight=0.5), SetSubject(id=kettle.id, weight=1.0))
    unit = queue.claim_next(session)
    assert unit
    given = units.engine_unit(session, unit, files)
    assert [image.prompt for image in given.images] == [f"{kettle.phrase} on a beach", "a fox"]
    assert [(subject.path, subject.weight) for subject in given.subjects] == [
        (files.lora(str(mug.sha256)), 0.5),
        (files.lora(str(kettle.sha256)), 1.0),
    ]
    assert all(isinstance(subject.path, Path) for subject in given.subjects)


@pytest.mark.parametrize(
    ("prompts", "chosen", "sentence"),
    [
        ("@nobody on a beach", "", "There is no subject @nobody. Write its handle as the list of subjects shows it."),
        (f"@{'湯' * 60}", "", f"There is no subject @{'湯' * 39}…. Write its handle as the list of subjects shows it."),
        ("a fox", '[{"id": 99}]', "A selected subject no longer exists. Choose again."),
        ("a fox", '[{"id": 1}, {"id": 1}]', "A subject was selected twice. Select it once, with its weight."),
        ("@waiting", "", "@waiting is not ready: its training has not finished."),
        ("@foreign", "", "@foreign was made for sdxl, but the server now runs demo."),
    ],
)
def test_impossible_sets_422(session: Session, make: Factory, prompts: str, chosen: str, sentence: str) -> None:
    assert make.finished_subject(name="mug").id == 1
    make.subject(name="waiting")
    make.finished_subject(name="foreign").model = "sdxl"
    session.flush()
    with pytest.raises(Invalid) as refused:
        make.image_set(prompts=prompts, subjects=chosen)
    assert refused.value.errors == {"subjects": sentence}


def test_at_most_eight(session: Session, make: Factory) -> None:
    for number in range(9):
        make.finished_subject(name=f"s{number}")
    with pytest.raises(Invalid, match="at most 8 subjects"):
        make.image_set(prompts=" ".join(f"@s{number}" for number in range(9)))
