"""What translates prompts, and what comes of it."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from app.errors import UserError
from app.prompts.handles import LATIN, mentions
from app.prompts.syntax import LORA

Span = tuple[int, int]
Find = Callable[[Iterable[str]], Collection[str]]
"""Finds the handles of subjects that texts may name."""

# Kana, also half-width, and kanji with their repetition mark.
JAPANESE = re.compile("[\u3005-\u3007\u3041-\u3096\u30a1-\u30fa\u3400-\u9fff\uf900-\ufaff\uff66-\uff9d]")


@dataclass(frozen=True)
class Translation:
    """A text in English."""

    english: str
    """"" if nothing of it can be said."""
    unknown: tuple[Span, ...] = ()
    """Words of the text that are not in it. Empty from a translator that cannot tell."""


class Translator(Protocol):
    """Makes English of Japanese. Handles of subjects in Latin letters stay as they are."""

    def translate(self, texts: Sequence[str]) -> list[Translation]:
        """The texts, each `is_japanese`, in English, in order. Raises CannotTranslate."""
        ...

    def __hash__(self) -> int: ...

    def missed(self, text: str, english: str) -> Sequence[Span]:
        """Words of a text that are not in `english`, if that is its translation and one can tell. Answers at once."""
        ...


def drawn_as(
    texts: Iterable[str],
    corrected: Mapping[str, str],
    translator: Translator | None,
    handles: Collection[str] = (),
) -> dict[str, str]:
    """What is drawn for those texts that are Japanese: as somebody corrected it, or else as it is translated.

    `handles` are those of the subjects that the texts may name. Without a translator, texts are drawn as they are
    written. Raises CannotTranslate.
    """
    if not translator:
        return {}
    latin = {text: _Latin(text, handles) for text in dict.fromkeys(texts)}
    japanese = [text for text, each in latin.items() if is_japanese(each.text)]
    open_ = [text for text in japanese if not corrected.get(text)]
    found = translator.translate([latin[text].text for text in open_]) if open_ else []
    said = {text: latin[text].restored(each.english) for text, each in zip(open_, found, strict=True)}
    said = {text: corrected.get(text) or said[text] for text in japanese}
    return {text: english for text, english in said.items() if english}


def missed(translator: Translator, text: str, english: str, handles: Collection[str] = ()) -> list[Span]:
    """Words of a text that are not in its translation; none if `english` is another, or one cannot tell."""
    latin = _Latin(text, handles)
    spans = translator.missed(latin.text, latin.also(english, handles))
    return [(latin.places[start], latin.places[end]) for start, end in spans]


class _Latin:
    """A text whose handles in Japanese are replaced by some in Latin letters, which a translator keeps."""

    def __init__(self, text: str, handles: Collection[str]) -> None:
        self._names: dict[str, str] = {}
        self._taken = text.lower()
        self.text, self.places = self._replaced(text, handles)
        """The text, and where each of its characters, and its end, comes from."""

    def also(self, english: str, handles: Collection[str]) -> str:
        """A translation with the same handles."""
        return self._replaced(english, handles)[0]

    def restored(self, english: str) -> str:
        """A translation with the handles in Japanese again."""
        handles = {name: handle for handle, name in self._names.items()}
        return LATIN.sub(lambda match: f"@{handles.get(match[1].lower(), match[1])}", english)

    def _replaced(self, text: str, handles: Collection[str]) -> tuple[str, list[int]]:
        made, places, end = "", list[int](), 0
        for mention in mentions(text, handles):
            if not mention.handle.isascii():
                name = f"@{self._name(mention.handle)}"
                made += text[end : mention.start] + name
                places += [*range(end, mention.start), *[mention.start] * len(name)]
                end = mention.end
        return made + text[end:], [*places, *range(end, len(text) + 1)]

    def _name(self, handle: str) -> str:
        if handle not in self._names:
            number = len(self._names) + 1
            while f"@subject{number}" in self._taken or f"subject{number}" in self._names.values():
                number += 1
            self._names[handle] = f"subject{number}"
        return self._names[handle]


class CannotTranslate(UserError):
    """The translator is not available. The message is a sentence for a person."""

    status = 503


def is_japanese(text: str) -> bool:
    """Whether a text, with handles in Latin letters, has kana or kanji outside of tags."""
    return not text.isascii() and bool(JAPANESE.search(LORA.sub(" ", LATIN.sub(" ", text))))
