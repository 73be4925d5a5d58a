"""Parsing an address and the words of a search."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.gallery.search import DECISIONS, EVERYTHING, PictureFilter, match, normal_tag, words

NUMBERS = st.integers(0, 10**15)
FILTERS = st.builds(
    PictureFilter,
    decision=st.lists(st.sampled_from(DECISIONS), unique=True).map(tuple),
    style=st.lists(st.sampled_from(["SOR-7K2Q", "SOR-ABCD"]), unique=True).map(tuple),
    campaign=st.lists(NUMBERS, unique=True, max_size=4).map(tuple),
    owner=st.lists(NUMBERS, unique=True, max_size=4).map(tuple),
    tag=st.lists(st.sampled_from(["hero", "秋 冬", "a&b=c"]), unique=True).map(tuple),
    set=st.none() | NUMBERS,
    reference=st.none() | NUMBERS,
    starred=st.booleans(),
    since=st.none() | st.dates(),
    until=st.none() | st.dates(),
    q=st.sampled_from(["", "a fox", '"%_', "花火 42", "100% & more"]),
    oldest=st.booleans(),
)


@given(FILTERS)
def test_a_filter_survives_its_address(wanted: PictureFilter) -> None:
    assert PictureFilter.of_query(wanted.query) == wanted
    assert bool(wanted) == (wanted != wanted.cleared)
    assert wanted.cleared == PictureFilter(oldest=wanted.oldest)


@given(st.text(max_size=300))
def test_any_address_is_a_filter(query: str) -> None:
    wanted = PictureFilter.of_query(query)
    assert PictureFilter.of_query(wanted.query) == wanted


def test_senseless_values_are_ignored() -> None:
    query = "decision=nonsense&campaign=x&owner=-1&set=²&since=yesterday&until=2026-02-30&style=+&tag=%00&other=1"
    assert PictureFilter.of_query(query) == EVERYTHING


def test_sorting_leaves_nothing_out() -> None:
    assert not PictureFilter.of_query("order=oldest")
    assert PictureFilter.of_query("order=oldest").query == "order=oldest"
    assert PictureFilter.of_query("order=newest") == PictureFilter.of_query("order=up") == EVERYTHING


def test_without() -> None:
    wanted = PictureFilter(decision=("approved", "none"), set=3, since=date(2026, 1, 2))
    assert wanted.without("decision", "none").decision == ("approved",)
    assert wanted.without("decision").query == "set=3&since=2026-01-02"
    assert wanted.without("set").set is None


@pytest.mark.parametrize(
    ("text", "seed", "code", "only_code"),
    [
        ("fox", None, "", False),
        ("42", 42, "", False),
        ("2345", 2345, "SOR-2345", False),
        ("7k2q", None, "SOR-7K2Q", False),
        ("sor-7k2q", None, "SOR-7K2Q", True),
        ("SOR-7K2", None, "", False),
        ("fish", None, "", False),  # no code has an I
        ("٣٤٥", None, "", False),
    ],
)
def test_what_a_word_may_be(text: str, seed: int | None, code: str, only_code: bool) -> None:
    (word,) = words(f" {text}  {text} ")
    assert (word.seed, word.code, word.only_code) == (seed, code, only_code)


@pytest.mark.parametrize(
    ("text", "kept"), [("a ,", ""), ("a fox", "fox"), ("7", "7"), ("猫 A", "猫"), ("at é", "at é")]
)
def test_single_signs_ask_nothing(text: str, kept: str) -> None:
    assert [word.text for word in words(text)] == kept.split()


def test_quotes_are_doubled() -> None:
    (word,) = words('6"disc')
    assert match(word).startswith('("6""disc" OR ')


def test_tags_are_one_line_in_lower_case() -> None:
    assert normal_tag("  Hero\t SHOT\n") == "hero shot"
