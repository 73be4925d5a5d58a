"""What the bundled model's tokenizers read, and how a style's text is kept."""

import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from app.prompts.reader import Reader, joined
from app.prompts.remarks import Mark, remarks, summary

DEMO = Path(__file__).parents[2] / "app" / "demo_model"
TOKENIZER = Tokenizer.from_file(str(DEMO / "tokenizer" / "tokenizer.json"))
KNOWN = "a an the fox red owl teapot and on in flat icon watercolor sketch style sailboat"
READER = Reader([TOKENIZER, TOKENIZER], 24, frozenset(KNOWN.split()))  # 22 without the frame
LATIN = Reader([TOKENIZER], 24)  # as a large model's, which knows every word in Latin letters
CHUNKED = Reader([TOKENIZER], 24, frozenset(KNOWN.split()), most_chunks=3)
LONG = "a red fox and an owl on a teapot in a sailboat and a fox and an owl and a red teapot and a fox"


def marked(text: str, style_text: str = "", reader: Reader = READER) -> list[tuple[str, str]]:
    found = remarks(reader.read(text, style_text), text, "prompt", style_text)
    assert "".join(part for part, _ in found.pieces) == text
    return [(part, mark.value) for part, mark in found.pieces if mark]


def notes(text: str, style_text: str = "", reader: Reader = READER) -> tuple[str, ...]:
    return remarks(reader.read(text, style_text), text, "prompt", style_text).notes


@pytest.mark.parametrize("style_text", ["", "flat icon", "watercolor"])
def test_a_prompt_that_fits_is_read_as_it_was(style_text: str) -> None:
    for prompt in ("a fox", "a  fox,, and , an owl,", ""):
        reading = READER.read(prompt, style_text)
        assert (reading.read, reading.end) == (joined(prompt, style_text), len(prompt))


def test_the_prompt_is_cut_and_the_style_stays() -> None:
    reading = READER.read(LONG, "watercolor sketch")
    assert reading.read.endswith(", watercolor sketch")
    assert READER.tokens(reading.read) == 22
    assert LONG.startswith(reading.read.removesuffix(", watercolor sketch")), "after a whole word"
    assert READER.read(LONG, "flat icon").read != reading.read
    assert "too long" in notes(LONG, "watercolor sketch")[0]
    assert "The style text is always read" in notes(LONG, "watercolor sketch")[0]


def test_a_style_text_that_fills_everything_leaves_the_prompt_its_first_words() -> None:
    text = "flat icon " * 12
    reading = READER.read(LONG, text)
    assert reading.read.startswith("a, flat icon flat icon")
    assert reading.style_end < len(text)
    assert "style text is too long" in notes(LONG, text)[-1]


@given(st.text(alphabet="a fox,é狐@(:1.3)<lora>", max_size=90), st.text(alphabet="flat, icon狐", max_size=90))
def test_whatever_is_typed_fits(prompt: str, style_text: str) -> None:
    reading = READER.read(prompt, style_text)
    assert READER.tokens(reading.read) <= 22 or reading.end == 0
    assert 0 <= reading.end <= len(prompt)
    assert 0 <= reading.style_end <= len(style_text)
    remarks(reading, prompt, "prompt", style_text)


def test_words_that_the_model_has_not_learned_are_marked() -> None:
    assert marked("a unicorn and a fox") == [("unicorn", "unknown")]
    assert marked("キツネ") == [("キツネ", "unknown")]
    assert marked("a fox 🦊, red!") == [("🦊", "unknown")]
    assert notes("a unicorn and a fox") == ("The model does not know “unicorn”.",)
    assert marked("a Red FOX") == []


def test_a_large_model_does_not_know_other_scripts() -> None:
    assert marked("a unicorn and a キツネ, cafe", reader=LATIN) == [("キツネ", "unknown")]
    assert Reader().read("キツネ").unknown, "whatever its tokenizers are"


@pytest.mark.parametrize(
    ("prompt", "nothing"),
    [("a unicorn", True), ("キツネ", True), ("a red unicorn", False), ("a", False), ("", False), ("fox", False)],
)
def test_a_prompt_of_which_nothing_is_known(prompt: str, nothing: bool) -> None:
    found = remarks(READER.read(prompt, "flat icon"), prompt)
    assert found.nothing == nothing
    assert ("The model knows none of these words. Try others." in found.notes) == nothing


def test_trigger_words_are_read_for_handles_and_known() -> None:
    reading = READER.read("a @mug and sks", "flat icon", {"mug": "sks mug"})
    assert (reading.read, reading.unknown, reading.nothing) == ("a sks mug and sks, flat icon", (), False)
    long = "@mug " * 5 + "fox"
    assert READER.read(long, "", {"mug": "a red fox and an owl"}).end == 14, "before the fourth"


def test_weights_are_read_and_lora_tags_are_explained() -> None:
    prompt = "(a fox:1.3) and a unicorn <lora:mug:0.8>"
    assert marked(prompt) == [
        ("(", "weight"),
        (":1.3)", "weight"),
        ("unicorn", "unknown"),
        ("<lora:mug:0.8>", "written"),
    ]
    assert READER.read(prompt).read == "(a fox:1.3) and a unicorn"
    assert "<lora:mug:0.8> is not read. Use @handle for a subject." in notes(prompt)
    assert notes("(a fox:9)") == ("Weights go from 0 to 2: (a fox:9) is read as 2.",)
    assert notes("(a fox:1.3), [an owl], ((a teapot))") == ()


def test_brackets_belong_to_the_text_that_they_are_in() -> None:
    assert READER.read("(a fox", "flat) icon").read == r"\(a fox, flat\) icon"
    assert READER.read("a fox", "(flat icon:1.2)").read == "a fox, (flat icon:1.2)"
    assert READER.read("(@glow:1.3) a fox", "", {"glow": ""}).read == "(:1.3) a fox"


def test_a_weight_stays_where_its_text_is_cut() -> None:
    reading = READER.read(f"(({LONG}):1.5)", "flat icon")
    assert reading.read.endswith(":1.65), flat icon")
    assert READER.tokens(reading.read) == 22
    assert remarks(reading, f"(({LONG}):1.5)").pieces[-1][1] == Mark.CUT


def test_a_long_text_is_read_in_chunks() -> None:
    reading = CHUNKED.read(f"{LONG}, {LONG}", "watercolor sketch")
    assert (reading.end, reading.read) == (2 * len(LONG) + 2, f"{LONG}, {LONG}, watercolor sketch")
    assert reading.chunks == 3
    found = remarks(reading, LONG)
    assert (found.notes, found.aside) == ((), "Read in 3 chunks of up to 22 tokens.")
    assert remarks(CHUNKED.read("a fox"), "a fox").aside == ""
    cut = CHUNKED.read(", ".join([LONG] * 5), "watercolor sketch")
    assert (cut.chunks, cut.read.endswith(", watercolor sketch")) == (3, True)
    assert "tokens, up to 66 fit)" in remarks(cut, ", ".join([LONG] * 5)).notes[0]


def test_a_break_begins_a_chunk_where_there_are_several() -> None:
    assert (CHUNKED.read("a fox BREAK an owl").chunks, CHUNKED.read("a fox BREAK an owl").unknown) == (2, ())
    assert notes("a fox BREAK an owl", reader=CHUNKED) == ()
    assert READER.read("a fox BREAK an owl").read == "a fox an owl"
    assert notes("a fox BREAK an owl") == ("BREAK is not read: this model reads a text in one chunk.",)


@given(st.text(alphabet="a fox,é狐@(:1.3)[]\\BREAK", max_size=200), st.text(alphabet="flat, (icon狐", max_size=90))
def test_whatever_is_typed_fits_into_the_chunks(prompt: str, style_text: str) -> None:
    reading = CHUNKED.read(prompt, style_text)
    assert CHUNKED.chunks(reading.read) == reading.chunks
    assert reading.chunks <= 3 or reading.end == 0
    remarks(reading, prompt, "prompt", style_text)


def test_what_is_cut_is_marked_to_the_end() -> None:
    *_, (part, mark) = marked(LONG)
    assert (mark, LONG.endswith(part)) == (Mark.CUT, True)
    assert READER.read("sailboat " * 30).read.endswith("sailboat"), "no word is cut in two"
    assert 0 < READER.read("キツネ" * 20).end < 60, "unless it is the only one"


def test_a_summary_names_the_prompts_of_each_remark() -> None:
    found = [(number, remarks(READER.read(text), text)) for number, text in enumerate(["a unicorn, a fox"] * 7, 1)]
    assert summary(found, 3) == ["Prompts 1, 2, 3, 4, 5 and 2 more: The model does not know “unicorn”."]
    other = (9, remarks(READER.read("キツネ"), "キツネ"))
    assert summary([*found, other], 1)[-1] == "1 more remark."


def test_a_reader_crosses_to_another_process() -> None:
    copy = pickle.loads(pickle.dumps(READER))  # noqa: S301
    assert copy.read(LONG, "flat icon") == READER.read(LONG, "flat icon")
    assert copy.knows("fox")
    assert not copy.knows("unicorn")


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("a fox", "fox"),
        ("a (red:1.3) fox on a chair, at night", "red fox"),
        ("a cup of coffee, steaming", "cup coffee"),
        ("a fox and an owl in the snow", "fox owl"),
        ("@mug, floating", "sks mug"),
        ("in the forest", "forest"),
        ("", ""),
    ],
)
def test_the_main_subject_is_named_by_the_first_words(prompt: str, words: str) -> None:
    assert Reader().subject(prompt, {"mug": "sks mug"}) == words
