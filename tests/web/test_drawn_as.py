"""Prompts in Japanese: what is drawn is shown, corrected, kept and given to the model."""

import json
import re
from dataclasses import replace
from html import unescape

import pytest
from sqlalchemy import select

from app.models import Image, ImageSet, State, Tuning
from app.prompts.reader import WORD, Reader
from app.sets import units
from app.sets.looks import latest_version
from app.style_aligned.loading import DEMO
from tests.engine.painter import FACTS, Painter
from tests.web.server import Browser, Server, making
from tests.web.test_sets import wait_for

READER = Reader(
    words=frozenset(WORD.findall("".join((DEMO / name).read_text() for name in ("words.txt", "other_words.txt"))))
)
FORM = {
    "prompts": "赤い狐\nａ　ｆｏｘ\n走る狐、家",
    "negative_prompt": "帽子、木",
    "regions": json.dumps([{"prompt": "星", "box": [0, 0, 0.5, 0.5]}]),
    "count": "１",
    "size": "６４x64",
    "seed": "１２８",
}


@pytest.fixture
def code(server: Server, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(Painter, "model", replace(FACTS, reader=READER))
    with making(server) as make:
        return make.style(text="flat icon").code


def test_lines_in_japanese_are_read_in_english_and_marked_as_they_were_typed(designer: Browser, code: str) -> None:
    sent = {"prompts": "赤い狐\n走る狐、ｷﾂﾈﾓﾄﾞｷ\nａ ｆｏｘ", "kind": "prompt", "style": code, "drawn_as": "{}"}
    red, runs, wide = designer.post("/readings", data=sent).json()
    assert red["drawn_as"] == "a red fox"
    assert runs["drawn_as"] == "a fox"
    assert runs["pieces"] == [["走る", "unknown"], ["狐、", ""], ["ｷﾂﾈﾓﾄﾞｷ", "unknown"]]
    assert runs["notes"][0] == "The model does not know “走る” or “キツネモドキ”."
    assert (wide["pieces"], wide["notes"], wide["drawn_as"]) == ([["ａ ｆｏｘ", ""]], [], "")


def test_a_correction_counts_and_its_words_are_checked(designer: Browser, code: str) -> None:
    corrected = {"赤い狐": "a fox and a unicorn", "家": ""}
    sent = {"prompts": "赤い狐\n家", "kind": "prompt", "style": code, "drawn_as": json.dumps(corrected)}
    fox, house = designer.post("/readings", data=sent).json()
    assert fox["drawn_as"] == "a fox and a unicorn"
    assert fox["notes"] == ["The model does not know “unicorn”."]
    assert house["drawn_as"] == "a house"


def test_a_form_that_cannot_keep_english_reads_what_is_written(designer: Browser, code: str) -> None:
    (found,) = designer.post("/readings", data={"prompts": "狐", "kind": "prompt", "style": code}).json()
    assert (found["drawn_as"], found["nothing"]) == ("", True)


def test_both_texts_are_kept_and_the_model_gets_english(server: Server, designer: Browser, code: str) -> None:
    corrected = {"星": "a yellow star"}
    answer = designer.post("/sets", data=FORM | {"style": code, "drawn_as": json.dumps(corrected)})
    assert answer.status_code == 303, answer.text
    with server.resources.database.read() as session:
        image_set = session.scalars(select(ImageSet)).one()
        images = session.scalars(select(Image).order_by(Image.position)).all()
        assert (image_set.seed, image_set.width, image_set.count) == (128, 64, 1)
        assert [(each.prompt, each.drawn_as) for each in images] == [
            ("赤い狐", "a red fox"),
            ("a fox", None),
            ("走る狐, 家", "a fox, a house"),
        ]
        work = units.engine_work(
            session, 1, image_set, image_set.style_version, images, 1.0, server.resources.files, None
        )
    assert [each.prompt for each in work.images] == [
        "a red fox, flat icon",
        "a fox, flat icon",
        "a fox, a house, flat icon",
    ]
    assert work.negative_prompt == "a tree"
    assert [each.prompt for each in work.regions] == ["a yellow star, flat icon"]
    page = designer.get(answer.headers["location"]).text
    for said in ("a red fox", "a tree", "a yellow star"):
        assert f'Drawn as: <span lang="en">{said}</span>' in page
    again = designer.get(f"/sets/new?from={image_set.id}").text
    assert "a yellow star" in again


def test_a_refused_form_says_what_will_be_drawn_without_scripts(designer: Browser, code: str) -> None:
    sent = FORM | {"style": code, "seed": "x", "drawn_as": json.dumps({"赤い狐": "a fox"})}
    page = designer.post("/sets", data=sent)
    assert page.status_code == 422
    said = re.findall(r'Will be drawn as: <span lang="en">([^<]*)</span>', page.text)
    assert said == ["a fox", "a fox, a house", "a star", "a tree"]
    again = designer.post("/sets", data=sent | {"regions": "[{"}).text
    assert "Will be drawn as:" in again, "what can be read of it"


def test_a_picture_is_redone_with_another_correction(server: Server, designer: Browser, code: str) -> None:
    path = designer.post("/sets", data=FORM | {"style": code}).headers["location"]
    assert path
    image = wait_for(server, path, State.FINISHED)[0]
    same = {"prompt": image.prompt, "seed": str(image.seed), "strength": "1", "count": "1"}
    refused = designer.post(f"/images/{image.id}/again", data=same)
    assert refused.status_code == 422
    assert 'Will be drawn as: <span lang="en">a red fox</span>' in refused.text
    answer = designer.post(f"/images/{image.id}/again", data=same | {"drawn_as": json.dumps({"赤い狐": "a pink fox"})})
    assert answer.status_code == 303
    with server.resources.database.read() as session:
        newest = session.scalars(select(Image).order_by(Image.id.desc())).first()
        assert newest
        assert (newest.prompt, newest.drawn_as, newest.version) == ("赤い狐", "a pink fox", 2)


def test_the_text_of_a_style_is_drawn_in_english(server: Server, designer: Browser, code: str) -> None:
    with making(server) as make:
        style = make.style()
        reference = style.versions[0].references[0].reference_id
    sent = {"name": "水彩", "text": "水彩", "reference_prompt": "猫", "method": "noise", "strength": "１", "scale": "1"}
    refused = designer.post("/styles", data=sent | {"reference_id": str(reference), "drawn_as": "{}", "scale": "9"})
    assert refused.status_code == 422
    assert 'Will be drawn as: <span lang="en">watercolor</span>' in refused.text
    assert 'Will be drawn as: <span lang="en">a cat</span>' in refused.text
    answer = designer.post("/styles", data=sent | {"reference_id": str(reference), "drawn_as": "{}"})
    assert answer.status_code == 303, answer.text
    page = designer.get(answer.headers["location"]).text
    assert 'Drawn as: <span lang="en">watercolor</span>' in page
    assert 'Drawn as: <span lang="en">a cat</span>' in page
    with server.resources.database.read() as session:
        version = latest_version(session, answer.headers["location"].rpartition("/")[2])
        assert version
        assert version.said_text == "watercolor"


def test_corrections_that_no_page_sends_are_refused(designer: Browser, code: str) -> None:
    for wrong in ("[]", "x", '{"a": 1}', "[" * 2000):
        answer = designer.post("/sets", data=FORM | {"style": code, "drawn_as": wrong})
        assert answer.status_code == 422
        assert "The page sent something unreadable" in answer.text


def test_subjects_are_named_in_japanese(server: Server, designer: Browser, code: str) -> None:
    with making(server) as make:
        mug = make.finished_subject(name="ﾏｸﾞｶｯﾌﾟ").id
    sent = {"prompts": "@マグカップの写真と赤い狐、走る\n＠マグカップケーキの絵", "style": code, "drawn_as": "{}"}
    read, cake = designer.post("/readings", data=sent | {"kind": "prompt"}).json()
    assert read["drawn_as"] == "@マグカップ and a red fox"
    assert read["pieces"] == [["@マグカップの写真と赤い狐、", ""], ["走る", "unknown"]]
    assert cake["drawn_as"] == "", "no such subject"
    form = FORM | {"style": code, "prompts": sent["prompts"], "regions": ""}
    assert "There is no subject @マグカップケーキの絵." in designer.post("/sets", data=form).text
    answer = designer.post("/sets", data=form | {"prompts": "@マグカップの写真と赤い狐"})
    assert answer.status_code == 303, answer.text
    with server.resources.database.read() as session:
        image_set = session.scalars(select(ImageSet)).one()
        assert [part.id for part in image_set.subjects] == [mug]
        assert image_set.images[0].drawn_as == "@マグカップ and a red fox"
    assert answer.headers["location"] in designer.get("/search?q=マグカップ").text


def test_drafts_of_a_tuning_are_drawn_in_english_too(server: Server, designer: Browser, code: str) -> None:
    typed = {"style": code, "prompts": "赤い狐", "drawn_as": json.dumps({"赤い狐": "a pink fox"})}
    ours = {"draft": "k" * 22, "draft-place": "/sets/new", "draft-revision": "0"}
    place = designer.post("/tunings/begin", data=typed | ours).headers["location"]
    form = designer.get(place).text
    assert json.loads(unescape(re.search(r'name="drawn_as" value="([^"]*)"', form)[1])) == {"赤い狐": "a pink fox"}
    back = unescape(re.search(r'name="from" value="([^"]*)"', form)[1])
    for given, drawn in (("{}", "a red fox"), (json.dumps({"赤い狐": "a fox"}), "a fox")):
        asked = {"style": code, "prompts": "赤い狐", "drawn_as": given, "from": back}
        place = designer.post("/tunings", data=asked).headers["location"]
        with server.resources.database.read() as session:
            newest = session.scalars(select(Tuning).order_by(Tuning.id.desc())).first()
            assert newest
            assert newest.drawn_as == {"赤い狐": drawn}
        designer.post(f"{place.partition('?')[0]}/cancel")
