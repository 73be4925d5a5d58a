"""What pages say about texts that the model does not read, while they are written and afterwards."""

from dataclasses import replace

import pytest

from app.web import pools, readings
from tests.engine.painter import FACTS, Painter
from tests.prompts.test_reader import LONG, READER
from tests.web.server import Browser, Server, making


@pytest.fixture
def code(server: Server, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(Painter, "model", replace(FACTS, reader=READER))
    with making(server) as make:
        return make.style(text="flat icon").code


def test_each_line_is_read(designer: Browser, code: str) -> None:
    sent = {"prompts": f"a fox\r\na\u2028unicorn\r\n{LONG}", "kind": "prompt", "style": code}
    fox, unicorn, long = designer.post("/readings", data=sent).json()
    assert fox == {
        "pieces": [["a fox", ""]],
        "notes": [],
        "aside": "",
        "nothing": False,
        "unused": "",
        "barred": [],
        "drawn_as": "",
    }
    assert unicorn["pieces"] == [["a ", ""], ["unicorn", "unknown"]]
    assert unicorn["nothing"] is True
    assert long["pieces"][-1][1] == "cut"
    assert "The style text is always read" in long["notes"][0]


def test_a_negative_prompt_at_guidance_1(designer: Browser, code: str) -> None:
    for guidance, unused in (("1", True), ("1.5", False), ("", False), ("nan", False), ("x", False)):
        (found,) = designer.post("/readings", data={"prompts": "fox", "kind": "negative", "guidance": guidance}).json()
        assert bool(found["unused"]) == unused, guidance
        assert [found["unused"]] * unused == found["notes"]


def test_a_picture_is_redone_in_the_style_version_of_its_set(server: Server, designer: Browser, code: str) -> None:
    with making(server) as make:
        set_id = make.image_set(style=make.style(text="flat icon " * 5), prompts="a fox").id
    mine, other = (
        designer.post("/readings", data={"prompts": LONG, "kind": "prompt"} | which).json()[0]["pieces"][0][0]
        for which in ({"set": set_id}, {"style": code})
    )
    assert len(mine) < len(other)
    assert designer.post("/readings", data={"prompts": "a", "set": "999999"}).status_code == 404


def test_a_set_says_what_was_lost(server: Server, designer: Browser, code: str) -> None:
    sent = {"style": code, "prompts": "a unicorn\na fox", "count": "1", "size": "64x64", "guidance": "1"}
    path = designer.post("/sets", data=sent | {"negative_prompt": "owl"}).headers["location"]
    page = designer.get(path).text
    assert "Prompt 1: The model knows none of these words. Try others." in page
    assert "The negative prompt does nothing at guidance 1" in page


def test_reading_takes_no_place_from_those_who_write() -> None:
    assert not pools.writes(readings.read, {"POST"})


def test_one_answer_reads_a_bounded_text(designer: Browser, code: str) -> None:
    long = [f"{number}{'狐赤家' * 160}" for number in range(500)]
    sent = {"kind": "prompt", "style": code, "drawn_as": "{}"}
    answer = designer.post("/readings", data=sent | {"prompts": "\n".join(long)}).json()
    read = ["".join(part for part, _ in each["pieces"]) for each in answer]
    assert read == long[: len(read)]
    assert readings.MOST_READ - len(long[-1]) <= sum(map(len, read)) <= readings.MOST_READ
    hostile = "\n".join(["狐" * 2000] * 140)
    assert len(designer.post("/readings", data=sent | {"prompts": hostile}).json()) == 10
    assert len(designer.post("/readings", data=sent | {"prompts": "a fox\n" * 499}).json()) == 500
