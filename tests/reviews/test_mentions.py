"""Mentions in a comment."""

from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.models import User
from app.reviews.mentions import Piece, mentioned, pieces
from app.web.templating import make_environment

PEOPLE = [
    User(id=1, name="Ito", email="ito@example.com"),
    User(id=2, name="Ito Kenji", email="kenji@example.com"),
    User(id=3, name="佐藤 美咲", email="misaki@example.com"),
    User(id=4, name="Ito Kenji", email="k.ito@example.com"),
    User(id=5, name="", email="(nobody)"),
    User(id=6, name="Jürgen Groß", email="grob@example.com"),
]
BODIES = st.lists(
    st.sampled_from(["@", "@Ito", "@ITO KENJI", "@佐藤 美咲", "@grob", "@Jürgen GROSS", "@<i>", "&amp;", " ", "\n"])
    | st.text(max_size=6),
    max_size=12,
).map("".join)


@pytest.mark.parametrize(
    ("body", "ids"),
    [
        ("@Ito, the ear", [1]),
        ("@ito kenji: the ear", [2, 4]),
        ("see @KENJI and @k.ito.", [2, 4]),
        ("@佐藤 美咲さん、お願いします", [3]),
        ("はい@misaki", [3]),
        ("(@Ito)", [1]),
        ("@Ito @Ito", [1]),
        ("@Jürgen GROSS!", [6]),
        ("@Jürgen Großmann", []),
        ("@Itokawa", []),
        ("write to me@ito", []),
        ("@", []),
        ("@ Ito", []),
        ("", []),
    ],
)
def test_mentioned(body: str, ids: list[int]) -> None:
    assert [person.id for person in mentioned(body, PEOPLE)] == ids


def test_pieces() -> None:
    kenjis = PEOPLE[1], PEOPLE[3]
    assert pieces("@ITO kenji, @Jürgen GROSS and @jürgen groß? @nobody", PEOPLE) == [
        Piece("@ITO kenji", kenjis),
        Piece(", "),
        Piece("@Jürgen GROSS", (PEOPLE[5],)),
        Piece(" and "),
        Piece("@jürgen groß", (PEOPLE[5],)),
        Piece("? @nobody"),
    ]
    assert pieces("", PEOPLE) == []
    assert pieces("@Ito", []) == [Piece("@Ito")]


@given(BODIES)
def test_pieces_are_the_whole_text(body: str) -> None:
    found = pieces(body, PEOPLE)
    assert "".join(piece.text for piece in found) == body
    assert all(piece.text.startswith("@") for piece in found if piece.people)


WORDS = make_environment().from_string(
    '{% import "review/_parts.html" as parts with context %}{{ parts.words(pieces) }}'
)


@given(BODIES)
def test_without_its_marks_a_comment_is_shown_as_it_was_written(body: str) -> None:
    shown = WORDS.render(pieces=pieces(body, PEOPLE), user=PEOPLE[0])
    for tag in ('<mark class="named named--you">', '<mark class="named">', "</mark>"):
        shown = shown.replace(tag, "")
    assert "<" not in shown
    assert unescape(shown) == body
