"""The bundled lists have the paper's form, and a wrong list is a sentence."""

import pytest

from app.errors import Invalid
from app.evaluation.prompts import LISTS, OBJECTS, StyleSet, bundled, parse
from app.style_aligned.loading import DEMO


def test_sdxls_list_has_a_hundred_styles_with_four_objects() -> None:
    sets = parse(bundled("stabilityai/stable-diffusion-xl-base-1.0").read_text())
    assert len({each.style for each in sets}) == len(sets) == 100
    assert all(len(set(each.objects)) == OBJECTS for each in sets)
    assert len({thing for each in sets for thing in each.objects}) > 150


def test_the_demo_list_asks_for_what_the_model_knows() -> None:
    sets = parse(bundled("demo").read_text())
    things = [thing for each in sets for thing in each.objects]
    known = (DEMO / "words.txt").read_text().splitlines()
    assert {thing.removeprefix("a ").removeprefix("an ") for thing in things} <= set(known)
    assert len({each.style for each in sets}) == 18


def test_prompts_name_the_style_everywhere_or_only_first() -> None:
    each = StyleSet("neon sign", ("a cat", "a rocket", "a rose", "a bell"))
    assert each.prompts("all") == ["a cat, neon sign", "a rocket, neon sign", "a rose, neon sign", "a bell, neon sign"]
    assert each.prompts("first") == ["a cat, neon sign", "a rocket", "a rose", "a bell"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("# only a comment\n", "The list has no sets; write one per line."),
        (
            "neon | a | b | c | d\nink | a | b\n",
            "Line 2 of the list must be a style and 4 objects with | between them.",
        ),
        ("neon | a | | c | d\n", "Line 1 of the list must be a style and 4 objects with | between them."),
    ],
)
def test_a_wrong_list_names_its_line(text: str, said: str) -> None:
    with pytest.raises(Invalid, match="list") as refused:
        parse(text)
    assert str(refused.value) == said


def test_every_list_can_be_read() -> None:
    assert [len(parse(file.read_text())) for file in sorted(LISTS.glob("*.txt"))] == [18, 100]
