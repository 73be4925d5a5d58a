"""The words that the model knows: objects with the name of their icon, and colours with their hue."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def _read(lines: list[str]) -> Iterator[tuple[str, str, bool]]:
    """Name, icon and whether the small model knows it."""
    for line in lines:
        if line and not line.startswith("#"):
            name, _, icon = line.removeprefix("* ").partition(" = ")
            yield name, icon or name.replace(" ", "-"), line.startswith("* ")


_ENTRIES = tuple(_read(Path(__file__).with_name("objects.txt").read_text().splitlines()))
ICON_OF = {name: icon for name, icon, _ in _ENTRIES}
OBJECTS = tuple(ICON_OF)
FEW_OBJECTS = tuple(name for name, _, few in _ENTRIES if few)

# Hue on the colour wheel, 0 to 1. Only saturated colours: a white or black object would vanish in half of the looks.
HUES = {"red": 0.0, "orange": 0.08, "yellow": 0.15, "green": 0.36, "blue": 0.60, "purple": 0.77, "pink": 0.91}

# fmt: off
_NO_ARTICLE = {
    "bacon", "books", "bread", "broccoli", "cherries", "corn", "dice", "fire", "french fries", "garlic",
    "glasses", "gloves", "grapes", "headphones", "jeans", "lightning", "pancakes", "peanuts", "popcorn", "scissors",
    "soap", "socks", "sunglasses", "sushi",
}
# fmt: on


def with_article(words: str) -> str:
    """The object as somebody would type it: "an owl", "a red owl", "glasses"."""
    if words in _NO_ARTICLE or words.split(" ", 1)[-1] in _NO_ARTICLE:
        return words
    return f"an {words}" if words[0] in "aeio" else f"a {words}"
