"""File names from a template."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.exports import names
from app.exports.names import FIELDS, NameValues, Taken
from app.text import slug

VALUES = NameValues(
    campaign="spring",
    set="autumn-table",
    style="retro-sunburst",
    code="SOR-7K2Q",
    version=2,
    n=7,
    position=3,
    slug="a-fox",
    seed=1234,
    id=99,
    size="1080x1350",
    format="jpeg",
)


@pytest.mark.parametrize(
    ("template", "name"),
    [
        (names.DEFAULT, "spring-retro-sunburst-007-a-fox"),
        ("{n}", "7"),
        ("{n:5} {slug}", "00007 a-fox"),
        ("{set}/{position:02}-{seed}", "autumn-table/03-1234"),
        ("{code} v{version} ({size}, {format})", "SOR-7K2Q v2 (1080x1350, jpeg)"),
        ("写真_{id:04}", "写真_0099"),
        ("{{{n}}}", "{7}"),
    ],
)
def test_the_template_is_filled(template: str, name: str) -> None:
    assert names.name(names.checked(template), VALUES) == name


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        ("", "0 characters"),
        ("x" * 201, "201 characters"),
        ("pictures", "no field"),
        ("{n", "an unmatched brace"),
        ("n}", "an unmatched brace"),
        ("{who}-{n}", "{who}; the fields are campaign, set"),
        ("{}", "{}; the fields are"),
        ("{n.__class__}", "{n.__class__}; the fields are"),
        ("{n!r}", "{n}; the fields are"),
        ("{slug:03}", "{slug:03}; a number’s digits"),
        ("{n:>9}", "'>', which file names cannot have"),
        ("{n:99}", "{n:99}; a number’s digits"),
        ("a:{n}", "':', which file names cannot have"),
        ("a\\{n}", "which file names cannot have"),
        ("../{n}", "a folder without a name"),
        ("/{n}", "a folder without a name"),
        ("{n}/", "a folder without a name"),
    ],
)
def test_a_wrong_template_is_a_sentence(template: str, sentence: str) -> None:
    with pytest.raises(ValueError, match="name template") as caught:
        names.checked(template)
    assert sentence in str(caught.value)


@given(st.text(), st.sampled_from([f"{{{field}}}" for field in FIELDS]), st.text(max_size=60))
def test_no_prompt_leaves_its_folder(prompt: str, field: str, around: str) -> None:
    try:
        template = names.checked(around + field)
    except ValueError:
        return
    values = replace(VALUES, slug=slug(prompt), campaign=slug(prompt), set=slug(prompt), style=slug(prompt))
    for part in names.name(template, values).split("/"):
        assert part.strip(". ") == part != ""
        assert not set(part) & set('\\<>:"|?*\0\n')
        assert len(part.encode()) <= names.PART_BYTES + 1


def test_an_empty_field_leaves_no_hyphens() -> None:
    assert names.name("{campaign}-{slug}-{n}", replace(VALUES, slug="")) == "spring-7"
    assert names.name("{slug}", replace(VALUES, slug="")) == "007"
    assert names.name("{slug}", replace(VALUES, slug="con")) == "con-"


def test_no_name_comes_twice() -> None:
    taken = Taken()
    assert [taken.unique(name) for name in ("fox", "Fox", "fox-2", "fox")] == ["fox", "Fox-2", "fox-2-2", "fox-3"]


@given(st.lists(st.sampled_from(["a", "A", "a-2", "a-2-2", "b", "straße", "STRASSE"])))
def test_names_differ_without_regard_to_case(wanted: list[str]) -> None:
    taken = Taken()
    given = [taken.unique(name) for name in wanted]
    assert len({name.casefold() for name in given}) == len(wanted)
    assert all(name.startswith(asked) for name, asked in zip(given, wanted, strict=True))
