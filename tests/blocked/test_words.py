"""The list of blocked words: who keeps it, and what is refused for it before anything is queued."""

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.blocked import lists, queries, service
from app.blocked.service import WordSpec
from app.errors import Conflict, Forbidden, Invalid
from app.models import Act, AuditEvent, BlockedWord, ImageSet, Role, TemplateKind, Unit
from app.prompts.reader import Reader
from app.sets import service as sets
from app.sets import strips, templates, versions
from app.sets.readings import read
from app.sets.versions import RedoSpec
from app.styles import service as styles
from app.subjects import service as subjects
from app.translation.dictionary import Dictionary
from tests.factory import MODEL, Factory

WHY = "A competitor's name."


def block(session: Session, make: Factory, name: str = "Acme", **values: object) -> BlockedWord:
    word = service.add(session, make.user(Role.MANAGER), WordSpec.parse({"name": name, "reason": WHY, **values}))
    session.flush()
    return word


def refused(error: pytest.ExceptionInfo[Invalid], field: str, word: str = "Acme") -> None:
    assert f"“{word}” is blocked here: {WHY}" in error.value.errors[field]


def test_a_set_is_refused_before_anything_is_queued(session: Session, make: Factory) -> None:
    owner, style = make.user(), make.style()
    block(session, make)
    with pytest.raises(Invalid) as error:
        sets.create(session, owner, make.spec(style, prompts="a fox\nan ACME can"), MODEL, 4)
    assert error.value.errors == {"prompts": f"Prompt 2: “Acme” is blocked here: {WHY}"}
    with pytest.raises(Invalid) as error:
        sets.create(session, owner, make.spec(style, regions='[{"box":[0,0,1,1],"prompt":"acme"}]'), MODEL, 4)
    refused(error, "regions")
    assert session.scalar(select(func.count()).select_from(Unit)) == 0
    allowed = make.spec(style, negative_prompt="Acme logo")
    assert sets.create(session, owner, allowed, MODEL, 4).negative_prompt == "Acme logo", "it is what is not shown"
    assert session.scalar(select(func.count()).select_from(ImageSet)) == 1


def test_what_is_drawn_after_translation_is_checked_too(session: Session, make: Factory) -> None:
    block(session, make, "fox")
    spec = make.spec(make.style(), prompts="赤い狐").model_copy(update={"drawn_as": {"赤い狐": "a red fox"}})
    with pytest.raises(Invalid, match="“fox”, as which “赤い狐” is drawn, is blocked here"):
        sets.create(session, make.user(), spec, MODEL, 4)


def test_a_style_from_before_is_refused_for_new_sets_and_redo_but_its_sets_stay(
    session: Session, make: Factory
) -> None:
    owner = make.user()
    style = make.style(owner, text="in the style of Acme")
    image_set = make.finished_set(owner, style)
    block(session, make)
    with pytest.raises(Invalid) as error:
        sets.create(session, owner, make.spec(style), MODEL, 4)
    refused(error, "style")
    with pytest.raises(Invalid) as error:
        versions.redo(session, owner, image_set.images[0].id, RedoSpec(prompt="a pear"), MODEL, 4)
    refused(error, "prompt")
    with pytest.raises(Invalid) as error:
        styles.add_version(session, owner, style, make.draft(text="Acme, dark"))
    refused(error, "text")
    with pytest.raises(Invalid) as error:
        styles.create(session, owner, make.draft(reference_prompt="an acme can"))
    refused(error, "reference_prompt")
    assert all(image.state == "finished" for image in image_set.images)


def test_redo_strips_templates_and_subjects_are_checked(session: Session, make: Factory) -> None:
    owner, style = make.user(), make.style()
    image_set = make.finished_set(owner, style)
    subject = make.finished_subject(owner)
    session.flush()
    block(session, make)
    with pytest.raises(Invalid) as error:
        versions.redo(session, owner, image_set.images[0].id, RedoSpec(prompt="an acme pear"), MODEL, 4)
    refused(error, "prompt")
    with pytest.raises(Invalid) as error:
        strips.create(session, owner, make.spec(style, prompts="acme"), MODEL, make.files)
    refused(error, "prompts")
    regions = {"regions": '[{"prompt": "Acme"}]'}
    with pytest.raises(Invalid) as error:
        templates.save(session, owner, TemplateKind.SET, "Mine", regions)
    refused(error, "template_name")
    with pytest.raises(Invalid) as error:
        make.subject(owner, name="Red can", class_words="acme can")
    refused(error, "class_words")
    with pytest.raises(Invalid) as error:
        subjects.need_free_name(session, owner, make.subject_draft(name="Can", phrase="sks acme"))
    refused(error, "phrase")
    subject.phrase = "sks acme mug"
    with pytest.raises(Invalid) as error:
        sets.create(session, owner, make.spec(style, prompts=f"@{subject.handle} on a table"), MODEL, 4)
    refused(error, "subjects")


@pytest.mark.parametrize(
    "prompt", ["an ac<lora:x:1>me can", "(ac)<LORA:x>me", "red BREAK can", "(red) BREAK (can:1.2)"]
)
def test_what_the_model_does_not_read_hides_no_word(session: Session, make: Factory, prompt: str) -> None:
    block(session, make)
    block(session, make, "red can")
    assert queries.problem(session, make.user(), [prompt])


def test_a_handle_is_read_with_the_words_beside_it(session: Session, make: Factory) -> None:
    owner, style = make.user(), make.style()
    subject = make.finished_subject(owner)
    subject.phrase = "red"
    image_set = make.finished_set(owner, style, prompts=f"@{subject.handle} mug")
    block(session, make, "red can")
    with pytest.raises(Invalid) as error:
        sets.create(session, owner, make.spec(style, prompts=f"a @{subject.handle} can"), MODEL, 4)
    refused(error, "subjects", "red can")
    again = RedoSpec(prompt=f"(@{subject.handle}) can")
    with pytest.raises(Invalid) as error:
        versions.redo(session, owner, image_set.images[0].id, again, MODEL, 4)
    refused(error, "prompt", "red can")
    assert versions.redo(session, owner, image_set.images[0].id, RedoSpec(prompt="a can"), MODEL, 4)


def test_all_that_a_redone_picture_is_drawn_from_is_checked(session: Session, make: Factory) -> None:
    owner, style, other = make.user(), make.style(), make.style(text="as Zeta does")
    subject = make.finished_subject(owner)
    subject.phrase = "sks theta"
    regions = [
        f'[{{"box":[0,0,1,1],"prompt":"{prompt}","style_code":"{code}"}}]'
        for prompt, code in (("acme", style.code), ("an owl", other.code))
    ]
    made = [make.finished_set(owner, style, regions=each) for each in regions]
    made.append(make.finished_set(owner, style, prompts=f"@{subject.handle}"))
    for image_set, word in zip(made, ("Acme", "Zeta", "theta"), strict=True):
        block(session, make, word)
        with pytest.raises(Invalid) as error:
            versions.redo(session, owner, image_set.images[0].id, RedoSpec(prompt="a pear"), MODEL, 4)
        refused(error, "prompt", word)


def test_managers_may_write_what_is_blocked_for_others(session: Session, make: Factory) -> None:
    style = make.style()
    block(session, make, managers_may=True)
    block(session, make, "Zeta")
    spec = make.spec(style, prompts="acme")
    with pytest.raises(Invalid):
        sets.create(session, make.user(Role.REVIEWER), spec, MODEL, 4)
    assert sets.create(session, make.user(Role.MANAGER), spec, MODEL, 4)
    with pytest.raises(Invalid):
        sets.create(session, make.user(Role.ADMIN), make.spec(style, prompts="zeta"), MODEL, 4)
    assert queries.problem(session, None, ["acme"]), "a command has no account"


def test_a_prompt_field_marks_what_is_blocked(session: Session, make: Factory) -> None:
    block(session, make, "fox")
    person = make.user()
    (told,) = read(session, Reader(), ["a Fox, (f)ox"], "prompt", user=person)
    assert told.pieces[:3] == (("a ", ""), ("Fox", "blocked"), (", ", ""))
    assert told.notes[0] == told.barred[0] == f"“fox” is blocked here: {WHY}"
    (told,) = read(session, Reader(), ["(f)ox"], "prompt", user=person)
    assert told.barred, "the model reads it without brackets"
    (told,) = read(session, Reader(), ["赤い狐"], "prompt", "", Dictionary(), {}, person)
    assert told.barred == (f"“fox”, as which “赤い狐” is drawn, is blocked here: {WHY}",)
    (told,) = read(session, Reader(), ["a fox"], "negative", user=person)
    assert not told.barred


def test_only_managers_keep_the_list(session: Session, make: Factory) -> None:
    word, person = block(session, make), make.user(Role.REVIEWER)
    for act in (
        lambda: queries.listed(session, person),
        lambda: service.add(session, person, WordSpec(name="x", reason="y")),
        lambda: service.change(session, person, word.id, WordSpec(name="x", reason="y")),
        lambda: service.remove(session, person, word.id),
        lambda: lists.written(session, person),
        lambda: lists.add_all(session, person, []),
    ):
        with pytest.raises(Forbidden):
            act()


def test_a_word_is_refused_with_its_faults(session: Session, make: Factory, monkeypatch: pytest.MonkeyPatch) -> None:
    manager = make.user(Role.MANAGER)
    first = block(session, make, "Mickey Mouse")
    for name in ("", "...", "x" * 61, "mickey-mouse", "ＭＩＣＫＥＹ　ＭＯＵＳＥ"):
        with pytest.raises(Invalid) as error:
            service.add(session, manager, WordSpec.parse({"name": name}))
        assert list(error.value.errors) == ["name", "reason"], name
    assert service.change(session, manager, first.id, WordSpec(name="mickey mouse", reason=WHY)) is first
    assert session.scalars(select(AuditEvent).filter_by(act=Act.WORD_CHANGE)).one().details["what"] == ["name"]
    monkeypatch.setattr(service, "MOST_WORDS", 1)
    with pytest.raises(Conflict, match="has 1 words"):
        block(session, make)


def test_a_list_goes_out_and_comes_back(session: Session, make: Factory) -> None:
    manager = make.user(Role.MANAGER)
    block(session, make, "=Acme", whole=False, managers_may=True)
    block(session, make, "山田太郎")
    written = lists.written(session, manager)
    specs = lists.read(written)
    assert [(spec.name, spec.whole, spec.managers_may) for spec in specs] == [
        ("=Acme", False, True),
        ("山田太郎", True, False),
    ]
    assert lists.add_all(session, manager, specs) == 0
    specs = lists.read("単語,理由\n山田 太郎,俳優\n鈴木花子,俳優,part,managers\n".encode("cp932"))
    assert lists.add_all(session, manager, specs) == 2
    names = {word.name for word in queries.listed(session, manager)}
    assert names == {"=Acme", "山田太郎", "単語", "鈴木花子"}


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no words"),
        (b"word,reason\n\n", "no words"),
        (b"\x00\xff", "no CSV file"),
        (b"a,b\n,c", "Line 2: Enter a word or a name."),
        (b"a", "Line 1: Say why"),
        (b"a,b,half", "Line 1: the third column"),
        (b"a,b\n" * 2001, "more than 2"),
        (b"a" * (2**20 + 1), "larger than 1 MB"),
        (b'a,"' + b"b" * 200_000, "no CSV file"),
    ],
)
def test_a_wrong_list_is_refused_in_a_sentence(data: bytes, why: str) -> None:
    with pytest.raises(Invalid) as error:
        lists.read(data)
    assert why in error.value.errors["file"]
