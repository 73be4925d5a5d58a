"""The delivered checklists: complete, in both languages, with why and a source or the word that it is practice."""

import re
import tomllib
from itertools import chain
from typing import Any

import pytest

from app.customs import delivered
from app.customs.delivered import FOLDER, MARKETS, PRACTICE, TOPICS
from app.languages import LANGUAGES

FIELDS = {"topic", "text", "why", "sources"}
ABOUT = {"colours", "numbers", "hands", "animals", "religion", "nation"}  # what every market says something about


def read(name: str) -> dict[str, Any]:
    return tomllib.loads((FOLDER / name).read_text("utf-8"))


def test_every_market_has_a_file_in_every_language_and_there_are_no_others() -> None:
    wanted = {f"{market}.{language}.toml" for market in MARKETS for language in LANGUAGES}
    assert {path.name for path in FOLDER.iterdir()} == wanted | {"sources.toml"}


@pytest.mark.parametrize("market", MARKETS)
def test_every_item_is_complete_and_the_same_in_both_languages(market: str) -> None:
    english = read(f"{market}.en.toml")
    assert 12 <= len(english) <= 20
    for language in LANGUAGES:
        told = read(f"{market}.{language}.toml")
        assert [*told] == [*english], language
        for key, item in told.items():
            assert item.keys() == FIELDS, (language, key)
            assert (item["topic"], item["sources"]) == (english[key]["topic"], english[key]["sources"]), key
            assert item["topic"] in TOPICS
            assert item["sources"], key
            for words in (item["text"], item["why"]):
                assert words.strip() == words
                assert words.endswith("." if language == "en" else "。"), (key, words)
            assert language == "en" or not re.search(r"[A-Za-z]{4,}", item["text"].replace("SPECIMEN", "")), key
    topics = {item["topic"] for item in english.values()}
    assert topics >= ABOUT


def test_an_item_is_one_sentence_that_a_picture_answers() -> None:
    for market in MARKETS:
        for item in delivered.items(market).values():
            assert len(item.text) <= 200
            assert not re.search(r"[.!?] [A-Z]", item.text), item.text


def test_every_source_says_what_it_is_and_is_used() -> None:
    used = set(
        chain.from_iterable(item["sources"] for market in MARKETS for item in read(f"{market}.en.toml").values())
    )
    assert used - {PRACTICE} == set(delivered.sources())
    for name, entry in delivered.sources().items():
        assert {"title", "ja", "publisher", "publisher_ja"} <= entry.keys(), name
        assert entry.keys() <= {"title", "ja", "publisher", "publisher_ja", "year", "url"}, name
        assert entry.get("url", "https://").startswith("https://"), name
        assert entry.get("year") or entry.get("url") or name in {"us-blackface"}, name


def test_an_answer_in_one_language_is_to_the_same_item_in_the_other() -> None:
    for market in MARKETS:
        stamps = [[item.stamp for item in delivered.items(market, language).values()] for language in LANGUAGES]
        assert stamps[0] == stamps[1]
    assert delivered.items("jp", "ja")["four-nine"].text != delivered.items("jp")["four-nine"].text
    (source,) = delivered.items("jp", "ja")["alcohol-age"].sources
    assert source.publisher == "飲酒に関する連絡協議会"
    assert delivered.items("jp", "xx") == delivered.items("jp")
