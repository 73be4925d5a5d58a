"""The words of docs/words.md: texts for people use them, and a name in the code means one thing."""

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
APP = sorted((ROOT / "app").rglob("*.py"))
PAGES = sorted((ROOT / "templates").rglob("*.html"))
SCRIPTS = sorted((ROOT / "static/js").glob("*.js"))

# Words that people no longer read here, by their replacements.
NOT_SAID = {
    "again, or nothing": "anew",
    "next to, besides": "beside",
    "just, in the meantime": "meanwhile",
    "anyone who, the person who": "whoever",
    "continues, resumes": "goes on|go on|went on",
    "is": "lies",
    "needs": "is asked of|was asked of",
    "may, can": "is to be|are to be|to be had",
    "no inverted sentences": "nor is|nor does",
    "Negative prompt": "not wanted",
    "Retry, Redo, Duplicate, Rebuild": "make again|made again|make ready|made ready|make the other",
    "Restore": "bring back|brought back|brings back|bring it back",
    "Resume": "taken up again|take up again",
    "Remove": "unzz|take off|take out|take away",
    "queued": "in line|waiting for the engine",
    "Generating, Training": "still running|running and",
    "To review": "not reviewed|undecided|unreviewed|not yet reviewed|awaiting review|not decided",
    "Changes requested": "sent back|send back",
    "Cancel": "give up|given up|gave up",
    "invite link": "one-time link",
    "audit log": "the record is|the record of|the head of the record",
    "already, before the verb": "is there already|are there already|was used already|withdrawn already",
    "someone, everyone": "somebody|everybody",
    "it may have been": "perhaps",
    "expired": "has ended|is over|are over|its time",
    "Create": "make a set|make a style|make a link|make the first",
    "rights, in the plural": "the right to|this right",
    "per": "a prompt a|one a line|one a prompt",
    "handle, trigger words": "answers to",
    "created, generated": "could not be made|cannot be made|being made",
    "train": "learnt",
    "deactivated": "account is closed|closed account of",
    "no longer": "any more",
    "Select": "choose the pictures",
}
# Stored unchanged in every server's audit log.
STORED = {"somebody wanted it"}
# Names of one class or limit in two packages, where each is the field's own term.
TWO_MEANINGS = {
    "Event": "of a unit in `engine`, of a step in `style_aligned`: one carries the other",
    "ImageFailed": "as Event",
    "ImageReady": "as Event",
    "Preview": "as Event",
    "Sample": "as Event",
    "Step": "as Event",
    "StyleMap": "as Event; and the row of `models` that keeps it",
    "Reference": "an uploaded picture in `models`, what the method shares with in `style_aligned`",
    "Unit": "a row of the queue in `models`, what the engine is given of it in `engine`",
}


def shown_by_python(file: Path) -> Iterator[tuple[int, str]]:
    """Strings of a module other than docstrings, with blanks for placeholders."""
    tree = ast.parse(file.read_text())
    skipped = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            skipped |= {id(part) for part in ast.walk(node)}
            yield node.lineno, "".join(str(p.value) if isinstance(p, ast.Constant) else " " for p in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            yield node.lineno, node.value


def shown_by_page(file: Path) -> Iterator[tuple[int, str]]:
    """Texts and attributes of a template, and strings quoted in its tags; one line per sentence."""
    text = re.sub(r"{#.*?#}", lambda found: "\n" * found[0].count("\n"), file.read_text(), flags=re.DOTALL)
    for number, line in enumerate(text.splitlines(), start=1):
        for tag in re.findall(r"{[{%].*?[}%]}", line):
            yield from ((number, quoted) for quoted in re.findall(r'"([^"]*)"', tag))
        yield number, re.sub(r"{[{%].*?[}%]}", " ", line)


def shown_by_script(file: Path) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(file.read_text().splitlines(), start=1):
        yield number, re.sub(r"(^|\s)//.*", "", line)


def shown() -> Iterator[tuple[str, str]]:
    for files, read in ((APP, shown_by_python), (PAGES, shown_by_page), (SCRIPTS, shown_by_script)):
        for file in files:
            for number, text in read(file):
                yield f"{file.relative_to(ROOT)}:{number}", text


@pytest.fixture(scope="module")
def sentences() -> list[tuple[str, str]]:
    """Texts for people, with their places: those with a space, since names and addresses have none."""
    return [(where, text) for where, text in shown() if " " in text.strip() and text not in STORED]


@pytest.mark.parametrize(("instead", "phrases"), NOT_SAID.items())
def test_no_text_uses_a_banned_word(sentences: list[tuple[str, str]], instead: str, phrases: str) -> None:
    pattern = re.compile(rf"(?<![\w/#.=-])({phrases})(?![\w/=(-])", re.IGNORECASE)
    found = [f"{where}: {text.strip()[:90]}" for where, text in sentences if pattern.search(text)]
    assert not found, f"say instead: {instead}"


def test_a_class_and_a_limit_have_one_meaning() -> None:
    named = defaultdict(set)
    for file in APP:
        for node in ast.parse(file.read_text()).body:
            names = [node.name] if isinstance(node, ast.ClassDef) else []
            if isinstance(node, ast.Assign):
                stored = [
                    each for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
                ]
                names = [each.id for each in stored if re.match(r"(MOST|LEAST|FEWEST)_", each.id)]
            for name in names:
                named[name].add(str(file.relative_to(ROOT)))
    several = {name: files for name, files in named.items() if len(files) > 1 and name not in TWO_MEANINGS}
    assert not several


def test_each_word_is_reported_once() -> None:
    told = [
        word.strip()
        for row in (ROOT / "docs/words.md").read_text().splitlines()
        if row.startswith("| ") and row.count("|") == 5
        for word in row.split("|")[1].split(",")
    ]
    assert len(told) > 90
    twice = [word for word, times in Counter(told).items() if times > 1]
    assert set(twice) <= {"word", "Withdraw", "Restore"}, "one word, one line; these undo different acts"
