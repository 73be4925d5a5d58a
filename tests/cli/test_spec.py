"""The page's form and the command refuse the same input in the same words."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from app.cli import subject
from app.cli.generate import GenerateOptions
from app.cli.spec import CommandSpec, form_of
from app.engine.base import TrainingFacts
from app.errors import Invalid
from app.models import ReferenceMethod
from app.sets import service
from app.styles.spec import StyleSpec
from app.subjects.spec import SubjectSpec
from tests.cli.asked import asked
from tests.factory import MODEL, Factory, png

MANY = "\n".join(["x"] * 63)  # prompts, for too many pictures
NEEDS_MODEL = [("size", "0x0"), ("size", "100x100"), ("size", "4096x64"), ("size", "512x32"), ("scheduler", "magic")]
PLAIN = [
    ("count", "0"),
    ("count", "17"),
    ("count", "two"),
    ("steps", "0"),
    ("steps", "101"),
    ("steps", "2.5"),
    ("guidance", "31"),
    ("guidance", "nan"),
    ("seed", "-1"),
    ("seed", "2147483648"),
    ("strength", "3"),
    ("strength", "strong"),
    ("negative_prompt", "x" * 1001),
    ("size", "big"),
    ("prompt", "x" * 1001),
    ("prompt", "\n".join(["x"] * 501)),
    ("prompt", MANY),
]


def of_form(make: Factory, **values: object) -> list[str]:
    with pytest.raises(Invalid) as refused:
        service.create(make.session, make.user(), make.spec(prompts=values.pop("prompt", "a fox"), **values), MODEL, 4)
    return list(refused.value.errors.values())


def of_command(**options: Any) -> list[str]:
    prompts = options.pop("prompt", "a fox").split("\n")
    form = form_of(GenerateOptions(Path("out"), prompt=prompts, **options))
    try:
        CommandSpec.before_loading(form)
        CommandSpec.for_model(form, MODEL)
    except Invalid as error:
        return list(error.errors.values())
    return []


@pytest.mark.parametrize(("name", "value"), PLAIN + NEEDS_MODEL, ids=lambda text: text[:20])
def test_fields(make: Factory, name: str, value: str) -> None:
    more = {"count": "16"} if value == MANY else {}
    assert of_command(**{name: value}, **more) == of_form(make, **{name: value}, **more)


def test_what_needs_no_model_is_refused_before_one_is_loaded() -> None:
    for name, value in PLAIN:
        with pytest.raises(Invalid):
            asked(**{name: value}, **({"count": "16"} if value == MANY else {}))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("layers", "up blocks"),
        ("calibration", "2"),
        ("calibration_start", "soon"),
        ("calibration_end", "-0.1"),
        ("reference_queries", "1.5"),
        ("subject_attention", "nan"),
        ("blend", "mix"),
    ],
)
def test_options_of_sharing_are_those_of_a_style(name: str, value: str) -> None:
    with pytest.raises(Invalid) as refused:
        StyleSpec.from_form({"name": "Poster", "reference_id": "1", name: value})
    assert of_command(**{name: value}) == list(refused.value.errors.values())


def test_layers_that_the_model_does_not_have_and_calibration_that_ends_early() -> None:
    model = replace(MODEL, layers=("up_blocks.0.attn1", "mid_block.attn1"))
    form = form_of(GenerateOptions(Path("out"), prompt=["a fox"], layers="up_blocks,up_block"))
    with pytest.raises(Invalid) as refused:
        CommandSpec.for_model(form, model)
    assert refused.value.errors == {"layers": "This model has no layer “up_block”. Choose other layers."}
    assert CommandSpec.for_model(form | {"layers": "up_blocks,mid_block.attn1"}, model).layers
    (ends,) = of_command(calibration_start="0.8", calibration_end="0.2")
    assert "ends before it begins" in ends


def test_sensitive_layers_are_named_by_the_ranking() -> None:
    model = replace(MODEL, layers=("a", "b", "c"), ranked_layers=("c", "a", "b"))
    form = form_of(GenerateOptions(Path("out"), prompt=["a fox"], layers="sensitive", layer_count="2"))
    assert CommandSpec.for_model(form, model).layers == ["c", "a"]
    (missing,) = of_command(layers="sensitive")
    assert "not ranked yet" in missing
    with pytest.raises(Invalid):
        asked(layers="sensitive", layer_count="0")


@pytest.mark.parametrize(
    "wrong", [{"weight": "3"}, {"start": "soon"}, {"end": "nan"}, {"start": "0.9", "end": "0.1"}], ids=str
)
def test_structures(make: Factory, tmp_path: Path, wrong: dict[str, str]) -> None:
    (tmp_path / "chair.png").write_bytes(png())
    given = json.dumps([{"control": "edges", "maps": [make.structure_map().id], **wrong}])
    written = f"edges={tmp_path / 'chair.png'}," + ",".join(f"{name}={value}" for name, value in wrong.items())
    assert of_command(structure=[written]) == of_form(make, size="128x128", structures=given)


def test_numbers_of_maps(make: Factory, tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(png())
    given = json.dumps([{"control": "edges", "maps": [make.structure_map().id, make.structure_map().id]}])
    prompts = "a\nb\nc"
    found = of_command(prompt=prompts, structure=[f"edges={tmp_path}"])
    assert found == of_form(make, prompt=prompts, size="128x128", structures=given)


@pytest.mark.parametrize("weight", ["3", "-1", "1e999"])
def test_subjects(make: Factory, tmp_path: Path, weight: str) -> None:
    (tmp_path / "mug.safetensors").touch()
    given = json.dumps([{"id": make.finished_subject().id, "weight": weight}])
    assert of_command(subject=[f"{tmp_path / 'mug.safetensors'}:{weight}"]) == of_form(make, subjects=given)


@pytest.mark.parametrize(
    ("wrong", "written"),
    [
        ({"box": ["0.5", "0", "0.6", "1"]}, "0.5,0,0.6,1|a fox"),
        ({"box": ["0", "0", "2", "1"]}, "0,0,2,1|a fox"),
        ({"box": ["0", "0", "nan", "1"]}, "0,0,nan,1|a fox"),
        ({"box": ["0.1", "0.1", "0.01", "0.5"]}, "0.1,0.1,0.01,0.5|a fox"),
        ({"box": [0, 0, 1, 1], "prompt": "x" * 1001}, f"0,0,1,1|{'x' * 1001}"),
        ({"box": [0, 0, 1, 1], "strength": "3"}, "0,0,1,1|a fox||3"),
        ({"box": [0, 0, 1, 1], "strength": "much"}, "0,0,1,1|a fox||much"),
    ],
    ids=lambda each: each[:20] if isinstance(each, str) else "",
)
def test_regions(make: Factory, wrong: dict[str, object], written: str) -> None:
    assert of_command(region=[written]) == of_form(make, regions=json.dumps([{"prompt": "a fox", **wrong}]))


@pytest.mark.parametrize(
    ("field", "most", "part", "option"),
    [
        ("structures", 4, {"control": "edges", "maps": [1]}, ("structure", "edges={}")),
        ("subjects", 8, {"id": 1}, ("subject", "{}")),
        ("regions", 8, {"prompt": "a fox", "box": [0, 0, 1, 1]}, ("region", "0,0,1,1|a fox")),
    ],
)
def test_how_many(
    make: Factory, tmp_path: Path, field: str, most: int, part: dict[str, object], option: tuple[str, str]
) -> None:
    (tmp_path / "file").touch()
    found = of_command(**{option[0]: [option[1].format(tmp_path / "file")] * (most + 1)})
    assert found == of_form(make, **{field: json.dumps([part] * (most + 1))})
    assert found == [f"There are at most {most} {field}; remove some."]


@pytest.mark.parametrize(
    ("field", "option", "value"),
    [
        ("text", "style_text", "x" * 501),
        ("reference_prompt", "reference_prompt", "x" * 501),
        ("method", "reference_method", "magic"),
    ],
)
def test_looks(make: Factory, field: str, option: str, value: str) -> None:
    with pytest.raises(Invalid) as refused:
        make.draft(**{field: value})
    assert of_command(**{option: value}) == list(refused.value.errors.values())


@pytest.mark.parametrize(
    ("name", "value"),
    [("steps", "0"), ("steps", "many"), ("rank", "129"), ("rate", "1"), ("rate", "nan"), ("class_words", "x" * 121)],
)
def test_trainings(name: str, value: str) -> None:
    with pytest.raises(Invalid) as of_page:
        SubjectSpec.from_form({"name": "mug", "class_words": "mug", name: value}, TrainingFacts())
    options = subject.SubjectOptions(Path("mug.safetensors"), **({"class_words": "mug"} | {name: value}))
    with pytest.raises(Invalid) as of_options:
        subject.teach(options)
    assert of_options.value.errors == of_page.value.errors


@pytest.mark.parametrize("number", [0, 2, 21])
def test_numbers_of_pictures(session: Session, make: Factory, number: int) -> None:
    with pytest.raises(Invalid) as of_page:
        make.subject(pictures=tuple(make.subject_draft(number).pictures))
    options = subject.SubjectOptions(
        Path("mug.safetensors"), "mug", picture=[Path(str(each)) for each in range(number)]
    )
    with pytest.raises(Invalid) as of_options:
        subject.teach(options)
    assert of_options.value.errors == of_page.value.errors


def test_what_is_left_out_is_as_the_model_likes_it() -> None:
    form = form_of(GenerateOptions(Path("out"), prompt=["a fox", "an owl"]))
    spec = CommandSpec.for_model(form, MODEL)
    assert spec.prompts == ("a fox", "an owl")
    assert (spec.size, spec.steps, spec.guidance, spec.scheduler) == ((256, 256), 20, 5.0, "euler")
    assert (spec.count, spec.seed, spec.strength, spec.method) == (1, None, 1.0, ReferenceMethod.NOISE)


def test_numbers_are_read_from_what_was_typed() -> None:
    spec = asked(count="2", size="512×128", steps="4", guidance="0", seed="0", strength="0", seamless=True)
    assert (spec.count, spec.size, spec.steps, spec.seamless) == (2, (512, 128), 4, True)
    assert (spec.guidance, spec.seed, spec.strength) == (0.0, 0, 0.0)


def test_a_file_has_prompts_in_its_lines(tmp_path: Path) -> None:
    file = tmp_path / "prompts.txt"
    file.write_text("\ufeffan owl\n\n  a fox \n", encoding="utf-8")
    assert asked("a car", prompts_file=file).prompts == ("a car", "an owl", "a fox")
