"""Words are found however they are written, in time that depends on the text alone."""

from time import process_time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.blocked.matching import BlockedEntry, Matcher, folded, folded_places
from tests import clock


def found(name: str, text: str, whole: bool = True) -> list[str]:
    """What is found of a word in a text, as it is written there."""
    matcher = Matcher([BlockedEntry(name, folded(name), "Because.", whole)])
    return [text[find.start : find.end] for find in matcher.find(text)]


@pytest.mark.parametrize(
    ("name", "text", "here"),
    [
        ("Mickey Mouse", "a MICKEY  MOUSE toy", "MICKEY  MOUSE"),
        ("Mickey Mouse", "mickey-mouse", "mickey-mouse"),
        ("Mickey Mouse", "(Mickey Mouse:1.3)", "Mickey Mouse"),
        ("mickey_mouse", "Ｍｉｃｋｅｙ　Ｍｏｕｓｅ", "Ｍｉｃｋｅｙ　Ｍｏｕｓｅ"),
        ("Pokémon", "a pokemon", "pokemon"),
        ("pokemon", "a Poke\u0301mon", "Poke\u0301mon"),
        ("ミッキーマウス", "みっきー・まうすの絵", "みっきー・まうす"),
        ("ミッキー・マウス", "ﾐｯｷｰﾏｳｽ", "ﾐｯｷｰﾏｳｽ"),
        ("ガンダム", "ｶﾞﾝﾀﾞﾑ", "ｶﾞﾝﾀﾞﾑ"),
        ("山田太郎", "俳優の山田　太郎さん", "山田　太郎"),
        ("山田 太郎", "山田太郎", "山田太郎"),
        ("ACME", "ａｃｍｅの缶", "ａｃｍｅ"),
        ("ACME", "缶acme缶", "acme"),
        ("Straße", "STRASSE", "STRASSE"),
        ("cat", "a cat\u200b", "cat"),
        ("c\u200dat", "cat", "cat"),
    ],
)
def test_a_word_is_found_however_it_is_written(name: str, text: str, here: str) -> None:
    assert found(name, text) == [here]


@pytest.mark.parametrize(
    ("name", "text", "within"),
    [
        ("cat", "a caterpillar", True),
        ("cat", "concat", True),
        ("cat", "cat2", True),
        ("ゴリ", "ゴリラ", True),
        ("ラーメ", "ラーメン", True),
        ("が", "か", False),
        ("mouse", "mo use", False),
        ("Mickey Mouse", "Mickey, Mouse", False),
        ("cats", "cat", False),
    ],
)
def test_a_whole_word_is_no_part_of_a_longer_one(name: str, text: str, within: bool) -> None:
    assert found(name, text) == []
    assert bool(found(name, text, whole=False)) == within


@pytest.mark.parametrize(
    "sign", ["\u115f", "\u1160", "\u3164", "\uffa0", "\u061c", "\u20e3", "\u0489", "\ufe20", "\U000e0100", "\U000e0041"]
)
def test_nothing_that_shows_nothing_hides_a_word(sign: str) -> None:
    assert found("mickey", f"mic{sign}key")
    assert found("鬼滅", f"鬼{sign}滅")


def test_words_that_overlap_are_all_found() -> None:
    words = [BlockedEntry(name, folded(name), "", False) for name in ("he", "she", "hers", "his")]
    assert [find.word.name for find in Matcher(words).find("ushers")] == ["she", "he", "hers"]
    assert Matcher([]).find("ushers") == []


SIGNS = "aAéÉe\u0301ßｶﾞガがカ゛・ 　_-ーﾟ山ｱ㌔①\u200d(:)…\U000e0100\u3164\u115f\u20e3\u2800鬼"
# Marks and letters of other scripts that compose, in the middle of which others may be.
COMPOSING = "\u0591\u0489\u034f\u09c7\u09be\u1100\u1161\u11a8\uac01\uffa1\uffc2\u1160"


@given(st.text(st.sampled_from(SIGNS + COMPOSING)))
@example("カ\u20e3ﾞ")
@example("カ\u0591ﾞ")
@example("\u09c7\u20e3\u09be")
@example("\u1100\u20e3\u1161")
def test_places_belong_to_the_folded_text(text: str) -> None:
    made, starts, ends = folded_places(text)
    assert made == folded(text)
    assert len(made) == len(starts) == len(ends)
    assert starts == sorted(starts)
    assert all(0 <= start < end <= len(text) for start, end in zip(starts, ends, strict=True))


@pytest.mark.parametrize("unit", ["a fox ", "山田太郎と赤い狐。", "aaaa", "ａ\u0301・", "\u0301", "((("])
def test_the_longest_prompts_are_searched_in_little_time(unit: str) -> None:
    """For as many words as a list has, some of which nearly fit everywhere."""
    words = [BlockedEntry(name, folded(name), "", True) for name in [f"a{'a' * (n % 50)}b{n}" for n in range(2000)]]
    matcher = Matcher([*words, BlockedEntry("山田太郎", "山田太郎", "", True)])
    text = (unit * 1000)[:1000]
    began = process_time()
    for _ in range(500):
        matcher.find(text)
    assert not clock.exceeds(process_time() - began, 2.0), "4 ms for each of 500 prompts"
