"""Invalid or excessive numbers are refused everywhere: in forms, their JSON, and commands."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from pydantic import ValidationError

from app.cli.options.structure import StructureOption
from app.cli.options.structure import read as structure
from app.cli.options.subject import SubjectOption
from app.cli.options.subject import read as subject
from app.engine.base import TrainingFacts
from app.errors import Invalid
from app.sets.spec import SetSpec
from app.sets.versions import RedoSpec
from app.styles.spec import StyleSpec
from app.subjects.spec import SubjectSpec
from tests.factory import MODEL

ODD = ("nan", "NaN", "inf", "-inf", "Infinity", "-Infinity", "1e308", "-1e308", "1e999", "9" * 400, "0x10")
IN_JSON = ("NaN", "Infinity", "-Infinity", "1e308", "-1e308", "1e999", "9" * 400, '"nan"', "[1]", "{}", "null")

SET = {"style": "SOR-7K2Q", "prompts": "a fox"}
STYLE = {"name": "Neon", "reference_id": "1"}
SUBJECT = {"name": "Mug"}

FORMS: dict[str, tuple[Callable[[Mapping[str, str]], object], Mapping[str, str], tuple[str, ...]]] = {
    "set": (lambda form: SetSpec.from_form(form, MODEL), SET, ("count", "steps", "guidance", "seed", "strength")),
    "style": (
        StyleSpec.from_form,
        STYLE,
        ("strength", "scale", "crop_x", "crop_y", "crop_width", "crop_height"),
    ),
    "subject": (lambda form: SubjectSpec.from_form(form, TrainingFacts()), SUBJECT, ("steps", "rank", "rate")),
    "again": (RedoSpec.parse, {"prompt": "a fox"}, ("seed", "strength", "count")),
}
FIELDS = [(door, field) for door, (_, _, fields) in FORMS.items() for field in fields]

PARTS = {
    "structures": ({"control": "edges", "maps": [1]}, ("weight", "start", "end")),
    "subjects": ({"id": 1}, ("weight", "id")),
    "regions": ({"prompt": "a fox", "box": [0, 0, 1, 1]}, ("strength",)),
}


@pytest.mark.parametrize(("door", "field"), FIELDS)
@pytest.mark.parametrize("number", ODD)
def test_a_forms_fields_take_no_odd_number(door: str, field: str, number: str) -> None:
    parse, sound, _ = FORMS[door]
    parse(sound)
    with pytest.raises(Invalid) as refused:
        parse({**sound, field: number})
    (sentence,) = refused.value.errors.values()
    assert sentence.endswith(".")
    assert len(sentence) < 250


@pytest.mark.parametrize("number", ODD)
def test_a_size_does_not_either(number: str) -> None:
    for form in ({"size": f"{number}x256"}, {"size": "custom", "width": "256", "height": number}):
        with pytest.raises(Invalid, match="The size is width x height"):
            SetSpec.from_form(SET | form, MODEL)


@pytest.mark.parametrize("number", IN_JSON)
@pytest.mark.parametrize(("part", "field"), [(part, field) for part, (_, fields) in PARTS.items() for field in fields])
def test_parts_of_a_set_do_not_either(part: str, field: str, number: str) -> None:
    sound, _ = PARTS[part]
    SetSpec.from_form(SET | {part: json.dumps([sound])}, MODEL)
    written = json.dumps([{**sound, field: "HERE"}]).replace('"HERE"', number)
    if (part, field, number) == ("regions", "strength", "null"):
        assert SetSpec.from_form(SET | {part: written}, MODEL).regions[0].strength is None
        return
    with pytest.raises(Invalid) as refused:
        SetSpec.from_form(SET | {part: written}, MODEL)
    assert set(refused.value.errors) == {part}


@pytest.mark.parametrize("number", IN_JSON)
def test_a_box_does_not_either(number: str) -> None:
    written = json.dumps([{"prompt": "a fox", "box": [0, 0, "HERE", 1]}]).replace('"HERE"', number)
    with pytest.raises(Invalid):
        SetSpec.from_form(SET | {"regions": written}, MODEL)


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "1e308", "9" * 400])
def test_commands_do_not_either(tmp_path: Path, number: str) -> None:
    file = tmp_path / "mug.safetensors"
    file.write_bytes(b"")
    (tmp_path / "chair.png").write_bytes(b"")
    with pytest.raises(ValidationError):
        SubjectOption(**subject(f"{file}:{number}"))
    for name in ("weight", "start", "end"):
        with pytest.raises(ValidationError):
            StructureOption(**structure(f"edges={tmp_path / 'chair.png'},{name}={number}"))
