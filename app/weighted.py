r"""Weights of words in a text, and how its tokens are divided into chunks. Needs neither torch nor a tokenizer.

The grammar is the common one of Stable Diffusion's tools, stated in our own words:

    text   = { group | damped | break | escape | any other character }
    group  = "(" text [ ":" number ] ")"        times the number, or times 1.1
    damped = "[" text "]"                       times 1 / 1.1
    break  = "BREAK"                            a word of its own: the next chunk begins here
    escape = "\(" | "\)" | "\[" | "\]" | "\\"   the sign itself

Groups nest, and their factors multiply; a weight outside of WEIGHTS becomes the nearest in it. What does not fit is
text as it is: a bracket without its partner, a colon without a number, and the colon of a time or a ratio, as in
"(at 10:30)" and "(16:9)". No text is refused, and each is read in one pass.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, pairwise

EMPHASIS = 1.1
WEIGHTS = (0.0, 2.0)
DECIMALS = 4  # of a weight
NUMBER = re.compile(r":\s{0,2}([+-]?(?:[0-9]{1,3}(?:\.[0-9]{0,6})?|\.[0-9]{1,6}))\s{0,2}$")  # ":1.3", before ")"
NUMBER_LENGTH = 16  # characters: the longest NUMBER
BREAK = re.compile(r"(?<!\w)BREAK(?!\w)")
SPECIAL = re.compile(r"([()\[\]\\])")
PARTNER = {")": "(", "]": "["}
LATE = 4  # a chunk may end with a comma in its last quarter

Span = tuple[int, int]


@dataclass(frozen=True)
class Group:
    """A weighted part of a text, in characters as typed."""

    start: int
    """Of its opening bracket."""
    inner_end: int
    """Where ")", "]" or ":1.3)" begins."""
    end: int
    factor: float
    """As typed, perhaps outside of WEIGHTS."""


@dataclass(frozen=True)
class Run:
    """A part of a text of one weight."""

    text: str
    weight: float


@dataclass(frozen=True)
class Weighted:
    """A text that was read."""

    runs: tuple[Run, ...]
    """Its parts in order, without brackets; neighbours differ in weight."""
    groups: tuple[Group, ...]
    """In the order of their ends."""
    escapes: tuple[int, ...]
    """Where backslashes are that only say that a sign is text."""

    @cached_property
    def plain(self) -> str:
        """The text without weights."""
        return "".join(run.text for run in self.runs)

    @cached_property
    def weights(self) -> list[float]:
        """Of each character of `plain`."""
        return [run.weight for run in self.runs for _ in run.text]

    @cached_property
    def written(self) -> str:
        """The text with each weight as a number, "(a (b):1.2)" as "(a :1.2)(b:1.32)". It is read as the same again."""
        return "".join(
            escaped(run.text) if run.weight == 1 else f"({escaped(run.text)}:{run.weight})" for run in self.runs
        )


def weighted(text: str) -> Weighted:
    """Read the weights of a text."""
    groups, escapes = _brackets(text)
    opening = {group.start: group for group in groups}
    closing = {group.inner_end: group for group in groups}
    factors = [1.0]
    signs: list[tuple[float, str]] = []
    place, hidden = 0, set(escapes)
    while place < len(text):
        if group := opening.get(place):
            factors.append(within(factors[-1] * group.factor))
            place += 1
        elif group := closing.get(place):
            factors.pop()
            place = group.end
        else:
            if place not in hidden:
                signs.append((factors[-1], text[place]))
            place += 1
    runs = ((weight, "".join(sign for _, sign in part)) for weight, part in groupby(signs, key=lambda each: each[0]))
    return Weighted(tuple(Run(words, weight) for weight, words in runs), tuple(groups), tuple(escapes))


def escaped(text: str) -> str:
    """A text in which no sign has a meaning of its own: "a (b)" as r"a \\(b\\)"."""
    return SPECIAL.sub(r"\\\1", text)


def within(weight: float) -> float:
    """The nearest weight that is read, rounded to DECIMALS."""
    least, most = WEIGHTS
    return round(min(max(weight, least), most), DECIMALS)


def ended(text: str, end: int, groups: Sequence[Group]) -> str:
    """A text up to `end`, with the groups that are open there closed as in the whole text."""
    still_open = [group for group in groups if group.start < end < group.end]  # innermost first
    end = min([end, *(group.inner_end for group in still_open)])
    return text[:end].rstrip(" ,;") + "".join(text[group.inner_end : group.end] for group in still_open)


def segments(plain: str) -> list[Span]:
    """The parts of a plain text between the words BREAK; those without a word are left out."""
    breaks = [(0, 0), *(match.span() for match in BREAK.finditer(plain)), (len(plain), len(plain))]
    spans = [(left[1], right[0]) for left, right in pairwise(breaks)]
    return [span for span in spans if plain[slice(*span)].strip(" ,;")] or [(0, 0)]


def divided(text: str, tokens: Sequence[Span], room: int) -> list[Span]:
    """Divide the tokens of a text into chunks of at most `room`: the first and the end of each, at least one.

    `tokens` are the characters that each comes from. A chunk ends with a comma in its last quarter, or else with a
    word, so that the encoders, which see one chunk at a time, see together what belongs together.
    """
    chunks: list[Span] = []
    start = 0
    while len(tokens) - start > room:
        end = _chunk_end(text, tokens, start, room)
        chunks.append((start, end))
        start = end
    return [*chunks, (start, len(tokens))]


def _chunk_end(text: str, tokens: Sequence[Span], start: int, room: int) -> int:
    words = [at for at in range(start + 1, start + room + 1) if tokens[at][0] > tokens[at - 1][1]]
    commas = [at for at in words if text[tokens[at - 1][1] - 1] in ",;." and at > start + room - room // LATE]
    return [start + room, *words[-1:], *commas[-1:]][-1]


def _brackets(text: str) -> tuple[list[Group], list[int]]:
    """The groups of a text in the order of their ends, and where backslashes escape a sign."""
    groups: list[Group] = []
    escapes: list[int] = []
    opened: list[int] = []
    count = {"(": 0, "[": 0}
    place = 0
    while place < len(text):
        sign = text[place]
        if sign == "\\" and SPECIAL.match(text, place + 1):
            escapes.append(place)
            place += 1
        elif sign in count:
            opened.append(place)
            count[sign] += 1
        elif sign in PARTNER and count[PARTNER[sign]]:
            while True:  # what was opened in between has no partner
                start = opened.pop()
                count[text[start]] -= 1
                if text[start] == PARTNER[sign]:
                    break
            groups.append(_group(text, start, place))
        place += 1
    return groups, escapes


def _group(text: str, start: int, closing: int) -> Group:
    if text[start] == "[":
        return Group(start, closing, closing + 1, 1 / EMPHASIS)
    first = max(start + 1, closing - NUMBER_LENGTH)
    number = NUMBER.search(text[first:closing])
    if not number or ("." not in number[1] and text[first + number.start() - 1].isdigit()):
        return Group(start, closing, closing + 1, EMPHASIS)
    return Group(start, first + number.start(), closing + 1, float(number[1]))
