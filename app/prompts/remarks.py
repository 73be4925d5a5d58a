"""Say what a model reads of a text: its parts for a page to mark, and one sentence for each thing that gets lost."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal, get_args

from app.languages import gettext as _
from app.languages import ngettext
from app.languages.formats import one_of, sentences
from app.prompts.reader import Reading, Span
from app.text import listed, shorten
from app.weighted import WEIGHTS, within

Kind = Literal["prompt", "negative", "style"]
KINDS = get_args(Kind)

NAMED = 5  # words that a sentence lists
PART_LENGTH = 40  # characters of a text that a sentence quotes


class Mark(StrEnum):
    """What becomes of a part of a text."""

    READ = ""
    UNKNOWN = "unknown"  # read, but means nothing to the model
    CUT = "cut"  # after the end of what the model reads
    WEIGHT = "weight"  # brackets and numbers of weights, and BREAK: read, but not as words
    BLOCKED = "blocked"  # the team does not allow it
    WRITTEN = "written"  # syntax of other tools, which is not read


TAG_MARKS = {"weight": Mark.WEIGHT, "break": Mark.WEIGHT, "lora": Mark.WRITTEN}


@dataclass(frozen=True)
class Remarks:
    """What a page or a command says of one text."""

    pieces: tuple[tuple[str, Mark], ...]
    """The text in its parts, in order."""
    notes: tuple[str, ...]
    nothing: bool
    """The model knows none of its words."""
    aside: str = ""
    """How a long text is read, in a sentence; "" if there is nothing to say."""
    barred: tuple[str, ...] = ()
    """Why the text will be refused, in sentences; they are among the notes."""
    drawn_as: str = ""
    """What the model gets in place of the text; "" for the text itself."""


def remarks(reading: Reading, text: str, kind: Kind = "prompt", style_text: str = "") -> Remarks:
    """What to say of a text that was read, as a prompt with this style text, as a negative prompt or a style's text."""
    nothing = reading.nothing and kind == "prompt"  # the others only add to what is shown
    notes = tuple(_notes(reading, text, kind, style_text))
    return Remarks(tuple(_pieces(reading, text)), notes, nothing, _aside(reading))


def translated(told: Remarks, text: str, english: str, unknown: Sequence[Span]) -> Remarks:
    """What to say of a text of which the model gets `english`, that `told` is about; `unknown` words are not in it."""
    marks = [Mark.READ] * len(text)
    for start, end in unknown:
        marks[start:end] = [Mark.UNKNOWN] * (end - start)
    words = list(dict.fromkeys(text[start:end] for start, end in unknown))
    missed = [_unknown(words, "prompt")] if words else []
    return Remarks(tuple(_parts(text, marks)), (*missed, *told.notes), told.nothing, told.aside, drawn_as=english)


def barred(told: Remarks, text: str, spans: Sequence[Span], why: Sequence[str]) -> Remarks:
    """What to say of a text that will be refused for words in it, for these reasons."""
    marks = [mark for part, mark in told.pieces for _sign in part]
    for start, end in spans:
        marks[start:end] = [Mark.BLOCKED] * (end - start)
    pieces = tuple(_parts(text, marks)) if len(marks) == len(text) else told.pieces
    return replace(told, pieces=pieces, notes=(*why, *told.notes), barred=tuple(why))


def _pieces(reading: Reading, text: str) -> Iterator[tuple[str, Mark]]:
    marks = [Mark.READ] * len(text)
    for start, end in reading.unknown:
        marks[start:end] = [Mark.UNKNOWN] * (end - start)
    for tag in reading.tags:
        if tag.kind in TAG_MARKS:
            for place in tag.hidden:
                marks[place] = TAG_MARKS[tag.kind]
    marks[reading.end :] = [Mark.CUT] * (len(text) - reading.end)
    yield from _parts(text, marks)


def _parts(text: str, marks: Sequence[Mark]) -> Iterator[tuple[str, Mark]]:
    """The text, cut where the mark changes."""
    start = 0
    for place in range(1, len(text) + 1):
        if place == len(text) or marks[place] != marks[start]:
            yield text[start:place], marks[start]
            start = place


def _notes(reading: Reading, text: str, kind: Kind, style_text: str) -> Iterator[str]:
    words = list(dict.fromkeys(text[start:end] for start, end in reading.unknown if end <= reading.end))
    if reading.nothing and kind == "prompt":
        yield _("The model knows none of these words. Try others.")
    elif words:
        yield _unknown(words, kind)
    for tag in reading.tags:
        written = shorten(text[tag.start : tag.end], PART_LENGTH)
        if tag.is_beyond:
            yield _(
                "Weights go from %(least)s to %(most)s: %(written)s is read as %(weight)s.",
                least=f"{WEIGHTS[0]:g}",
                most=f"{WEIGHTS[1]:g}",
                written=written,
                weight=f"{within(tag.factor):g}",
            )
        elif tag.kind == "break" and reading.most_chunks == 1:
            yield _("BREAK is not read: this model reads a text in one chunk.")
        elif tag.kind == "lora":
            yield _("%(written)s is not read. Use @handle for a subject.", written=written)
    if reading.end < len(text):
        yield _cut(text, reading.end, reading, kind, bool(style_text))
    if reading.style_end < len(style_text):
        yield _cut(style_text, reading.style_end, reading, "style", False)


def _cut(text: str, end: int, reading: Reading, kind: Kind, with_style: bool) -> str:
    named = {
        "rest": shorten(text[end:].strip(" ,;"), PART_LENGTH),
        "tokens": reading.tokens,
        "room": _room(reading),
    }
    match kind:
        case "prompt":
            cut = _(
                "The prompt is too long: the model stops reading before “%(rest)s” (%(tokens)s tokens, %(room)s).",
                **named,
            )
        case "negative":
            cut = _(
                "The negative prompt is too long: the model stops reading before “%(rest)s” (%(tokens)s tokens,"
                " %(room)s).",
                **named,
            )
        case "style":
            cut = _(
                "The style text is too long: the model stops reading before “%(rest)s” (%(tokens)s tokens, %(room)s).",
                **named,
            )
    kept = _("The style text is always read, so it takes some of the room.") if with_style else ""
    return sentences((cut, kept))


def _room(reading: Reading) -> str:
    """How many tokens the model reads, in words."""
    room = reading.room * reading.most_chunks
    return _("up to %(number)s fit", number=room) if reading.most_chunks > 1 else _("%(number)s fit", number=room)


def _aside(reading: Reading) -> str:
    if reading.chunks <= 1:
        return ""
    return _("Read in %(chunks)s chunks of up to %(tokens)s tokens.", chunks=reading.chunks, tokens=reading.room)


def _unknown(words: Sequence[str], kind: Kind) -> str:
    shown = [_("“%(word)s”", word=shorten(word, PART_LENGTH)) for word in words[:NAMED]]
    some = _with_more(shown, len(words), one_of)
    match kind:
        case "negative":
            return _("The model does not know %(words)s in the negative prompt.", words=some)
        case "style":
            return _("The model does not know %(words)s in the style text.", words=some)
    return _("The model does not know %(words)s.", words=some)


def _with_more(shown: Sequence[str], number: int, joined: Callable[[Sequence[str]], str] = listed) -> str:
    """The first of a number of things, and how many there are more."""
    more = number - len(shown)
    return joined([*shown, *([_("%(number)s more", number=more)] if more else [])])


def summary(found: Sequence[tuple[int, Remarks]], most: int) -> list[str]:
    """One line for each note, with the numbers of the texts that it is about: "Prompts 1 and 4: ..." """
    numbers: dict[str, list[int]] = {}
    for number, each in found:
        for note in each.notes:
            numbers.setdefault(note, []).append(number)
    lines = [_of_prompts(where, note) for note, where in numbers.items()]
    more = len(lines) - most
    return (
        lines if more <= 0 else [*lines[:most], ngettext("%(number)s more remark.", "%(number)s more remarks.", more)]
    )


def _of_prompts(where: Sequence[int], note: str) -> str:
    if len(where) == 1:
        return _("Prompt %(number)s: %(note)s", number=where[0], note=note)
    numbers = _with_more([str(number) for number in where[:NAMED]], len(where))
    return _("Prompts %(numbers)s: %(note)s", numbers=numbers, note=note)
