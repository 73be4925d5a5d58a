"""How the text encoders of a model read a prompt.

CLIP reads 77 tokens, two of which frame the text. A longer text is read in chunks of so many, if that suits the model,
and what is beyond the last chunk is dropped. The style's text comes last in a prompt, so without care it would be what
is dropped. Here it is the prompt that is shortened, after a whole word.
"""

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from tokenizers import Tokenizer

from app.prompts.syntax import Tag, spoken, tags, without_breaks, without_loras
from app.text import normalized
from app.weighted import divided, ended, segments, weighted

WORD = re.compile(r"[^\W_]+")
PART = re.compile(r"[^\W_]+|[^\w\s\x00-\x7f]+")  # a word, or signs such as emoji
FRAME = 2  # tokens that begin and end every text
PROMPTS_SHARE = 8  # an eighth of the tokens is for the prompt, however long the style's text
REMEMBERED = 2048  # texts
# Words that say nothing about what a picture shows.
SMALL_WORDS = frozenset(("a", "an", "the", "of", "and", "in", "on", "at", "with", "to", "for", "style"))
AROUND = frozenset(
    ("in", "on", "at", "with", "to", "for", "under", "over", "near", "by", "from")
)  # what follows is not it

Span = tuple[int, int]


@dataclass(frozen=True)
class Reading:
    """What a model reads of a prompt with its style's text. Positions are characters of what was typed."""

    read: str
    """What the text encoders get, style text included, with weights as `app.weighted` reads them."""
    end: int
    """Where the prompt ends for the model: its length, if nothing is cut."""
    style_end: int
    """The same for the style's text."""
    unknown: tuple[Span, ...]
    """Words that the model does not know."""
    tags: tuple[Tag, ...]
    tokens: int
    """Of the whole text, before it is cut."""
    chunks: int
    """That the model reads it in."""
    room: int
    """Tokens that the model reads of a chunk; 0: any number."""
    most_chunks: int
    nothing: bool
    """There are words, and the model knows none of them."""


class Reader:
    """The tokenizers of a model, and the words that it has learned. Immutable, thread-safe, can be pickled."""

    def __init__(
        self,
        tokenizers: Sequence[Tokenizer] = (),
        most: int = 0,
        words: frozenset[str] = frozenset(),
        most_chunks: int = 1,
    ) -> None:
        """Tokenizers that are alike, as SDXL's two, are kept once. Without any, every text is read to its end.

        `most` is the number of tokens that the model reads at once, with their frame. `words` are all that it knows, in
        lower case; none: it has learned from so many texts that it knows every word in Latin letters.
        """
        self.tokenizers = list({each.to_str(): each for each in map(_bare, tokenizers)}.values())
        self.room = max(most - FRAME, 0) if self.tokenizers else 0
        self.words, self.most_chunks = words, most_chunks
        self._unread = [_unknown_id(tokenizer) for tokenizer in self.tokenizers]
        self._remembered = lru_cache(REMEMBERED)(self._read)

    def __reduce__(self) -> tuple[object, ...]:
        return Reader, (self.tokenizers, self.room + FRAME, self.words, self.most_chunks)

    def read(self, prompt: str, style_text: str = "", phrases: Mapping[str, str] | None = None) -> Reading:
        """Read a prompt as an image will have it. `phrases` are the trigger words of subjects, by handle."""
        return self._remembered(prompt, style_text, tuple(sorted((phrases or {}).items())))

    def tokens(self, text: str) -> int:
        """How many tokens the longer reading of a text has, without frames."""
        return max((sum(len(tokens) for _, tokens in parts) for parts in self._parts(text)), default=0)

    def chunks(self, text: str) -> int:
        """How many chunks a text takes, at least one."""
        counts = (sum(len(divided(*part, self.room)) for part in parts) for parts in self._parts(text))
        return max(counts, default=1)

    def subject(self, prompt: str, phrases: Mapping[str, str] | None = None) -> str:
        """The words that name a prompt's main subject: "fox" of "a (fox:1.2) on a chair, at night"."""
        plain = weighted(without_breaks(self.read(prompt, "", phrases).read)).plain
        words = WORD.findall(plain.partition(",")[0])
        end = next((place for place, word in enumerate(words) if place and word.lower() in AROUND), None)
        return " ".join(word for word in words[:end] if word.lower() not in SMALL_WORDS)

    def _parts(self, text: str) -> Iterator[list[tuple[str, list[Span]]]]:
        """For each tokenizer: the parts of a text between BREAKs, with the characters of their tokens."""
        plain = weighted(text).plain
        parts = [plain[start:end] for start, end in segments(plain)]
        for tokenizer in self.tokenizers:
            yield [(part, tokenizer.encode(part, add_special_tokens=False).offsets) for part in parts]

    def _read(self, prompt: str, style_text: str, said: tuple[tuple[str, str], ...]) -> Reading:
        phrases = dict(said)
        groups = [weighted(text).groups for text in (prompt, style_text)]

        def whole(*ends: int) -> str:
            texts = [prompt, style_text]
            if ends != (len(prompt), len(style_text)):
                texts = [ended(*each) for each in zip(texts, ends, groups, strict=True)]
            read = without_loras(spoken(joined(*(weighted(text).written for text in texts)), phrases))
            return read if self.most_chunks > 1 else without_breaks(read)

        found = tuple(tags(prompt, phrases))
        end, style_end = self._ends(prompt, style_text, phrases, whole)
        unknown = tuple(self._unknown(prompt, found, phrases))
        handles = any(tag.kind == "handle" and phrases.get(tag.words) for tag in found)
        read = whole(end, style_end)
        return Reading(
            read=read,
            end=end,
            style_end=style_end,
            unknown=unknown,
            tags=found,
            tokens=self.tokens(whole(len(prompt), len(style_text))),
            chunks=self.chunks(read),
            room=self.room,
            most_chunks=self.most_chunks,
            nothing=bool(unknown) and not handles and not self._shows_something(prompt, unknown),
        )

    def _ends(
        self, prompt: str, style_text: str, known: Collection[str], whole: Callable[[int, int], str]
    ) -> tuple[int, int]:
        """Where the prompt and the style's text end, so that both fit."""
        ends = len(prompt), len(style_text)

        def fits(end: int, style_end: int) -> bool:
            return self.chunks(whole(end, style_end)) <= self.most_chunks

        if fits(*ends):
            return ends
        # What the prompt gets even next to a style text that alone would fill everything.
        share = self.room * self.most_chunks // PROMPTS_SHARE
        kept = _longest(prompt, known, lambda end: self.tokens(whole(end, 0)) <= share) if style_text else 0
        style_end = ends[1]
        if not fits(kept, style_end):
            style_end = _longest(style_text, known, lambda end: fits(kept, end))
        return _longest(prompt, known, lambda end: fits(end, style_end)), style_end

    def _unknown(self, prompt: str, found: Sequence[Tag], phrases: Mapping[str, str]) -> Iterator[Span]:
        known = {word.lower() for phrase in phrases.values() for word in WORD.findall(phrase)}
        hidden = {place for tag in found for place in tag.hidden}
        shown = "".join(" " if place in hidden else letter for place, letter in enumerate(prompt))
        for match in PART.finditer(shown):
            if match[0].lower() not in known and not self.knows(match[0]):
                yield match.span()

    def knows(self, word: str) -> bool:
        """Whether a word, or a sign such as an emoji, means something to the model."""
        if not WORD.match(word):
            pictured = any(unicodedata.category(sign) == "So" for sign in word)
            return not pictured or not (self.words or self._is_unread(word))
        if self.words:
            return normalized("NFC", word).lower() in self.words
        return all(map(_is_latin, word)) and not self._is_unread(word)

    def _is_unread(self, word: str) -> bool:
        pairs = zip(self.tokenizers, self._unread, strict=True)
        return any(unread in each.encode(word, add_special_tokens=False).ids for each, unread in pairs)

    def _shows_something(self, prompt: str, unknown: Sequence[Span]) -> bool:
        missed = {prompt[start:end] for start, end in unknown}
        shown = weighted(without_breaks(without_loras(prompt))).plain
        return any(word not in missed and word.lower() not in SMALL_WORDS for word in WORD.findall(shown))


def joined(prompt: str, text: str) -> str:
    """Append the style's text to a prompt."""
    return ", ".join(part for part in (prompt, text) if part)


def _bare(tokenizer: Tokenizer) -> Tokenizer:
    """A tokenizer without a length: that is the reader's. Copied only if it has one, since SDXL's takes 15 MB."""
    if tokenizer.padding is None and tokenizer.truncation is None:
        return tokenizer
    copy = Tokenizer.from_str(tokenizer.to_str())
    copy.no_padding()
    copy.no_truncation()
    return copy


def _unknown_id(tokenizer: Tokenizer) -> int | None:
    unknown = getattr(tokenizer.model, "unk_token", None)
    return tokenizer.token_to_id(unknown) if unknown else None


def _is_latin(character: str) -> bool:
    """True for digits and marks too: only letters have an alphabet."""
    return not character.isalpha() or unicodedata.name(character, "").startswith("LATIN")


def _longest(text: str, known: Collection[str], fits: Callable[[int], bool]) -> int:
    """The last end of a word at which a text still fits; within a word only if not even the first one does."""
    tied = [tag for tag in tags(text, known) if tag.kind != "weight"]
    words = [match.end() for match in re.finditer(r"\S+", text)]
    ends = [end for end in words if not any(tag.start < end < tag.end for tag in tied)]
    for choice in (ends, range(1, ends[0] if ends else 1)):
        if place := bisect_left(choice, True, key=lambda end: not fits(end)):
            return choice[place - 1]
    return 0
