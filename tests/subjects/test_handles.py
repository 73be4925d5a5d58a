"""How prompts name subjects."""

import pytest

from app.subjects.handles import handle_from, mentioned, spoken


@pytest.mark.parametrize(
    ("name", "handle"),
    [
        ("Mug", "mug"),
        ("Kettle No. 2", "kettle-no-2"),
        ("  Große Tasse!! ", "gro-e-tasse"),
        ("湯のみ", ""),
        ("mug 湯のみ", "mug"),
        ("x" * 60, "x" * 40),
    ],
)
def test_handle_from(name: str, handle: str) -> None:
    assert handle_from(name) == handle


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
