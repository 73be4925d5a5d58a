"""Typed text, and numbers with their words."""

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.text import (
    MOST_MARKS,
    clean_line,
    clean_prompt,
    clean_text,
    lines,
    narrow,
    narrow_places,
    normalized,
    plural,
    shorten,
    slug,
    thin,
    whole_number,
)
from tests import clock


@pytest.mark.parametrize(
    ("typed", "clean"),
    [
        ("  a fox\t", "a fox"),
        ("a\tfox", "a fox"),
        ("a\x00f\u202eox\ud800", "afox"),
        ("a\vfox\u2028on\x85ice\r\nfloes", "a fox on ice floes"),
        ("か\u3099", "が"),
        ("👨\u200d👩\u200d👧", "👨\u200d👩\u200d👧"),
    ],
)
def test_clean_line(typed: str, clean: str) -> None:
    assert clean_line(typed) == clean


@pytest.mark.parametrize(
    ("typed", "prompt"),
    [
        ("ａ　ｆｏｘ", "a fox"),
        ("狐、家 、木", "狐, 家, 木"),
        ("（ｆｏｘ：１．３），＠ｍｕｇ", "(fox:1.3),@mug"),
        ("ｷﾞﾀｰ", "ギター"),
        ("½ … ① ™", "½ … ① ™"),
    ],
)
def test_a_prompt_is_read_in_the_usual_width(typed: str, prompt: str) -> None:
    assert clean_prompt(typed) == prompt


@given(st.text(st.one_of(st.characters(), st.sampled_from("ａ１，　ｷﾞﾟ、ﾞ￣")), max_size=50))
def test_narrow_letters_know_where_they_come_from(text: str) -> None:
    plain, places = narrow_places(text)
    assert plain == narrow(text) or "ﾞ" in text or "ﾟ" in text
    assert places == sorted(places)
    assert len(places) == len(plain) + 1
    assert narrow(plain) == plain


@pytest.mark.parametrize(
    ("typed", "number"),
    [("7", 7), ("007", 7), ("", None), ("-1", None), (" 7", None), ("٧", None), ("7.0", None), ("9" * 5000, None)],
)
def test_whole_number(typed: str, number: int | None) -> None:
    assert whole_number(typed) == number


def test_lines_are_those_of_a_text_field() -> None:
    assert lines("a\r\nb\rc\n\nd") == ["a", "b", "c", "", "d"]
    assert lines("a\v\f\x1c\x85\u2028\u2029b") == ["a\v\f\x1c\x85\u2028\u2029b"]


def test_clean_text_keeps_lines() -> None:
    assert clean_text("\n a \r\n\r\n b\x07\n") == "a\n\nb"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("A fox, smiling!", "a-fox-smiling"),
        ("雪をかぶった富士山と低い雲", "雪をかぶった富士山と低い雲"),
        ("ﾊﾝｶｸ　１２３", "ハンカク-123"),
        ("🦊", ""),
        ("", ""),
        ("../../etc/passwd", "etc-passwd"),
        ("CON", "con-"),
        ("=cmd|' /C calc'!A0", "cmd-c-calc-a0"),
        ("a_b\u202egnp", "a-b-gnp"),
        ("word " * 30, "word-word-word-word-word-word-word-word"),
    ],
)
def test_slug(text: str, name: str) -> None:
    assert slug(text) == name


@given(st.text())
def test_slug_is_always_safe(text: str) -> None:
    name = slug(text)
    assert len(name) <= 40
    assert len(name.encode()) <= 121
    assert not set(name) & set('/\\:*?"<>|. \0')
    assert not any(unicodedata.category(letter).startswith("C") for letter in name)
    assert not name.startswith("-")
    assert slug(name).rstrip("-") == name.rstrip("-")


@given(st.text(), st.integers(2, 60))
def test_shorten_fits(text: str, length: int) -> None:
    assert len(shorten(text, length)) <= length
    assert shorten(text, len(text)) == text


def test_shorten_cuts_between_words() -> None:
    assert shorten("a cup of black coffee, steam rising", 25) == "a cup of black coffee…"


@pytest.mark.parametrize(("number", "written"), [(0, "0"), (999, "999"), (1631, "1\u202f631"), (None, "")])
def test_thin(number: int | None, written: str) -> None:
    assert thin(number) == written


def test_plural() -> None:
    assert plural(1, "picture") == "1 picture"
    assert plural(0, "picture") == "0 pictures"
    assert plural(2, "person", "people") == "2 people"
    assert plural(1500, "picture") == "1\u202f500 pictures"
    assert plural(None, "picture") == ""


@pytest.mark.parametrize(
    "mark", ["\u0301", "\u0f73", "\u0344", "\uff9e", "\U0001d165", "\u0316\u0301", "\u0301\U0001d165"]
)
def test_marks_in_a_row_take_linear_time(mark: str) -> None:
    """Python's own normal forms take seconds for forty thousand, and four times as long for twice as many."""
    hostile = "a" + mark * (100_000 // len(mark))
    with clock.at_most(0.05):
        assert len(clean_line(hostile)) <= 1 + 2 * MOST_MARKS
        assert len(slug(hostile)) <= 40
        assert len(normalized("NFKC", hostile)) <= 1 + 2 * MOST_MARKS


def test_no_written_language_loses_a_mark() -> None:
    for text in ("Z̸̢͍̝̘̦̤͔͖̆̑", "ཧཱུྃ", "क्षि", "ﷺ", "שָׁלוֹם", "ガ", "🏴\U000e0067", "한국어"):
        assert normalized("NFC", text) == unicodedata.normalize("NFC", text)
    assert normalized("NFC", "e" + "\u0301" * MOST_MARKS) == unicodedata.normalize("NFC", "e" + "\u0301" * MOST_MARKS)


def test_only_one_place_asks_for_a_normal_form() -> None:
    """Anywhere else it would be unbounded."""
    app = Path(__file__).parents[1] / "app"
    assert [file.name for file in app.rglob("*.py") if "unicodedata.normalize" in file.read_text()] == ["text.py"]
