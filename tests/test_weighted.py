"""Weights of words, and chunks of tokens: against slow plain definitions, for any text."""

import re
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.weighted import Run, divided, ended, escaped, segments, weighted, within

TEXTS = st.text(alphabet="a é狐,:.1369()[]\\ +", max_size=60)
OPENING = {")": "(", "]": "["}
NUMBER = re.compile(r"[+-]?(\d{1,3}(\.\d{0,6})?|\.\d{1,6})")


def textbook(text: str) -> list[tuple[str, float]]:
    """The characters of a text with their weights, by the grammar's own words, in quadratic time."""
    atoms: list[str] = re.findall(r"\\[()\[\]\\]|.", text, re.DOTALL)
    claimed: set[int] = set()
    groups: list[tuple[int, int, int, float]] = []
    for closing, atom in enumerate(atoms):
        candidates = [at for at in range(closing) if at not in claimed and atoms[at] == OPENING.get(atom)]
        if not candidates:
            continue
        opening = candidates[-1]
        claimed.update(range(opening, closing + 1))
        end, factor = closing, 1.1 if atom == ")" else 1 / 1.1
        colons = [at for at in range(opening + 1, closing) if atoms[at] == ":"]
        number = "".join(atoms[colons[-1] + 1 : closing]) if colons and atom == ")" else ""
        padding = len(number) - len(number.lstrip(" ")), len(number) - len(number.rstrip(" "))
        is_number = NUMBER.fullmatch(number.strip(" ")) and max(padding) <= 2
        if is_number and ("." in number or not atoms[colons[-1] - 1].isdigit()):
            end, factor = colons[-1], float(number)
        groups.append((opening, end, closing, factor))
    found = []
    for place, atom in enumerate(atoms):
        if any(place == opening or end <= place <= closing for opening, end, closing, _ in groups):
            continue
        weight = 1.0
        for opening, end, _, factor in sorted(groups):
            weight = within(weight * factor) if opening < place < end else weight
        found.append((atom[-1], weight))
    return found


@given(TEXTS)
def test_any_text_is_read_as_the_grammar_says(text: str) -> None:
    read = weighted(text)
    assert list(zip(read.plain, read.weights, strict=True)) == textbook(text)


@given(TEXTS)
def test_what_is_written_is_read_as_the_same(text: str) -> None:
    read = weighted(text)
    assert weighted(read.written).runs == read.runs
    assert weighted(read.written).written == read.written
    assert weighted(escaped(text)).runs == ((Run(text, 1.0),) if text else ())


@given(st.text(alphabet="a é狐,:.1369+", max_size=40))
def test_a_text_without_brackets_is_itself(text: str) -> None:
    assert weighted(text).written == weighted(text).plain == text


@given(TEXTS, st.integers(0, 60))
def test_an_ended_text_keeps_the_weights_that_it_had(text: str, end: int) -> None:
    read = weighted(text)
    short = weighted(ended(text, min(end, len(text)), read.groups))
    shared = len(short.plain.rstrip("\\ ,;"))  # a backslash may have lost its bracket
    if not re.search(r"\\", text):
        assert short.plain[:shared] == read.plain[:shared]
        assert short.weights[:shared] == read.weights[:shared]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a fox", "a fox"),
        ("(a fox:1.3), night", "(a fox:1.3), night"),
        ("(a fox)", "(a fox:1.1)"),
        ("((a fox))", "(a fox:1.21)"),
        ("[a fox]", "(a fox:0.9091)"),
        ("a (fox:.5) and (an owl: 2 )", "a (fox:0.5) and (an owl:2.0)"),
        ("(a (red:1.5) fox:1.2)", "(a :1.2)(red:1.8)( fox:1.2)"),
        ("(fox:1)", "fox"),
        (r"a \(real\) fox", r"a \(real\) fox"),
        ("a fox :)", r"a fox :\)"),
        ("((((fox", r"\(\(\(\(fox"),
        ("(a [fox)", r"(a \[fox:1.1)"),
        ("(at 10:30) and (16:9)", "(at 10:30:1.1) and (16:9:1.1)"),
        ("(route 66:1.2)", "(route 66:1.2)"),
        ("(fox:9)", "(fox:2.0)"),
        ("(fox:-1)", "(fox:0.0)"),
        ("(fox:) (fox:x)", "(fox::1.1) (fox:x:1.1)"),
        ("()(:1.3)", ""),
    ],
)
def test_the_grammar_by_examples(text: str, written: str) -> None:
    assert weighted(text).written == written


def lines_run(call: Callable[[], Any]) -> int:
    """How many lines of app/weighted.py a call runs."""
    count = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace if frame.f_code.co_filename.endswith("weighted.py") else None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("part", ["(", ")", "[(", "((a:1.1)", "([a)", "(a]", ":1", "\\(", "(:" + "1" * 9, "a, "])
def test_time_is_linear(part: str) -> None:
    """Counted in lines rather than by a clock, for the texts that made quadratic patterns slow."""
    small, large = (lines_run(lambda n=n: weighted(part * n).written) for n in (100, 1000))
    assert large < 10.5 * small
    half = 1000 // 2
    assert lines_run(lambda: weighted("(" * half + "a" + ")" * half).written) < 30 * 1000


def test_breaks_divide_a_text() -> None:
    def parts(text: str) -> list[str]:
        return [text[start:end] for start, end in segments(text)]

    assert parts("a fox BREAK night") == ["a fox ", " night"]
    assert parts("BREAK a fox, BREAK , BREAK") == [" a fox, "]
    assert parts("BREAKFAST, a break") == ["BREAKFAST, a break"]
    assert parts("") == parts("BREAK") == [""]


@given(st.lists(st.sampled_from(["fox", "foxes,", "a", "狐狐狐狐狐狐"]), max_size=60), st.integers(1, 12))
def test_chunks_end_with_a_comma_or_a_word(words: list[str], room: int) -> None:
    text = " ".join(words)
    tokens = [match.span() for match in re.finditer(r"fox|[^\s]", text)]
    chunks = divided(text, tokens, room)
    assert [place for chunk in chunks for place in range(*chunk)] == list(range(len(tokens)))
    assert all(start < end <= start + room for start, end in chunks) or not tokens
    for start, end in chunks[:-1]:
        late = range(start + room - room // 4 + 1, start + room + 1)
        starts = [at for at in range(start + 1, start + room + 1) if text[tokens[at][0] - 1] == " "]
        commas = [at for at in starts if at in late and text[tokens[at][0] - 2] == ","]
        assert end == max(commas or starts or [start + room])
