"""What has a meaning of its own within a prompt: handles such as `@mug`, and what people know from other tools."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

from app.prompts.handles import mentions
from app.weighted import BREAK, WEIGHTS, escaped, weighted

LORA = re.compile(r"<(?:lora|lyco|hypernet):[^<>]*>", re.IGNORECASE)  # <lora:mug:0.8>


@dataclass(frozen=True)
class Tag:
    """A part of a prompt, from `start` to `end`, that the model does not read as it is written."""

    start: int
    end: int
    kind: str  # "handle", "weight", "break" or "lora"
    words: str = ""  # the handle
    inner_end: int = 0  # of a weight: where its closing bracket or its number begins
    factor: float = 1.0  # of a weight, as typed

    @property
    def hidden(self) -> Iterable[int]:
        """Where it is not read as it is written; weighted words are."""
        if self.kind != "weight":
            return range(self.start, self.end)
        return chain([self.start], range(self.inner_end, self.end))

    @property
    def is_beyond(self) -> bool:
        """Whether it is a weight larger or smaller than any that is read."""
        return not WEIGHTS[0] <= self.factor <= WEIGHTS[1]


def spoken(prompt: str, phrases: Mapping[str, str]) -> str:
    """Replace every known `@handle` in a prompt by its phrase; one without a phrase disappears."""
    said, end = "", 0
    for mention in mentions(prompt, phrases):
        if (phrase := phrases.get(mention.handle)) is not None:
            said = _beside(said + prompt[end : mention.start], escaped(phrase))
            end = mention.end
    return _tidied(prompt, _beside(said, prompt[end:]) if end else prompt)


def without_loras(prompt: str) -> str:
    """A prompt without LoRA tags: "a fox, night <lora:mug:0.8>" as "a fox, night"."""
    return _tidied(prompt, LORA.sub("", prompt))


def without_breaks(prompt: str) -> str:
    """A prompt without the words BREAK, for a model that reads one chunk."""
    return _tidied(prompt, BREAK.sub("", prompt))


def tags(prompt: str, known: Collection[str] = ()) -> Iterator[Tag]:
    """The handles, weights, BREAKs and LoRA tags of a prompt, those of one kind after another.

    `known` are the handles of subjects.
    """
    for group in weighted(prompt).groups:
        yield Tag(group.start, group.end, "weight", inner_end=group.inner_end, factor=group.factor)
    yield from (Tag(*match.span(), "break") for match in BREAK.finditer(prompt))
    yield from (Tag(*match.span(), "lora") for match in LORA.finditer(prompt))
    yield from (Tag(start, end, "handle", handle) for start, end, handle in mentions(prompt, known))


def _beside(before: str, after: str) -> str:
    """Both, with a blank between two words: Japanese has none around a handle, but its phrase is words of their own."""
    return f"{before} {after}" if before[-1:].isalnum() and after[:1].isalnum() else before + after


def _tidied(before: str, after: str) -> str:
    """`after` without the double spaces, and the commas without a word before them, that a replacement leaves."""
    if after == before:
        return after
    parts = (" ".join(part.split()) for part in after.split(","))
    return ", ".join(part for part in parts if part)
