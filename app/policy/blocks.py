"""The marks that a policy may have: headings, lists and paragraphs, as in Markdown. Everything else is text."""

import re
from dataclasses import dataclass, field
from typing import Literal

_HEADING = re.compile(r"#{1,3} +(?=\S)")
_ITEM = re.compile(r"[-*•・] *(?=\S)")
_NUMBERED = re.compile(r"\d{1,3}[.)] +(?=\S)")


@dataclass(frozen=True)
class Block:
    """A part of a policy: what it is, and its lines, which are the items of a list."""

    kind: Literal["heading", "list", "numbered", "paragraph"]
    lines: list[str] = field(default_factory=list)


def blocks(text: str) -> list[Block]:
    """The blocks of a cleaned text, in order. A blank line ends a block."""
    found: list[Block] = []
    fresh = True
    for line in text.split("\n"):
        if not line:
            fresh = True
            continue
        kind, words = _read(line)
        if fresh or kind == "heading" or found[-1].kind != kind:
            found.append(Block(kind))
        found[-1].lines.append(words)
        fresh = kind == "heading"
    return found


def _read(line: str) -> tuple[Literal["heading", "list", "numbered", "paragraph"], str]:
    if match := _HEADING.match(line):
        return "heading", line[match.end() :]
    if match := _NUMBERED.match(line):
        return "numbered", line[match.end() :]
    if match := _ITEM.match(line):
        return "list", line[match.end() :]
    return "paragraph", line
