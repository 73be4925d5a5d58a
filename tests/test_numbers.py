"""Invalid or excessive numbers are refused everywhere: in forms, their JSON, and commands."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from pydantic import ValidationError

from app.blind.spec import BlindSpec
from app.brand.spec import BrandSpec
from app.cli.options.structure import StructureOption
from app.cli.options.structure import read as structure
from app.cli.options.subject import SubjectOption
from app.cli.options.subject import read as subject
from app.engine.base import TrainingFacts
from app.errors import Invalid
from app.measures import bounds
from app.sets.spec import SetSpec
from app.sets.versions import RedoSpec
from app.styles.spec import StyleSpec
from app.subjects.spec import SubjectSpec
from app.text import decimal_number
from app.web.forms.reviews import CommentForm
from tests.factory import MODEL

LENIENT = ("1_0", "0_1", "1e0", "1E1", "1e+0", "١", "१", "½", "1 0")  # Python takes most of them for numbers
ODD = ("nan", "NaN", "inf", "-inf", "Infinity", "-Infinity", "1e308", "-1e308", "1e999", "9" * 400, "0x10", *LENIENT)
IN_JSON = ("NaN", "Infinity", "-Infinity", "1e308", "-1e308", "1e999", "9" * 400, '"nan"', "[1]", "{}", "null")

SET = {"style": "SOR-7K2Q", "prompts": "a fox"}
STYLE = {"name": "Neon", "reference_id": "1"}
SUBJECT = {"name": "Mug"}

FORMS: dict[str, tuple[Callable[[Mapping[str, str]], object], Mapping[str, str], tuple[str, ...]]] = {
    "set": (lambda form: SetSpec.from_form(form, MODEL), SET, ("count", "steps", "guidance", "seed", "strength")),
    "style": (
        StyleSpec.from_form,
        STYLE,
        (
            *("strength", "scale", "crop_x", "crop_y", "crop_width", "crop_height"),
            *("calibration", "calibration_start", "calibration_end", "reference_queries", "subject_attention"),
        ),
    ),
    "subject": (lambda form: SubjectSpec.from_form(form, TrainingFacts()), SUBJECT, ("steps", "rank", "rate")),
    "again": (RedoSpec.parse, {"prompt": "a fox"}, ("seed", "strength", "count")),
    "brand": (BrandSpec.checked, {}, ("tolerance", "never_tolerance", "palette_share", "place_tolerance")),
    "blind test": (BlindSpec.parse, {"name": "Neon", "a": "set:1", "b": "set:2", "planned": "20"}, ("planned",)),
    "bounds": (bounds.read, {"hue_reference": "40"}, ("hue_reference",)),
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


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        ("１．５", 1.5),
        (" 0.25 ", 0.25),
        ("\u22121", -1),
        ("－１", -1),
        (".5", 0.5),
        ("2.", 2),
        ("+1", 1),
        ("1e-4", 1e-4),
    ],
)
def test_numbers_are_read_as_people_type_them(typed: str, number: float) -> None:
    assert decimal_number(typed) == number


@pytest.mark.parametrize("number", ODD)
def test_a_pin_of_odd_numbers_is_outside_the_picture(number: str) -> None:
    assert CommentForm.of_fields([("x", number), ("y", "0.5")]).pin == (-1, 0.5)


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


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "1e308", "9" * 400, "1_0", "1e0"])
def test_commands_do_not_either(tmp_path: Path, number: str) -> None:
    file = tmp_path / "mug.safetensors"
    file.write_bytes(b"")
    (tmp_path / "chair.png").write_bytes(b"")
    with pytest.raises(ValidationError):
        SubjectOption(**subject(f"{file}:{number}"))
    for name in ("weight", "start", "end"):
        with pytest.raises(ValidationError):
            StructureOption(**structure(f"edges={tmp_path / 'chair.png'},{name}={number}"))
