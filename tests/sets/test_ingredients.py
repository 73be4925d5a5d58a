"""Every ingredient of a set from the form to the engine, and rows from earlier releases."""

import json
from collections.abc import Callable
from dataclasses import fields
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.engine import events as engine
from app.errors import Invalid
from app.files import Files
from app.models import ImageSet, Part, SetRegion, SetStructure, SetSubject, State
from app.sets import service, units, versions
from app.sets.ingredients import INGREDIENTS
from app.sets.ingredients.base import Batch, Ingredient, Redo, SetRequest
from app.sets.spec import SetSpec
from app.sets.versions import RedoSpec
from tests.factory import MODEL, Factory

BOX = [0.5, 0.0, 0.5, 1.0]

each_ingredient = pytest.mark.parametrize("ingredient", INGREDIENTS, ids=[each.name for each in INGREDIENTS])


def structures(make: Factory) -> tuple[list[dict[str, Any]], str]:
    return [{"control": "edges", "maps": [make.structure_map().id], "weight": 0.5, "end": 0.7}], "There is no map 404"


def subjects(make: Factory) -> tuple[list[dict[str, Any]], str]:
    return [{"id": make.finished_subject().id, "weight": 0.5}], "A selected subject no longer exists"


def regions(make: Factory) -> tuple[list[dict[str, Any]], str]:
    return [{"prompt": "a fox", "box": BOX, "style_code": make.style().code}], "There is no style"


WANTED: dict[str, Callable[[Factory], tuple[list[dict[str, Any]], str]]] = {
    "structures": structures,
    "subjects": subjects,
    "regions": regions,
}
WRONG = {"structures": {"maps": [404]}, "subjects": {"id": 404}, "regions": {"style_code": "SOR-0000"}}


def wanted(ingredient: Ingredient, make: Factory) -> list[dict[str, Any]]:
    return WANTED[ingredient.name](make)[0]


def request(session: Session, make: Factory, ingredient: Ingredient, parts: object) -> SetRequest:
    spec = make.spec(size="128x128", **{ingredient.name: json.dumps(parts)})
    return SetRequest(session, make.user(), spec, MODEL, make.files)


# From the form to the engine


@each_ingredient
def test_each_ingredient_is_stored_read_and_handed_to_the_engine(
    session: Session, make: Factory, files: Files, ingredient: Ingredient
) -> None:
    asked = request(session, make, ingredient, wanted(ingredient, make))
    assert ingredient.problem(asked) is None
    stored = ingredient.stored(asked)
    assert all(isinstance(part, Part) for part in stored)
    image_set = service.create(session, asked.user, asked.spec, MODEL, 4, files)
    session.flush()
    session.expire(image_set)
    assert getattr(image_set, ingredient.name) == stored
    given = ingredient.for_engine(Batch(session, image_set, image_set.images, files))
    assert len(given) == 1
    others = {each.name: () for each in INGREDIENTS} | {ingredient.name: given}
    assert {name: getattr(unit(session, image_set, files), name) for name in others} == others


@each_ingredient
def test_errors_are_shown_at_their_fields(session: Session, make: Factory, ingredient: Ingredient) -> None:
    parts, sentence = WANTED[ingredient.name](make)
    asked = request(session, make, ingredient, [part | WRONG[ingredient.name] for part in parts])
    assert sentence in (ingredient.problem(asked) or "")
    with pytest.raises(Invalid, match=sentence) as refused:
        service.create(session, asked.user, asked.spec, MODEL, 4)
    assert list(refused.value.errors) == [ingredient.name]


@each_ingredient
def test_a_duplicated_set_has_the_same_parts(session: Session, make: Factory, ingredient: Ingredient) -> None:
    first = request(session, make, ingredient, wanted(ingredient, make))
    image_set = service.create(session, first.user, first.spec, MODEL, 4)
    again = request(session, make, ingredient, ingredient.asked(session, image_set))
    assert ingredient.problem(again) is None
    assert ingredient.stored(again) == getattr(image_set, ingredient.name)


@each_ingredient
def test_a_picture_is_redone_with_the_parts_of_its_set(
    session: Session, make: Factory, files: Files, ingredient: Ingredient
) -> None:
    asked = request(session, make, ingredient, wanted(ingredient, make))
    image_set = service.create(session, asked.user, asked.spec, MODEL, 4)
    before = ingredient.for_engine(Batch(session, image_set, image_set.images, files))
    image = make.finish(image_set)[0]
    assert ingredient.redo_problem(Redo(session, asked.user, image_set, "an owl", MODEL, "an owl")) is None
    (new,) = versions.redo(session, asked.user, image.id, RedoSpec.parse({"prompt": "an owl"}), MODEL, 4)
    assert ingredient.for_engine(Batch(session, image_set, [new], files)) == before


@each_ingredient
def test_the_form_the_row_and_the_unit_have_its_field(ingredient: Ingredient) -> None:
    assert ingredient.name in SetSpec.model_fields
    assert ingredient.name in ImageSet.__table__.columns
    assert ingredient.name in {field.name for field in fields(engine.Unit)}


def test_another_ingredient_is_a_module_in_the_list(
    session: Session, make: Factory, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as a brand's rules, which store nothing with the set."""

    def refused(wanted: SetRequest | Redo) -> str | None:
        prompts = wanted.spec.prompts if isinstance(wanted, SetRequest) else (wanted.prompt,)
        return "Our brand has no cats." if "a cat" in prompts else None

    rules = SimpleNamespace(
        name="rules", problem=refused, redo_problem=refused, stored=lambda request: (), for_engine=lambda batch: ()
    )
    for module in (service, units, versions):
        monkeypatch.setattr(module, "INGREDIENTS", (*INGREDIENTS, rules))
    with pytest.raises(Invalid, match="no cats") as refusal:
        make.image_set(prompts="a cat")
    assert list(refusal.value.errors) == ["rules"]
    image_set = make.image_set(prompts="a fox")
    assert unit(session, image_set, files).regions == ()
    image = make.finished_set(prompts="a fox").images[0]
    with pytest.raises(Invalid, match="no cats"):
        versions.redo(session, image.image_set.owner, image.id, RedoSpec.parse({"prompt": "a cat"}), MODEL, unit_size=4)


# Rows as earlier releases wrote them

MASK = "a" * 64
OLD = [
    # The migration that added the columns gave this to existing sets.
    ("structures", "[]", ()),
    ("subjects", "[]", ()),
    ("regions", "[]", ()),
    # Sets were stored as requested before structures, subjects and regions could be checked or drawn.
    (
        "structures",
        '[{"control": "pose", "maps": [7, 404], "weight": 2.0, "start": 0.9, "end": 0.1}]',
        (SetStructure(control="pose", maps=(7, 404), weight=2.0, start=0.9, end=0.1),),
    ),
    (
        "subjects",
        '[{"id": 7, "weight": 1.0}, {"id": 7, "weight": 0.5}]',
        (SetSubject(id=7, weight=1.0), SetSubject(id=7, weight=0.5)),
    ),
    # The number of a structure's maps had no limit, unlike today.
    (
        "structures",
        json.dumps([{"control": "edges", "maps": list(range(1, 701)), "weight": 1.0, "start": 0.0, "end": 1.0}]),
        (SetStructure(control="edges", maps=tuple(range(1, 701))),),
    ),
    (
        "regions",
        '[{"prompt": "a fox", "box": [0.5, 0.0, 0.5, 1.0], "mask": null, "style_version_id": 3, "strength": 1.3}, '
        f'{{"prompt": "an owl", "box": null, "mask": "{MASK}", "style_version_id": null, "strength": null}}]',
        (
            SetRegion(prompt="a fox", box=(0.5, 0.0, 0.5, 1.0), style_version_id=3, strength=1.3),
            SetRegion(prompt="an owl", mask=MASK),
        ),
    ),
    # A later release's extra key, read by an older one after a downgrade; and a missing key.
    ("subjects", '[{"id": 7, "colour": "teal"}]', (SetSubject(id=7, weight=1.0),)),
]


@pytest.mark.parametrize(("name", "kept", "parts"), OLD)
def test_old_rows_are_read(session: Session, make: Factory, name: str, kept: str, parts: object) -> None:
    image_set = make.image_set()
    session.flush()
    session.execute(text(f"UPDATE image_sets SET {name} = :kept"), {"kept": kept})  # noqa: S608
    session.expire(image_set)
    assert getattr(image_set, name) == parts


@pytest.mark.parametrize(("name", "kept"), [(name, kept) for name, kept, _ in OLD[:-1]])
def test_stored_rows_keep_their_format(session: Session, make: Factory, name: str, kept: str) -> None:
    image_set = make.image_set()
    session.execute(text(f"UPDATE image_sets SET {name} = :kept"), {"kept": kept})  # noqa: S608
    session.expire(image_set)
    parts = getattr(image_set, name)
    setattr(image_set, name, ())
    session.flush()
    setattr(image_set, name, parts)
    session.flush()
    assert session.scalar(text(f"SELECT {name} FROM image_sets")) == kept  # noqa: S608


def unit(session: Session, image_set: ImageSet, files: Files) -> engine.Unit:
    row = image_set.images[0].unit
    assert row
    row.state = State.GENERATING
    for image in image_set.images:
        image.state = State.GENERATING
    session.flush()
    return units.engine_unit(session, row, files)
