"""The dictionary of what the bundled model knows."""

from collections import Counter
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.prompts.reader import WORD
from app.style_aligned.loading import DEMO
from app.text import NO_ARTICLE, with_article
from app.translation.dictionary import COLOUR, LOOK, SPELLINGS, THING, Dictionary, read_spellings
from app.translation.translator import Translation, is_japanese
from training.data.looks import LOOKS
from training.data.vocabulary import FEW_OBJECTS, HUES

DICTIONARY = Dictionary()
KNOWN = {word for name in ("words.txt", "other_words.txt") for word in WORD.findall((DEMO / name).read_text())}
ALPHABET = "狐赤きつねキツーいのと、 (:1.3)@mugg車がる描aＡ🦊ﾞ"


def english(text: str) -> str:
    return DICTIONARY.translate([text])[0].english


def unknown(text: str) -> list[str]:
    return [text[start:end] for start, end in DICTIONARY.translate([text])[0].unknown]


def spelt(kind: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for spelling, (of_kind, words) in read_spellings().items():
        if of_kind == kind:
            found.setdefault(words, []).append(spelling)
    return found


def test_every_thing_look_and_colour_of_the_captions_is_spelt_and_nothing_else() -> None:
    assert set(spelt(THING)) == set(FEW_OBJECTS)
    assert set(spelt(COLOUR)) == set(HUES)
    assert set(spelt(LOOK)) == set(chain.from_iterable(look.phrases for look in LOOKS.values()))


def test_no_spelling_is_listed_twice() -> None:
    entries = [line.partition(":") for line in SPELLINGS.read_text().splitlines() if ":" in line and line[0] != "#"]
    counts = Counter(chain.from_iterable(set(spellings.split()) for _, _, spellings in entries))
    assert [spelling for spelling, number in counts.items() if number > 1] == []


@pytest.mark.parametrize("thing", FEW_OBJECTS)
def test_every_spelling_of_a_thing_is_the_caption_of_its_pictures(thing: str) -> None:
    alone = thing if thing in NO_ARTICLE else with_article(thing)
    red = f"red {thing}" if thing in NO_ARTICLE else f"a red {thing}"
    for spelling in spelt(THING)[thing]:
        assert DICTIONARY.translate(
            [spelling, f"赤い{spelling}の絵", f"ロボットと{spelling}", f"水彩の{spelling}"]
        ) == [
            Translation(alone),
            Translation(red),
            Translation(f"a robot and {alone}"),
            Translation(f"{alone}, watercolor"),
        ], spelling
        assert set(WORD.findall(alone)) <= KNOWN


@pytest.mark.parametrize("kind", [COLOUR, LOOK])
def test_every_spelling_of_a_look_and_colour_is_in_the_caption(kind: str) -> None:
    for words, spellings in spelt(kind).items():
        for spelling in spellings:
            said = with_article(f"{words} fox") if kind == COLOUR else f"a fox, {words}"
            assert english(f"{spelling}の狐") == said
            assert set(WORD.findall(words)) <= KNOWN


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("赤い狐と家", "a red fox and a house"),
        ("赤い狐と青い家、水彩", "a red fox and a blue house, watercolor"),
        ("狐は赤い", "a red fox"),
        ("赤い狐の絵を描いてください。", "a red fox"),
        ("一匹の狐がいます", "a fox"),
        ("(赤い狐:1.3)、家", "(a red fox:1.3), a house"),
        ("<lora:x:1> 狐", "<lora:x:1> a fox"),
        ("赤い@mugの写真", "red @mug"),
        ("unicornと狐", "unicorn and a fox"),
        ("ペンギンロボット", "a penguin and a robot"),
        ("狐、、家、", "a fox, a house"),
    ],
)
def test_sentences_become_captions(text: str, said: str) -> None:
    assert english(text) == said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("キツネモドキ", ["キツネモドキ"]),
        ("きつねもどき", ["きつねもどき"]),
        ("家族", ["家族"]),
        ("犬小屋と狐", ["犬小屋"]),
        ("木星", ["木星"]),
        ("車いす", ["車いす"]),
        ("かわいいきつね", ["かわいい"]),
        ("狐が走っている", ["走っている"]),
        ("2匹の狐", ["2匹"]),
        ("青い鳥", ["鳥"]),
        ("狐", []),
    ],
)
def test_words_that_the_model_does_not_know_are_found_and_known_parts_of_them_are_not_used(
    text: str, words: list[str]
) -> None:
    assert unknown(text) == words


@given(st.text(st.one_of(st.sampled_from(ALPHABET), st.characters()), max_size=60))
def test_any_text_is_read(text: str) -> None:
    found = DICTIONARY.translate([text])[0]
    places = list(chain.from_iterable(found.unknown))
    assert places == sorted(set(places))
    assert all(0 <= place <= len(text) for place in places)
    assert not is_japanese(found.english)


@pytest.mark.parametrize("part", ["狐", "き", "車いす", "a狐", "(", "、", "@", ":1"])
def test_the_work_grows_with_the_length(part: str) -> None:
    class Counted(dict[str, tuple[str, str]]):
        looked = 0

        def get(self, *values: object) -> object:  # type: ignore[override]
            Counted.looked += 1
            return super().get(*values)  # type: ignore[call-overload]

    dictionary = Dictionary()
    dictionary._said = Counted(dictionary._said)
    dictionary.translate([part * 100])
    once = Counted.looked
    dictionary.translate([part * 400])
    assert Counted.looked - once <= 4.5 * once


def test_only_kana_and_kanji_outside_of_handles_are_japanese() -> None:
    assert [is_japanese(text) for text in ("狐", "a きつね", "ｷﾂﾈ", "a fox", "@mug", "лиса", "🦊", "ー")] == [
        True,
        True,
        True,
        False,
        False,
        False,
        False,
        False,
    ]
