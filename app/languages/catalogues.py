"""Catalogues: `locales/<language>/<area>.po`, merged into one per language when it is first spoken.

English is the language of the messages themselves and has no catalogue, so it costs nothing. The files are in the form
that `make messages` writes: a string per line or continued on further lines, and locations without line numbers.
Babel's reader takes ten times as long and is used where files are written (`scripts/messages.py`).
"""

import gettext
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

LOCALES = Path(__file__).parents[2] / "locales"
ENGLISH = "en"
SCRIPTS = "static/js/"  # messages found below are sent to the browser
GLUE = "\x04"  # between a context and its message, as gettext has it

# Each language by its code, as its speakers call it. A folder with a file `name` is a language.
LANGUAGES = {ENGLISH: "English"} | {
    file.parent.name: file.read_text().strip() for file in sorted(LOCALES.glob("*/name"))
}


@dataclass
class Entry:
    """A message with its translations: one, or one for each plural form."""

    context: str = ""
    message: str = ""
    plural: str = ""
    translations: list[str] = field(default_factory=list)
    places: list[str] = field(default_factory=list)  # files in which it is said
    flags: list[str] = field(default_factory=list)

    @property
    def key(self) -> str:
        return key(self.message, self.context)


@dataclass(frozen=True)
class Catalogue:
    """What is said in one language."""

    one: dict[str, str]
    several: dict[str, list[str]]
    form: Callable[[int], int]  # which plural form a number takes
    rule: str = "0"  # the same in C, which is also JavaScript
    in_scripts: frozenset[str] = frozenset()  # keys

    def translation(self, message: str, context: str = "") -> str:
        return self.one.get(key(message, context)) or message

    def plural(self, one: str, many: str, number: int) -> str:
        forms = self.several.get(one)
        return forms[self.form(number)] if forms else one if number == 1 else many


def key(message: str, context: str = "") -> str:
    return f"{context}{GLUE}{message}" if context else message


@cache
def catalogue(language: str) -> Catalogue | None:
    """The messages of a language; None for English."""
    if language == ENGLISH:
        return None
    header = ""
    one: dict[str, str] = {}
    several: dict[str, list[str]] = {}
    scripts = set()
    for file in sorted((LOCALES / language).glob("*.po")):
        for entry in entries(file.read_text("utf-8").split("\n")):
            if not entry.message:
                header = header or entry.translations[0]
            elif entry.plural and all(entry.translations):
                several[entry.key] = entry.translations
            elif entry.translations[0]:
                one[entry.key] = entry.translations[0]
            if any(place.startswith(SCRIPTS) for place in entry.places):
                scripts.add(entry.key)
    rule = plural_rule(header)
    return Catalogue(one, several, gettext.c2py(rule), rule, frozenset(scripts))


def plural_rule(header: str) -> str:
    """The rule in a header: "Plural-Forms: nplurals=2; plural=(n != 1);" -> "(n != 1)"; that of English without one."""
    for line in header.split("\n"):
        if line.startswith("Plural-Forms:"):
            return line.partition("plural=")[2].rstrip("; ") or "n != 1"
    return "n != 1"


def entries(lines: Iterable[str]) -> Iterator[Entry]:
    """The entries of a .po file, the first of which is its header. Raises ValueError for what is none."""
    entry, parts = Entry(), [""]
    for line in [*lines, ""]:
        if line.startswith('"'):
            parts[-1] += unquoted(line)
        elif not line.strip():
            if parts[1:]:
                yield entry
            entry, parts = Entry(), [""]
        elif line.startswith("#: "):
            entry.places += line[3:].split()
        elif line.startswith("#, "):
            entry.flags += line[3:].split(", ")
        elif line.startswith("#"):
            continue
        else:
            name, _, text = line.partition(" ")
            parts.append(unquoted(text))
        if parts[1:] and not line.startswith("#"):
            put(entry, name, parts[-1])


def put(entry: Entry, name: str, text: str) -> None:
    if name == "msgid":
        entry.message = text
    elif name == "msgid_plural":
        entry.plural = text
    elif name == "msgctxt":
        entry.context = text
    elif name == "msgstr":
        entry.translations = [text]
    elif name.startswith("msgstr["):
        form = int(name[7:-1])
        entry.translations[form:] = [text]
    else:
        raise ValueError(f"a .po file has no {name!r}")


def unquoted(text: str) -> str:
    """A quoted string as it is meant."""
    inner = text.strip()[1:-1]
    if "\\" not in inner:
        return inner
    known = {"n": "\n", "t": "\t", '"': '"', "\\": "\\"}
    found, signs = [], iter(inner)
    for sign in signs:
        found.append(known.get(escaped := next(signs), escaped) if sign == "\\" else sign)
    return "".join(found)
