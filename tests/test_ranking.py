import pytest

from app.ranking import BEGINNING, INSIDE, NOTHING, WHOLE, rank, spellings


@pytest.mark.parametrize(
    ("text", "query", "found"),
    [
        ("a red car", "car", WHOLE),
        ("Car, parked", "CAR", WHOLE),
        ("scarf and car", "car", WHOLE),
        ("carpet", "car", BEGINNING),
        ("a scarf", "car", INSIDE),
        ("a fox", "car", NOTHING),
        ("a red scarf", "red car", INSIDE),  # by the word that matches worst
        ("a red fox", "red car", NOTHING),
        ("ＳＡＬＥ ２０２６", "sale 2026", WHOLE),
        ("ｷﾂﾈの絵", "キツネ", BEGINNING),
        ("雪をかぶった富士山", "富士", INSIDE),
        ("Straße", "STRASSE", WHOLE),
        ("Café", "cafe\u0301", WHOLE),
        ("50% (off)", "50% (off)", WHOLE),
        ("@mug", "@mug", WHOLE),
        ("anything", "", NOTHING),
        (None, "car", NOTHING),
    ],
)
def test_whole_words_count_more_than_beginnings_and_those_more_than_parts(
    text: str | None, query: str, found: int
) -> None:
    assert rank(text, query) == found


def test_a_word_is_searched_in_the_widths_that_it_may_be_written_in() -> None:
    assert spellings("fox") == ["fox", "ｆｏｘ"]
    assert spellings("ｶﾞﾗｽ") == ["ｶﾞﾗｽ", "ガラス"]
    assert spellings("ガラス") == ["ガラス", "ｶﾞﾗｽ"]
