"""Search for pictures: the filters of an address, and the words typed into its field."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, urlencode

from app.models import Verdict
from app.quality.measures import DEFINITIONS
from app.ranking import spellings
from app.sets.queries import NOT_REVIEWED
from app.styles.queries import normal_code
from app.styles.service import CODE_LETTERS
from app.text import clean_line, whole_number

DECISIONS = (*(str(verdict) for verdict in Verdict), NOT_REVIEWED)
OLDEST = "oldest"  # the order that an address can request
ORDERS = {str(measure): each for measure, each in DEFINITIONS.items() if each.worse}  # measures that can be
WORDS_LENGTH = 200  # characters that are searched for
MOST_VALUES = 50  # per filter
BEFORE, AFTER = " (-", " ,.)-"  # a word in a prompt
TRIGRAM = 3  # characters; shorter words are not in the index
_CODE = re.compile(rf"(SOR-)?[{CODE_LETTERS}]{{4}}", re.IGNORECASE)


@dataclass(frozen=True)
class PictureFilter:
    """Which pictures, in which order: an empty field does not filter, several values are alternatives."""

    decision: Sequence[str] = ()  # verdicts, or NOT_REVIEWED
    style: Sequence[str] = ()  # codes
    campaign: Sequence[int] = ()
    owner: Sequence[int] = ()
    tag: Sequence[str] = ()
    set: int | None = None
    reference: int | None = None  # of a style version that made the picture
    starred: bool = False  # by the current user
    flagged: bool = False  # by its measures
    since: date | None = None  # first completion day
    until: date | None = None  # last completion day
    q: str = ""  # words that must all be found: in the prompt, in what was drawn for it, as a seed or as a style's code
    oldest: bool = False  # first; otherwise newest first
    measure: str = ""  # by which the worst come first; before the words and the age

    @classmethod
    def of_query(cls, query: str) -> "PictureFilter":
        """Parse the query of an address: `style=SOR-7K2Q&decision=approved`."""
        return cls.of_pairs(parse_qsl(query))

    @classmethod
    def of_pairs(cls, pairs: Iterable[tuple[str, str]]) -> "PictureFilter":
        """Build from names and values. Ignores what makes no sense."""
        values: dict[str, list[str]] = {}
        for name, value in pairs:
            values.setdefault(name, []).append(value)
        return cls(
            decision=_several(values, "decision", lambda value: value if value in DECISIONS else None),
            style=_several(values, "style", lambda value: normal_code(value) if value.strip() else None),
            campaign=_several(values, "campaign", whole_number),
            owner=_several(values, "owner", whole_number),
            tag=_several(values, "tag", lambda value: normal_tag(value) or None),
            set=whole_number(_last(values, "set")),
            reference=whole_number(_last(values, "reference")),
            starred=bool(_last(values, "starred")),
            flagged=bool(_last(values, "flagged")),
            since=_day(_last(values, "since")),
            until=_day(_last(values, "until")),
            q=clean_line(_last(values, "q"))[:WORDS_LENGTH].strip(),
            oldest=_last(values, "order") == OLDEST,
            measure=_last(values, "order") if _last(values, "order") in ORDERS else "",
        )

    @property
    def pairs(self) -> list[tuple[str, Any]]:
        """The pairs of an address; `of_pairs` gives the same filter."""
        several = ((name, value) for name in ("decision", "style", "campaign", "owner", "tag") for value in self[name])
        single = ((name, self[name]) for name in ("set", "reference", "since", "until", "q") if self[name] is not None)
        marks = [(name, 1) for name in ("starred", "flagged") if self[name]]
        order = [("order", self.measure or OLDEST)] if self.measure or self.oldest else []
        return [*several, *marks, *((name, value) for name, value in single if value != ""), *order]

    @property
    def query(self) -> str:
        return urlencode(self.pairs)

    def without(self, name: str, value: object = None) -> "PictureFilter":
        """The filter without one value of a field, or without the whole field."""
        left = EVERYTHING[name] if value is None else tuple(each for each in self[name] if each != value)
        changes: dict[str, Any] = {name: left}
        return replace(self, **changes)

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)

    def __bool__(self) -> bool:
        """Whether anything is filtered."""
        return self != self.cleared

    @property
    def cleared(self) -> "PictureFilter":
        """All pictures, in the same order."""
        return PictureFilter(oldest=self.oldest, measure=self.measure)


EVERYTHING = PictureFilter()


@dataclass(frozen=True)
class Word:
    """One word of a search, and what it may be besides a part of the prompt."""

    text: str
    seed: int | None = None
    code: str = ""  # of a style, if it exists

    @property
    def only_code(self) -> bool:
        """Whether it is written as a code, such as SOR-7K2Q, and nothing else."""
        return bool(self.code) and self.text.upper() == self.code

    @property
    def indexed(self) -> bool:
        return all(len(each) >= TRIGRAM for each in self.spellings)

    @cached_property
    def spellings(self) -> list[str]:
        return spellings(self.text)


def words(q: str) -> list[Word]:
    """The words of a search, each once.

    Leaves out single characters that nearly every prompt has, such as the first letter of a word being typed.
    """
    return [
        Word(text, whole_number(text), normal_code(text) if _CODE.fullmatch(text) else "")
        for text in dict.fromkeys(q.split())
        if len(text) > 1 or not text.isascii() or text.isdecimal()
    ]


def match(word: Word) -> str:
    """An FTS5 query for text that contains a word in one of its spellings, each taken literally."""
    return "(" + " OR ".join('"' + text.replace('"', '""') + '"' for text in word.spellings) + ")"


def match_whole(word: Word) -> str:
    """An FTS5 query for text that contains a word between spaces or common punctuation, or begins with it."""
    quoted = [text.replace('"', '""') for text in word.spellings]
    starts = [f'^"{text}{after}"' for text in quoted for after in AFTER]
    return "(" + " OR ".join([*starts, *(f'"{a}{text}{b}"' for text in quoted for a in BEFORE for b in AFTER)]) + ")"


def normal_tag(text: str) -> str:
    """Normalise a tag: one line, lower case, single spaces."""
    return " ".join(clean_line(text).lower().split())


def _several(values: dict[str, list[str]], name: str, made: Callable[[str], Any]) -> tuple[Any, ...]:
    found = (made(value) for value in values.get(name, [])[:MOST_VALUES])
    return tuple(dict.fromkeys(value for value in found if value is not None))


def _last(values: dict[str, list[str]], name: str) -> str:
    return values.get(name, [""])[-1]


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
