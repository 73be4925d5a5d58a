"""What has a meaning of its own in prompts."""

import pytest

from app.prompts.handles import mentioned
from app.prompts.syntax import spoken, tags, without_breaks, without_loras


@pytest.mark.parametrize(
    ("prompt", "handles"),
    [
        ("@mug on a beach", ["mug"]),
        ("a @Mug, and @kettle-2.", ["mug", "kettle-2"]),
        ("@mug @mug", ["mug"]),
        ("mail me@example.com", []),
        ("@ mug, @@mug, @-mug", []),
        ("(@mug)", ["mug"]),
        ("@mug-", ["mug"]),
    ],
)
def test_mentioned(prompt: str, handles: list[str]) -> None:
    assert mentioned([prompt]) == handles


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("@mug on a beach", "sks mug on a beach"),
        ("a @Mug and @mugs", "a sks mug and @mugs"),
        ("@glow a fox, watercolour", "a fox, watercolour"),
        ("a fox @glow, watercolour", "a fox, watercolour"),
        ("a fox, @glow, watercolour", "a fox, watercolour"),
        ("a fox, @glow", "a fox"),
        ("@glow", ""),
        ("two  spaces stay", "two  spaces stay"),
    ],
)
def test_spoken(prompt: str, said: str) -> None:
    assert spoken(prompt, {"mug": "sks mug", "glow": ""}) == said


def test_a_phrase_has_no_weights() -> None:
    assert spoken("(@mug:1.3)", {"mug": "mug (blue)"}) == r"(mug \(blue\):1.3)"


@pytest.mark.parametrize(
    ("prompt", "read"),
    [
        ("a fox <lora:mug:0.8>, night", "a fox, night"),
        ("<LoRA:mug_v2:1>", ""),
        ("two  spaces stay", "two  spaces stay"),
    ],
)
def test_without_loras(prompt: str, read: str) -> None:
    assert without_loras(prompt) == read


def test_without_breaks() -> None:
    assert without_breaks("a fox BREAK night, BREAKFAST") == "a fox night, BREAKFAST"


def test_tags() -> None:
    prompt = "(a fox:1.3) with @Mug BREAK <lora:x:1>"
    assert [(prompt[tag.start : tag.end], tag.kind, tag.words) for tag in tags(prompt)] == [
        ("(a fox:1.3)", "weight", ""),
        ("BREAK", "break", ""),
        ("<lora:x:1>", "lora", ""),
        ("@Mug", "handle", "mug"),
    ]
    weight = next(tags(prompt))
    assert "".join(prompt[place] for place in weight.hidden) == "(:1.3)"
