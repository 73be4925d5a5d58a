"""Handles: how prompts name subjects, `@mug` or `@マグカップ`.

A handle has the letters a to z, digits, kana and kanji, and hyphens between them. Japanese is written without blanks,
so where a handle ends depends on those that are known: of `@マグカップの写真`, the longest known one counts, and
without any, all of it. A row of Latin letters and digits, or of katakana, is never cut: `@マグカップ` is not `@マグ`.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from app.text import slug

HANDLE_LENGTH = 40
KATAKANA = "ァ-ヺー-ヾ"
LETTERS = rf"a-z0-9々-〇ぁ-ゖゝゞ{KATAKANA}\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
RUN = re.compile(rf"(?<![\w@])@([{LETTERS}](?:[{LETTERS}-]*[{LETTERS}])?)", re.IGNORECASE | re.ASCII)
UNIT = re.compile(rf"[A-Za-z0-9-]+|[ァ-ヺ][{KATAKANA}]*|.[々ゝゞー-ヾ]*")  # what is never cut
LATIN = re.compile(r"(?<![\w@])@([a-z0-9](?:[a-z0-9-]*[a-z0-9])?)", re.IGNORECASE | re.ASCII)


class Named(NamedTuple):
    """A place of a text, from `start` to `end`, that names a subject."""

    start: int
    end: int
    handle: str


def handle_from(name: str) -> str:
    """Make a handle from a subject's name: "Kettle No. 2" -> "kettle-no-2", "ﾏｸﾞ・Ａ" -> "マグ-a".

    Names that differ only in case or width give the same. "" if nothing of the name can be written in a handle.
    """
    return re.sub(f"[^{LETTERS}]+", "-", slug(name, HANDLE_LENGTH)).strip("-")


def mentions(text: str, known: Collection[str] = ()) -> Iterator[Named]:
    """Where a text, cleaned by `clean_prompt`, names subjects, in order. `known` are the handles of subjects."""
    for match in RUN.finditer(text):
        run = match[1].lower()
        handle = next((start for start in reversed(_starts(run)) if start in known), run)
        yield Named(match.start(), match.start(1) + len(handle), handle)


def mentioned(texts: Iterable[str], known: Collection[str] = ()) -> list[str]:
    """The handles that texts name, each once, in lower case."""
    return list(dict.fromkeys(each.handle for text in texts for each in mentions(text, known)))


def candidates(texts: Iterable[str]) -> list[str]:
    """Every handle that texts may name, whichever are known."""
    runs = (match[1].lower() for text in texts for match in RUN.finditer(text))
    return list(dict.fromkeys(start for run in dict.fromkeys(runs) for start in _starts(run)))


def depends_on_known(text: str) -> bool:
    """Whether it depends on the known handles what a text names."""
    return not text.isascii() and any(not match[1].isascii() for match in RUN.finditer(text))


def _starts(run: str) -> list[str]:
    """What can be a handle at the start of a run, shortest first."""
    ends = (match.end() for match in UNIT.finditer(run[: HANDLE_LENGTH + 1]))
    return [run[:end] for end in ends if end <= HANDLE_LENGTH]
