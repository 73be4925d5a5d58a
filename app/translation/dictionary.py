"""Translate prompts into the captions that the bundled model has learned, by a dictionary of what it can draw.

A text is cut into the known words that leave the fewest characters over, in time linear in its length. What is left
over is reported, and so is a known word that is only a part of another: 家 in 家族 is no house.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from itertools import groupby, pairwise
from pathlib import Path

from app.prompts.handles import LATIN as NAMED
from app.prompts.syntax import LORA
from app.text import NO_ARTICLE, with_article
from app.translation.translator import JAPANESE, Span, Translation

SPELLINGS = Path(__file__).with_name("japanese.txt")
THING, COLOUR, LOOK, FILLER = "things", "colours", "looks", "filler"
PARTICLE, AND, LATIN, HANDLE, SIGN, SPACE, UNKNOWN = "particle", "and", "latin", "handle", "sign", "space", "unknown"

PARTICLES = dict.fromkeys("のなはがをにでへ", PARTICLE) | dict.fromkeys(("と", "や", "&", "+"), AND)
REMEMBERED = 2048  # texts
UNFINISHED = "いなのただる"  # how words end that stand before the word they describe
LEFT_OVER = 100  # what an unknown character costs, against 1 for a known word, and 2 for another sign
TO_HIRAGANA = {code: code - 0x60 for code in range(ord("ァ"), ord("ヶ") + 1)}
KANA_MARK = "ー"
COMMA = re.compile(r"[,、，;；。．\n]")
KINDS = {"latin": LATIN, "handle": HANDLE}
# What stays as it is: tags of other tools, weights, handles, words in Latin letters.
KEPT = re.compile(
    rf"(?P<lora>{LORA.pattern})|(?P<weight>:\s*[\d.]+\s*\))|(?P<handle>{NAMED.pattern})"
    rf"|(?P<latin>[A-Za-z0-9]+(?:[-'.][A-Za-z0-9]+)*)|(?P<comma>{COMMA.pattern})|(?P<bracket>[()\[\]])",
    re.IGNORECASE | re.ASCII,
)


@dataclass(frozen=True)
class Segment:
    """A part of a text, from `start` to `end`, and what it says in English."""

    start: int
    end: int
    kind: str
    says: str = ""


class Dictionary:
    """Translates into captions of the bundled model. Immutable, thread-safe."""

    def __init__(self, spellings: dict[str, tuple[str, str]] | None = None) -> None:
        """`spellings` give the kind and the English of each word, as `read_spellings` does."""
        self._said = {folded(each): found for each, found in (spellings or read_spellings()).items()}
        self._said |= {english: (kind, english) for kind, english in [*self._said.values()] if kind != FILLER}
        self._said |= {particle: (kind, "") for particle, kind in PARTICLES.items()}
        self._lengths: dict[str, set[int]] = {}  # of the words that begin with a letter
        for word in self._said:
            self._lengths.setdefault(word[0], set()).add(len(word))
        self._remembered = lru_cache(REMEMBERED)(self._translate)

    def translate(self, texts: Sequence[str]) -> list[Translation]:
        return [self._remembered(text) for text in texts]

    def missed(self, text: str, english: str) -> Sequence[Span]:
        found = self._remembered(text)
        return found.unknown if found.english == english else ()

    def _translate(self, text: str) -> Translation:
        pieces = _without_parts_of_words(text, self._pieces(text))
        unknown = tuple(_joined((piece.start, piece.end) for piece in pieces if piece.kind == UNKNOWN))
        return Translation(_caption(pieces), unknown)

    def _pieces(self, text: str) -> list[Segment]:
        """The text in pieces, the cheapest way: each known word costs 1, each character left over far more."""
        plain = folded(text)
        kept = {match.start(): match for match in KEPT.finditer(text)}
        inside = {place for match in kept.values() for place in range(match.start() + 1, match.end())}
        best: list[tuple[int, Segment | None]] = [(0, None), *[(LEFT_OVER * len(text) + 1, None)] * len(text)]
        for start in range(len(text)):
            cost = best[start][0]
            for piece, price in self._from(text, plain, start, kept, inside):
                if cost + price < best[piece.end][0]:
                    best[piece.end] = cost + price, piece
        pieces: list[Segment] = []
        end = len(text)
        while last := best[end][1]:
            pieces.append(last)
            end = last.start
        return pieces[::-1]

    def _from(
        self, text: str, plain: str, start: int, kept: dict[int, re.Match[str]], inside: set[int]
    ) -> Iterator[tuple[Segment, int]]:
        """The pieces that can begin at `start`, each with its cost."""
        if start in inside:
            return
        if match := kept.get(start):
            yield Segment(start, match.end(), KINDS.get(match.lastgroup or "", SIGN), match[0]), 2
        elif JAPANESE.match(text[start]) or text[start] == KANA_MARK:
            yield Segment(start, start + 1, UNKNOWN), LEFT_OVER
        else:
            yield Segment(start, start + 1, SPACE if text[start].isspace() else LATIN, text[start]), 2
        for length in self._lengths.get(plain[start], ()):
            end = start + length
            if end <= len(text) and end not in inside and (found := self._said.get(plain[start:end])):
                yield Segment(start, end, *found), 1


def folded(text: str) -> str:
    """A text as it is compared: lower case, katakana as hiragana. As long as `text`."""
    return "".join(low if len(low := letter.lower()) == 1 else letter for letter in text).translate(TO_HIRAGANA)


@cache
def read_spellings() -> dict[str, tuple[str, str]]:
    """The kind and the English of each spelling in the list."""
    found: dict[str, tuple[str, str]] = {}
    kind = ""
    for line in SPELLINGS.read_text().splitlines():
        if line.startswith("["):
            kind = line.strip("[]")
        elif line and not line.startswith("#"):
            english, _, spellings = line.partition(":")
            found |= dict.fromkeys(spellings.split(), (kind, english))
    return found


def _script(letter: str) -> str:
    """What a letter is written in; "" for what ends a word. The mark of a long vowel belongs to what is before it."""
    if "ぁ" <= letter <= "ゖ":
        return "hiragana"
    if "ァ" <= letter <= "ヺ":
        return "katakana"
    return "kanji" if JAPANESE.match(letter) else ""


def _scripts(text: str) -> list[str]:
    found: list[str] = []
    for letter in text:
        found.append(found[-1] if letter == KANA_MARK and found else _script(letter))
    return found


def _without_parts_of_words(text: str, pieces: list[Segment]) -> list[Segment]:
    """The same with words marked unknown that are only a part of what is written.

    Kanji or katakana in a row are known as a whole or not at all. In hiragana, which has no visible words, a known word
    ends where a particle, another known word or the row ends. Two things without anything between them are one word
    that is not known, such as a wheelchair (車いす), unless one is in katakana.
    """
    scripts = _scripts(text)
    spoilt = {index for index, piece in enumerate(pieces) if piece.kind == UNKNOWN}
    spoilt |= set(_parts_of_endings(scripts, pieces)) | set(_compounds(scripts, pieces))
    rows: list[list[int]] = [[] for _ in pieces]  # the pieces in the same row of kanji or katakana
    at = [index for index, piece in enumerate(pieces) for _ in range(piece.start, piece.end)]
    for script, places in groupby(range(len(text)), key=scripts.__getitem__):
        if script in ("kanji", "katakana"):
            members = list(dict.fromkeys(at[place] for place in places))
            for member in members:
                rows[member].append(members[0])
                rows[members[0]] += [each for each in members if each != members[0]] if member == members[0] else []
    waiting = [*spoilt]
    while waiting:
        for other in rows[waiting.pop()]:
            if other not in spoilt:
                spoilt.add(other)
                waiting.append(other)
    marked = [replace(each, kind=UNKNOWN, says="") if index in spoilt else each for index, each in enumerate(pieces)]
    return list(_hiragana_whole(scripts, text, marked))


def _parts_of_endings(scripts: list[str], pieces: list[Segment]) -> Iterator[int]:
    """Particles and the like that are only letters of a word that is not known, and numbers of things."""
    unknown = [piece.kind == UNKNOWN for piece in pieces]
    for index, piece in enumerate(pieces):
        small = piece.kind in (PARTICLE, AND, FILLER) and scripts[piece.start] == "hiragana"
        after_letters = index and unknown[index - 1] and scripts[piece.start - 1] == "hiragana"
        after_particle = index and piece.kind in (PARTICLE, AND) and pieces[index - 1].kind in (PARTICLE, AND)
        if small and (after_letters or after_particle):
            unknown[index] = True
            yield index
    for index, (piece, after) in enumerate(pairwise(pieces)):
        if unknown[index + 1] and (
            (piece.kind == AND and scripts[after.start] == "hiragana")
            or (piece.kind == LATIN and piece.says.isdigit() and piece.end == after.start)
        ):
            yield index


def _compounds(scripts: list[str], pieces: list[Segment]) -> Iterator[int]:
    for index in range(1, len(pieces)):
        left, right = pieces[index - 1 : index + 1]
        if left.kind == right.kind == THING and "katakana" not in (scripts[left.end - 1], scripts[right.start]):
            yield from (index - 1, index)


def _hiragana_whole(scripts: list[str], text: str, pieces: list[Segment]) -> Iterator[Segment]:
    for index, piece in enumerate(pieces):
        before, after = pieces[index - 1 : index], pieces[index + 1 : index + 2]
        cut_before = before and before[0].kind == UNKNOWN and text[piece.start - 1] not in UNFINISHED
        cut_after = after and after[0].kind == UNKNOWN
        part = piece.kind in (THING, COLOUR, LOOK) and (
            (cut_before and scripts[piece.start - 1] == scripts[piece.start] == "hiragana")
            or (cut_after and scripts[piece.end - 1] == scripts[piece.end] == "hiragana")
        )
        yield replace(piece, kind=UNKNOWN, says="") if part else piece


def _joined(spans: Iterable[Span]) -> Iterator[Span]:
    """Neighbours as one."""
    last: Span | None = None
    for start, end in spans:
        if last and last[1] == start:
            last = last[0], end
        else:
            if last:
                yield last
            last = start, end
    if last:
        yield last


@dataclass
class _Phrase:
    """What stands between two commas."""

    nouns: list[tuple[tuple[str, ...], str, str]] = field(default_factory=list)  # colours, name, kind
    joints: list[str] = field(default_factory=list)  # before each noun
    looks: list[str] = field(default_factory=list)
    colours: tuple[str, ...] = ()  # of the noun to come
    joint: str = ""  # to it, if one was written

    def take(self, piece: Segment) -> None:
        if piece.kind == COLOUR:
            self.colours = (*self.colours, piece.says)
        elif piece.kind == LOOK:
            self.looks.append(piece.says)
        elif piece.kind in (THING, HANDLE, LATIN):
            near = LATIN in (piece.kind, self.nouns[-1][2] if self.nouns else "")
            self.joints.append((self.joint or (" " if near else " and ")) if self.nouns else "")
            self.nouns.append((self.colours, piece.says, piece.kind))
            self.colours, self.joint = (), ""
        elif piece.kind == AND:
            self.joint = " and "

    @property
    def english(self) -> str:
        colours = self.colours
        if colours and self.nouns and not self.nouns[-1][0]:  # 狐は赤い
            self.nouns[-1] = (colours, *self.nouns[-1][1:])
            colours = ()
        said = ""
        for joint, (own, name, kind) in zip(self.joints, self.nouns, strict=True):
            words = " ".join((*own, name))
            said += joint + (with_article(words) if kind == THING and name not in NO_ARTICLE else words)
        return ", ".join(filter(None, (said, " ".join(colours), *self.looks)))


def _caption(pieces: Sequence[Segment]) -> str:
    """The pieces as a caption of the training pictures: "a red fox and a house, watercolor"."""
    parts: list[str] = []
    phrase = _Phrase()
    for piece in (*pieces, Segment(0, 0, SIGN)):
        if piece.kind != SIGN:
            phrase.take(piece)
            continue
        parts += [phrase.english, piece.says]
        phrase = _Phrase()
    return _set_in_type(part for part in parts if part)


def _set_in_type(parts: Iterable[str]) -> str:
    """Phrases and the signs between them: commas once and between phrases only, brackets close to their words."""
    said = ""
    comma = False
    for part in parts:
        if COMMA.fullmatch(part):
            comma = bool(said)
        elif part[0] in ":)]":
            said += part
            comma = False
        else:
            said += ", " if comma else " " if said and said[-1] not in "([" else ""
            said += part
            comma = False
    return said.replace("()", "").strip()
