"""The words that the model knows: objects with their icon, and colours with their hue."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

STAR, PLUS = "*", "+"


def _read(lines: list[str]) -> Iterator[tuple[str, str, str]]:
    """Yield the name, icon and mark of each entry."""
    for line in lines:
        if line and not line.startswith("#"):
            mark, words = (line[0], line[2:]) if line[0] in (STAR, PLUS) else ("", line)
            name, _, icon = words.partition(" = ")
            yield name, icon or name.replace(" ", "-"), mark


_ENTRIES = tuple(_read(Path(__file__).with_name("objects.txt").read_text().splitlines()))
ICON_OF = {name: icon for name, icon, _ in _ENTRIES}
OBJECTS = tuple(ICON_OF)
FEW_OBJECTS = tuple(name for name, _, mark in _ENTRIES if mark)  # of the small model
# Those that its bundled weights learnt last.
LATE_OBJECTS = tuple(name for name, _, mark in _ENTRIES if mark == PLUS)

# Hue on the colour wheel, 0 to 1. Only saturated ones: half of the looks hide white or black objects.
HUES = {"red": 0.0, "orange": 0.08, "yellow": 0.15, "green": 0.36, "blue": 0.60, "purple": 0.77, "pink": 0.91}

# fmt: off
_NO_ARTICLE = {
    "bacon", "books", "bread", "broccoli", "cherries", "corn", "dice", "fire", "french fries", "garlic",
    "glasses", "gloves", "grapes", "headphones", "jeans", "lightning", "pancakes", "peanuts", "popcorn", "scissors",
    "soap", "socks", "sunglasses", "sushi",
}
# fmt: on


def with_article(words: str) -> str:
    """The object with its article, if it takes one: "an owl", "a red owl", "glasses"."""
    if words in _NO_ARTICLE or words.split(" ", 1)[-1] in _NO_ARTICLE:
        return words
    return f"an {words}" if words[0] in "aeio" or words == "hourglass" else f"a {words}"
