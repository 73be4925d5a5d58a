"""Find words and names in texts, however they are written.

Texts and words are compared in a folded form: compatibility forms are the usual ones (NFKC), without case, accents of
Latin letters, and the difference between katakana and hiragana; what separates words is one space, and nothing between
Japanese characters, so "ミッキー・マウス" is "みっきーまうす" and "Mickey-Mouse" is "mickey mouse".

All words are found in one pass over a text (Aho and Corasick, "Efficient string matching", 1975), so the time depends
on the length of the text, and not on the number of words.
"""

import re
import unicodedata
from collections import deque
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from itertools import pairwise
from typing import NamedTuple

from app.text import marks, normalized

ACCENTS = re.compile("[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+")
NOTHING = re.compile(  # invisible: Default_Ignorable_Code_Point of Unicode, with the selectors of kanji's variants
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]+"
)
SEPARATORS = re.compile(r"[\s\u2800_\-‐-―・·•･＝=~〜…./\\|()\[\]{}:*+'’\"“”「」『』]+")
JAPANESE = "\u3005-\u3007\u3041-\u309f\u30a0-\u30ff\u3400-\u9fff\uf900-\ufaff"
BETWEEN_JAPANESE = re.compile(f"(?<=[{JAPANESE}]) (?=[{JAPANESE}])")
IS_JAPANESE = re.compile(f"[{JAPANESE}]")
KATAKANA = re.compile("[\u30a1-\u30fa\u30fc\u31f0-\u31ff]")
HIRAGANA = {code: code - 0x60 for code in range(0x30A1, 0x30F7)}


class BlockedEntry(NamedTuple):
    """A word of the list."""

    name: str
    folded: str
    reason: str
    whole: bool


class Find(NamedTuple):
    """A word in a text, from the character `start` to before `end`."""

    word: BlockedEntry
    start: int
    end: int


def folded(text: str) -> str:
    """The form in which texts are compared."""
    return _joined(_letters(text)).strip()


def can_be_found(folded: str) -> bool:
    """Whether a folded word has anything to look for: not only marks, signs or what is invisible."""
    return any(sign.isalnum() for sign in folded)


def _letters(text: str) -> str:
    plain = ACCENTS.sub("", normalized("NFKD", text))
    return NOTHING.sub("", normalized("NFKC", plain).casefold().translate(HIRAGANA))


def _joined(text: str) -> str:
    return BETWEEN_JAPANESE.sub("", SEPARATORS.sub(" ", text))


_fold_cluster = lru_cache(2**15)(_letters)


@cache
def _second_letters() -> frozenset[str]:
    """What composes with the letter before it, among them vowel signs that are no marks: Bengali's, and Hangul's."""
    pairs = (unicodedata.decomposition(chr(code)).split() for code in range(0x30000))
    hangul = (*range(0x1161, 0x1176), *range(0x11A8, 0x11C3))  # composed by rule, not by a table
    return frozenset(
        [chr(int(pair[1], 16)) for pair in pairs if len(pair) == 2 and pair[0][0] != "<"]
        + [chr(code) for code in hangul]
    )


@lru_cache(2**15)
def _continues(sign: str) -> bool:
    """Whether a character can change what the one before it is normalised to."""
    return sign in marks() or bool(ACCENTS.match(sign)) or normalized("NFKD", sign)[0] in _second_letters()


def _clusters(text: str) -> Iterator[tuple[int, int]]:
    """Where each character begins and ends, together with what is normalised with it."""
    starts = [place for place, sign in enumerate(text) if not place or not _continues(sign)]
    return pairwise([*starts, len(text)])


def folded_places(text: str) -> tuple[str, list[int], list[int]]:
    """`folded(text)`, and for each of its characters where it comes from in `text`: the first and the one after."""
    signs: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    for start, end in _clusters(text):
        part = _fold_cluster(text[start:end])
        signs += part
        starts += [start] * len(part)
        ends += [end] * len(part)
    whole = "".join(signs)
    kept: list[str] = []
    places: list[int] = []
    for start, end, sign in _pieces(whole):
        kept += sign
        places += range(start, end) if end - start == len(sign) else [start]
    made = "".join(kept)
    gone = {match.start() for match in BETWEEN_JAPANESE.finditer(made)}
    left = [place for number, place in enumerate(places) if number not in gone]
    made = BETWEEN_JAPANESE.sub("", made)
    first, last = len(made) - len(made.lstrip()), len(made.rstrip())
    left = left[first:last]
    return made.strip(), [starts[place] for place in left], [ends[place] for place in left]


def _pieces(text: str) -> Iterator[tuple[int, int, str]]:
    """The text between separators as it is, and each row of separators as a space."""
    end = 0
    for match in SEPARATORS.finditer(text):
        yield end, match.start(), text[end : match.start()]
        yield match.start(), match.end(), " "
        end = match.end()
    yield end, len(text), text[end:]


class Matcher:
    """Finds the words of a list. Immutable, thread-safe."""

    def __init__(self, words: Sequence[BlockedEntry]) -> None:
        self._next: list[dict[str, int]] = [{}]
        self._fail = [0]
        self._words: list[list[BlockedEntry]] = [[]]  # that end in a state
        for word in words:
            self._add(word)
        self._link()

    def _add(self, word: BlockedEntry) -> None:
        state = 0
        for sign in word.folded:
            if sign not in self._next[state]:
                self._next[state][sign] = len(self._next)
                self._next.append({})
                self._fail.append(0)
                self._words.append([])
            state = self._next[state][sign]
        if state:
            self._words[state].append(word)

    def _link(self) -> None:
        """For each state, by breadth: where to continue when the next character does not fit."""
        ahead = deque(self._next[0].values())
        while ahead:
            state = ahead.popleft()
            for sign, after in self._next[state].items():
                ahead.append(after)
                fail = self._fail[state]
                while fail and sign not in self._next[fail]:
                    fail = self._fail[fail]
                self._fail[after] = self._next[fail].get(sign, 0)
                self._words[after] = self._words[after] + self._words[self._fail[after]]

    def find(self, text: str) -> list[Find]:
        """The words in a text, in the order of their ends; of those that overlap, all."""
        if len(self._next) == 1 or not any(True for _ in self._ends(folded(text))):
            return []
        made, starts, ends = folded_places(text)
        found = []
        for end, word in self._ends(made):
            start, stop = starts[end - len(word.folded)], ends[end - 1]
            if not word.whole or _stands_alone(text, start, stop):
                found.append(Find(word, start, stop))
        return found

    def _ends(self, text: str) -> Iterator[tuple[int, BlockedEntry]]:
        """The words in a folded text, and the place after each."""
        following, fails, words, state = self._next, self._fail, self._words, 0
        for place, sign in enumerate(text, start=1):
            while state and sign not in following[state]:
                state = fails[state]
            state = following[state].get(sign, 0)
            for word in words[state]:
                yield place, word


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Whether what is found is no part of a longer word: of Latin letters and digits, or of katakana.

    Kanji and hiragana have no spaces between words, so there everything stands alone.
    """
    return not _goes_on(text[start - 1 : start], text[start]) and not _goes_on(text[end : end + 1], text[end - 1])


def _goes_on(neighbour: str, sign: str) -> bool:
    if not neighbour:
        return False
    if KATAKANA.match(neighbour) and KATAKANA.match(sign):
        return True
    return _spaced(neighbour) and _spaced(sign)


def _spaced(sign: str) -> bool:
    """Whether a character is of a script that has spaces between words."""
    return sign.isalnum() and not IS_JAPANESE.match(normalized("NFKC", sign))
