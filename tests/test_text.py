"""Text that people typed, and numbers with their words."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.text import clean_line, clean_text, plural, shorten, slug, thin, whole_number


@pytest.mark.parametrize(
    ("typed", "clean"),
    [
        ("  a fox\t", "a fox"),
        ("a\tfox", "a fox"),
        ("a\x00f\u202eox\ud800", "afox"),
        ("か\u3099", "が"),
        ("👨\u200d👩\u200d👧", "👨\u200d👩\u200d👧"),
    ],
)
def test_clean_line(typed: str, clean: str) -> None:
    assert clean_line(typed) == clean


@pytest.mark.parametrize(
    ("typed", "number"),
    [("7", 7), ("007", 7), ("", None), ("-1", None), (" 7", None), ("٧", None), ("7.0", None), ("9" * 5000, None)],
)
def test_whole_number(typed: str, number: int | None) -> None:
    assert whole_number(typed) == number


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
