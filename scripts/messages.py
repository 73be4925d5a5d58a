"""`make messages`: take the messages from the sources into the catalogues, and say what is missing.

Each area of `locales/areas.toml` has a file in each language. A new message gets an empty translation, or that of the
same message in another area; one that is no longer said is removed. Nothing is guessed ("fuzzy"), and no line numbers
are kept, so a file changes only where its messages do.
"""

import ast
import re
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from io import BytesIO
from pathlib import Path

from babel.messages.extract import extract_javascript
from babel.messages.plurals import get_plural
from jinja2 import Environment, nodes
from typer.main import get_command

from app.cli import program
from app.cli.help import texts
from app.languages.catalogues import ENGLISH, LANGUAGES, LOCALES, Entry, entries
from app.web.trans import HTML, with_languages

ROOT = Path(__file__).parents[1]
SOURCES = ("app/**/*.py", "templates/**/*.html", "static/js/*.js")
# How a message is said, and what its arguments are.
SAID = {
    "_": ("message",),
    "N_": ("message",),
    "gettext": ("message",),
    "ngettext": ("message", "plural"),
    "pgettext": ("context", "message"),
}
SAID |= {html: SAID[name] for name, html in HTML.items()}
# The method says in English, and on its own, what is wrong. Its sentences are messages as they stand, with values as
# parameters, which `translated` finds again where they are shown. Some are the rest of a sentence that begins here.
PROGRAM = "app/cli/program.py"  # the help of all commands
METHOD = "app/style_aligned/"
WHOLE = {"ModelError": "{}", "NotFinite": "{}", "OSError": "{}", "Wrong": "%(file)s {}.", "Unusable": "%(file)s {}."}


class NotPlain(ValueError):
    """A message is not a plain string, so nobody could translate it."""


@dataclass
class Found:
    """The messages of an area, by key."""

    entries: dict[str, Entry] = field(default_factory=dict)

    def add(self, entry: Entry, place: str) -> None:
        known = self.entries.setdefault(entry.key, entry)
        known.plural = known.plural or entry.plural
        if place not in known.places:
            known.places.append(place)


@cache
def areas() -> dict[str, dict[str, object]]:
    return tomllib.loads((LOCALES / "areas.toml").read_text())


def area_of(place: str) -> str:
    """The area of a source, by the longest path that it begins with."""
    starts = [
        (len(start), area) for area, its in areas().items() for start in its["sources"] if place.startswith(start)
    ]  # type: ignore[attr-defined]
    return max(starts)[1]


def sources(area: str = "") -> list[Path]:
    """The sources of an area, or all."""
    found = sorted(path for pattern in SOURCES for path in ROOT.glob(pattern))
    return [path for path in found if not area or area_of(place_of(path)) == area]


def place_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def extracted() -> dict[str, dict[str, Entry]]:
    """The messages of all areas. Raises NotPlain."""
    found = {area: Found() for area in areas()}
    for path in sources():
        place = place_of(path)
        for entry in messages_in(path):
            found[area_of(place)].add(entry, place)
    return {area: its.entries for area, its in found.items()}


def messages_in(path: Path) -> Iterator[Entry]:
    """The messages of one source."""
    text = path.read_text("utf-8")
    if place_of(path).startswith(METHOD):
        yield from faults(text)
        return
    if place_of(path) == PROGRAM:
        yield from (Entry(message=help) for help in texts(get_command(program.app)))
    if not any(f"{name}(" in text for name in SAID) and "{% trans" not in text:
        return
    read = {".py": in_python, ".html": in_template, ".js": in_script}[path.suffix]
    for line, name, arguments in read(text):
        wanted = SAID[name]
        if len(arguments) < len(wanted) or not all(isinstance(given, str) for given in arguments[: len(wanted)]):
            raise NotPlain(f"{place_of(path)}:{line}: {name}(...) needs plain strings")
        yield Entry(**dict(zip(wanted, arguments, strict=False)))  # type: ignore[arg-type]


Call = tuple[int, str, list[object]]  # line, function, first arguments: None for one that is no plain string


def in_python(text: str) -> Iterator[Call]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and (name := ast.unparse(node.func).removeprefix("languages.")) in SAID:
            yield node.lineno, name, [part.value if isinstance(part, ast.Constant) else None for part in node.args]


def faults(text: str) -> Iterator[Entry]:
    """Faults of the method, as messages: f"{name} is no model." is "%(name)s is no model." """
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and (name := ast.unparse(node.func)) in WHOLE:
            for argument in node.args:
                message = as_message(argument.values if isinstance(argument, ast.JoinedStr) else [argument])
                if len(re.findall(r"[a-z]{2,}", re.sub(r"%\(\w+\)s", "", message))) > 1:
                    yield Entry(message=WHOLE[name].format(message))


def as_message(parts: list[ast.expr]) -> str:
    """Texts as they are, and values as parameters, with the first name in each."""
    said, names = "", Counter[str]()
    for part in parts:
        if isinstance(part, ast.Constant):
            said += str(part.value).replace("%", "%%")
            continue
        functions = {id(node.func) for node in ast.walk(part) if isinstance(node, ast.Call)}
        values = (node for node in ast.walk(part) if isinstance(node, ast.Name) and id(node) not in functions)
        name = next((node.id.lower() for node in values), "value")
        name = next(iter(re.findall(r"self\.(\w+)", ast.unparse(part))), name)
        names[name] += 1
        said += f"%({name}{names[name] if names[name] > 1 else ''})s"
    return said


def in_template(text: str) -> Iterator[Call]:
    for node in template_environment().parse(text).find_all(nodes.Call):
        if isinstance(node.node, nodes.Name) and node.node.name in SAID:
            given = [part.value if isinstance(part, nodes.Const) else None for part in node.args]
            yield node.lineno, node.node.name, given


def in_script(text: str) -> Iterator[Call]:
    # `${…}` in a template literal is code too.
    for line, name, found, _ in extract_javascript(BytesIO(text.encode()), SAID, [], {"parse_template_string": "true"}):
        yield line, name, list(found) if isinstance(found, tuple | list) else [found]


@cache
def template_environment() -> Environment:
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    with_languages(environment)
    return environment


def written(language: str, found: Mapping[str, Entry], known: Mapping[str, Entry]) -> str:
    """A file with the messages of an area, in a stable order, with the translations that are known."""
    plural = get_plural(language)
    head = "\n".join(
        (
            'msgid ""',
            'msgstr ""',
            f'"Language: {language}\\n"',
            '"Content-Type: text/plain; charset=utf-8\\n"',
            f'"Plural-Forms: nplurals={plural.num_plurals}; plural={plural.plural_expr};\\n"',
        )
    )
    parts = [head]
    for key in sorted(found, key=lambda key: (found[key].message.casefold(), key)):
        forms = plural.num_plurals if found[key].plural else 1
        given = known[key].translations if key in known else []
        given = given if len(given) == forms else [""] * forms
        parts.append(entry_text(replace(found[key], translations=given)))
    return "\n\n".join(parts) + "\n"


def entry_text(entry: Entry) -> str:
    lines = ["#: " + " ".join(sorted(entry.places))]
    if entry.context:
        lines.append(f"msgctxt {quoted(entry.context)}")
    lines.append(f"msgid {quoted(entry.message)}")
    if entry.plural:
        lines.append(f"msgid_plural {quoted(entry.plural)}")
        lines += [f"msgstr[{form}] {quoted(text)}" for form, text in enumerate(entry.translations)]
    else:
        lines.append(f"msgstr {quoted(entry.translations[0])}")
    return "\n".join(lines)


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t") + '"'


def file_of(language: str, area: str) -> Path:
    return LOCALES / language / f"{area}.po"


def catalogue_of(language: str, area: str) -> dict[str, Entry]:
    """What a file has, by key, without its header."""
    file = file_of(language, area)
    lines = file.read_text("utf-8").split("\n") if file.exists() else []
    return {entry.key: entry for entry in entries(lines) if entry.message}


def updated(language: str, found: Mapping[str, Mapping[str, Entry]]) -> dict[str, str]:
    """What each file of a language should be, by area."""
    kept = {area: catalogue_of(language, area) for area in found}
    elsewhere = {key: entry for its in kept.values() for key, entry in its.items() if all(entry.translations)}
    return {area: written(language, its, elsewhere | translated_of(kept[area])) for area, its in found.items() if its}


def translated_of(known: Mapping[str, Entry]) -> dict[str, Entry]:
    return {key: entry for key, entry in known.items() if all(entry.translations)}


def update() -> int:
    """Write all files, say what changed, and return how many messages have no translation."""
    found, missing = extracted(), 0
    for language in LANGUAGES.keys() - {ENGLISH}:
        texts = updated(language, found)
        for area in areas():
            before, file = catalogue_of(language, area), file_of(language, area)
            for key in sorted(before.keys() - found[area].keys()):
                print(f"{language} {area}: no longer said: {key!r}, {before[key].translations}")
            if area not in texts:
                file.unlink(missing_ok=True)
            elif not file.exists() or file.read_text("utf-8") != texts[area]:
                file.write_text(texts[area], "utf-8")
            bare = [key for key, entry in catalogue_of(language, area).items() if not all(entry.translations)]
            missing += len(bare)
            for key in bare:
                print(f"{language} {area}: not translated: {key!r}")
            print(f"{language} {area}: {len(found[area])} messages, {len(bare)} not translated")
    return missing


if __name__ == "__main__":
    sys.exit(1 if update() else 0)
