"""How prompts name subjects."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.prompts.handles import HANDLE_LENGTH, candidates, handle_from, mentioned, mentions

NAMES = st.text("aZ9Ａ１ ・-ｶﾞがガかマグカップー写真の𠮷々ﾞé🦊", max_size=60)


@pytest.mark.parametrize(
    ("name", "handle"),
    [
        ("Mug", "mug"),
        ("Kettle No. 2", "kettle-no-2"),
        ("  Große Tasse!! ", "gro-e-tasse"),
        ("湯のみ", "湯のみ"),
        ("mug 湯のみ", "mug-湯のみ"),
        ("ﾏｸﾞｶｯﾌﾟ", "マグカップ"),
        (unicodedata.normalize("NFD", "マグカップ"), "マグカップ"),
        ("ＭＵＧ・Ａ１", "mug-a1"),
        ("いすゞ 𠮷野家〆", "いすゞ-𠮷野家〆"),
        ("Чашка 🦊", ""),
        ("x" * 60, "x" * 40),
        ("湯" * 60, "湯" * 40),
    ],
)
def test_handle_from(name: str, handle: str) -> None:
    assert handle_from(name) == handle


@pytest.mark.parametrize(
    ("prompt", "known", "handles"),
    [
        ("@マグカップ", [], ["マグカップ"]),
        ("@マグカップの写真", [], ["マグカップの写真"]),
        ("@マグカップの写真", ["マグカップ"], ["マグカップ"]),
        ("@マグカップの写真", ["マグカップ", "マグカップの写真"], ["マグカップの写真"]),
        ("@マグカップ", ["マグ"], ["マグカップ"]),
        ("@湯のみと@マグ、机", ["湯のみ", "マグ"], ["湯のみ", "マグ"]),
        ("机の上の@湯呑写真", ["湯呑"], ["湯呑"]),
        ("@mugの写真", ["mug"], ["mug"]),
        ("@Mug2の写真", ["mug"], ["mug2の写真"]),
        ("@マグ-青い机", ["マグ-青", "マグ"], ["マグ-青"]),
        ("@人々", ["人"], ["人々"]),
        ("@らーめん", ["ら"], ["らーめん"]),
        ("me@マグ.jp, @@マグ, @ マグ", ["マグ"], []),
        ("@blue-mug", ["blue"], ["blue-mug"]),
    ],
)
def test_the_longest_known_handle_is_named(prompt: str, known: list[str], handles: list[str]) -> None:
    assert mentioned([prompt], known) == handles
    assert set(handles) & set(known) <= set(candidates([prompt])), "it would not be looked for"


@given(NAMES)
def test_a_name_in_any_case_and_width_gives_a_handle_that_prompts_can_name(name: str) -> None:
    handle = handle_from(name)
    assert handle == handle_from(handle) == handle_from(name.upper()) == handle_from(unicodedata.normalize("NFD", name))
    if handle:
        assert len(handle) <= HANDLE_LENGTH
        assert [each.handle for each in mentions(f"@{handle}", [handle])] == [handle]
        assert handle in candidates([f"机の@{handle}の写真"])


@given(st.text("@aB1-マグカッーの写真々、 𠮷", max_size=60), st.sets(NAMES.map(handle_from), max_size=4))
def test_mentions_are_places_of_the_text_in_order(text: str, known: set[str]) -> None:
    end = 0
    for mention in mentions(text, known):
        assert end <= mention.start < mention.end <= len(text)
        assert text[mention.start : mention.end].lower() == f"@{mention.handle}"
        end = mention.end
    assert set(mentioned([text], known)) & known <= set(candidates([text]))
