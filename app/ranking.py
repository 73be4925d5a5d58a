"""How well words match a name or a prompt: one ranking for every search.

A word that is there as a whole counts most, then one that a word begins with, then one inside a word: "car" finds "a
red car" before "carpet" and "scarf". Letter case and width do not matter. Text without spaces, such as Japanese,
matches inside.
"""

import re
from functools import cache, lru_cache

from app.text import normalized

WHOLE, BEGINNING, INSIDE, NOTHING = 3, 2, 1, 0

_TO_WIDE = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}


def folded(text: str) -> str:
    """`text` without differences of case and width."""
    return text.lower() if text.isascii() else normalized("NFKC", normalized("NFKC", text).casefold())


def rank(text: str | None, query: str | None) -> int:
    """How well `text` has every word of `query`, by the one that matches worst; NOTHING if a word is missing.

    The database calls this for every row that it searches, as `match_rank` (`app.database`).
    """
    if not text:
        return NOTHING
    text, worst = folded(text), WHOLE
    words = _words(query or "")
    for word, whole, beginning in words:
        if word not in text:
            return NOTHING
        if worst > INSIDE and not (worst == WHOLE and whole.search(text)):
            worst = BEGINNING if beginning.search(text) else INSIDE
    return worst if words else NOTHING


@lru_cache(maxsize=64)
def _words(query: str) -> list[tuple[str, re.Pattern[str], re.Pattern[str]]]:
    """The words of a search, with what finds each as a whole and as the beginning of a word."""
    found = dict.fromkeys(folded(query).split())
    alone = ((word, rf"(?<!\w){re.escape(word)}") for word in found)
    return [(word, re.compile(rf"{start}(?!\w)"), re.compile(start)) for word, start in alone]


def spellings(word: str) -> list[str]:
    """`word` as typed, and in the widths that it may have been written in: "fox" and "ｆｏｘ", "キツネ" and "ｷﾂﾈ"."""
    plain = normalized("NFKC", word)
    return list(dict.fromkeys((word, plain, plain.translate(_TO_WIDE), plain.translate(_to_narrow()))))


@cache
def _to_narrow() -> dict[int, str]:
    """Katakana and their marks in half width."""
    narrow = [chr(code) for code in range(0xFF61, 0xFFA0)]
    voiced = [letter + mark for letter in narrow for mark in "ﾞﾟ"]
    composed = ((normalized("NFKC", each), each) for each in (*narrow, *voiced))
    return {ord(wide): each for wide, each in composed if len(wide) == 1}
