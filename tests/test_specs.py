"""Sentences for wrong input, and JSON read within limits."""

import json
from typing import Literal

import pytest
from pydantic import Field

from app.errors import Invalid, UserError
from app.sets.spec import SetSpec
from app.specs import JSON_LENGTH, Line, Spec, read_json
from tests.factory import MODEL


class Example(Spec):
    name: Line = Field(title="Name", min_length=1, max_length=5)
    note: Line = ""
    steps: int = Field(default=1, title="Steps", ge=1, le=100)
    share_of: float = Field(default=0.5, ge=0, le=1)
    kind: Literal["a", "b"] = "a"
    on: bool = False
    code: str = Field(default="", pattern="^[a-z]*$")
    part: dict[str, int] = Field(default_factory=dict)


def errors(**values: object) -> dict[str, str]:
    with pytest.raises(Invalid) as raised:
        Example.parse({"name": "x", **values})
    return raised.value.errors


def test_parse_cleans_what_is_typed() -> None:
    found = Example.parse({"name": " a\x00b ", "note": " 木 ", "steps": "7", "share_of": "", "unknown": "x"})
    assert (found.name, found.note, found.steps, found.share_of) == ("ab", "木", 7, 0.5)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"name": ""}, "Name is missing."),
        ({"name": "  "}, "Name is missing."),
        ({"name": "too long"}, "Name has 8 characters; at most 5 fit."),
        ({"name": 7}, "Name must be text; '7' was given."),
        ({"steps": "0"}, "Steps must be a whole number from 1 to 100; '0' was given."),
        ({"steps": "1.5"}, "Steps must be a whole number from 1 to 100; '1.5' was given."),
        ({"share_of": "nan"}, "Share of must be a number from 0 to 1; 'nan' was given."),
        ({"share_of": "much"}, "Share of must be a number from 0 to 1; 'much' was given."),
        ({"kind": "c"}, "Kind must be 'a' or 'b'; 'c' was given."),
        ({"on": "perhaps"}, "On must be on or off; 'perhaps' was given."),
        ({"code": "A*"}, "Code cannot be 'A*'."),
        ({"part": "x"}, "Part cannot be 'x'."),
    ],
)
def test_sentences(values: dict[str, object], sentence: str) -> None:
    assert list(errors(**values).values()) == [sentence]


def test_all_wrong_fields_are_reported_in_order() -> None:
    found = errors(steps="x", name="", kind="c")
    assert list(found) == ["name", "steps", "kind"]


def test_invalid_keeps_the_first_field_first() -> None:
    invalid = Invalid("size", "Too large.", count="Too many.")
    assert (invalid.field, str(invalid), list(invalid.errors)) == ("size", "Too large.", ["size", "count"])
    Invalid.check({"size": None, "count": ""})
    with pytest.raises(Invalid, match="Too many"):
        Invalid.check({"size": None, "count": "Too many."})


def test_every_common_error_has_its_own_status() -> None:
    """Others may share one: that the disk is full and that a model is missing are both something to try again later."""
    kinds = [UserError, *(kind for kind in UserError.__subclasses__() if kind.__module__ == UserError.__module__)]
    statuses = [kind.status for kind in kinds]
    assert len(set(statuses)) == len(statuses)
    assert all(400 <= status < 600 for status in statuses)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 9 + "]" * 9,
        "[" * 100_000,
        '{"a":' * 100_000,
        "[Infinity]",
        "[-Infinity]",
        "[NaN]",
        "[1e999]",
        "[" + "9" * 19 + "]",
        "[" + "9" * 5000 + "]",
        '["\\ud800"]',
        '{"\\udfff": 1}',
        " " * (JSON_LENGTH + 1),
        "[1,]",
        "",
    ],
    ids=lambda text: text[:12],
)
def test_json_out_of_bounds_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        read_json(text)


def test_json_in_bounds_is_read() -> None:
    found = read_json('[{"id": -999999999999999999, "box": [0.5, 1e-3], "words": "\\ud83e\\udd8a 木", "none": null}]')
    assert found == [{"id": -999999999999999999, "box": [0.5, 0.001], "words": "🦊 木", "none": None}]


@pytest.mark.parametrize(
    ("field", "parts", "sentence"),
    [
        (
            "structures",
            [{"control": "edges", "maps": [1], "weight": 3}],
            "A structure’s weight must be a number from",
        ),
        ("structures", [{"control": "edges", "maps": []}], "A structure’s map is missing."),
        ("structures", [{"control": "edges", "maps": [1]}] * 5, "There are at most 4 structures; remove some."),
        ("structures", [{"control": "edges", "maps": [1] * 501}], "There are at most 500 maps; remove some."),
        ("regions", [{"prompt": " ", "box": [0, 0, 1, 1]}], "A region’s prompt is missing."),
        ("regions", [{"prompt": "a fox", "box": [0, 0, 2, 1]}], "A region’s box is its left, top, width and height,"),
        (
            "subjects",
            [{"id": 1, "weight": "much"}],
            "A subject’s weight must be a number from 0 to 2; 'much' was given.",
        ),
    ],
)
def test_a_fault_within_a_part_names_the_part(field: str, parts: list[dict[str, object]], sentence: str) -> None:
    with pytest.raises(Invalid) as refused:
        SetSpec.from_form({"style": "SOR-7K2Q", "prompts": "a fox", field: json.dumps(parts)}, MODEL)
    assert refused.value.errors[field].startswith(sentence)
