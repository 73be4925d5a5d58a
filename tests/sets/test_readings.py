"""What the model reads of a set: the style's text is kept everywhere, and what gets lost is said."""

import json
from dataclasses import replace

from sqlalchemy.orm import Session

from app.files import Files
from app.models import ImageSet, Unit
from app.sets import readings, units
from tests.factory import MODEL, Factory
from tests.prompts.test_reader import LONG, READER

READING = replace(MODEL, reader=READER)


def engine_unit(session: Session, image_set: ImageSet, files: Files) -> units.engine.Unit:
    session.commit()
    return units.engine_unit(session, session.query(Unit).filter_by(set_id=image_set.id).one(), files, READING)


def test_two_styles_make_different_prompts_of_a_long_one(session: Session, make: Factory, files: Files) -> None:
    region = json.dumps([{"prompt": LONG, "box": [0, 0, 1, 1], "strength": 1.0}])
    seen = []
    for text in ("flat icon", "watercolor sketch"):
        style = make.style(text=text, reference_prompt=LONG)
        image_set = make.image_set(style=style, prompts=LONG, regions=region, negative_prompt=LONG)
        for image in image_set.images:
            image.state = "generating"
        unit = engine_unit(session, image_set, files)
        read = [unit.images[0].prompt, unit.regions[0].prompt, unit.references[0].prompt]
        assert all(each.endswith(f", {text}") for each in read)
        assert all(READER.tokens(each) <= 22 for each in (*read, unit.negative_prompt))
        seen.append(read)
    assert seen[0] != seen[1]


def test_what_is_said_of_a_set(session: Session, make: Factory) -> None:
    style = make.style(text="flat icon")
    region = json.dumps([{"prompt": "a castle", "box": [0, 0, 1, 1]}])
    wanted = {"prompts": f"a fox\na unicorn\n{LONG}", "negative_prompt": "frames", "regions": region}
    image_set = make.image_set(style=style, **wanted, guidance="1")
    told = readings.of_set(session, image_set, READER)
    assert told[0] == "Prompt 2: The model knows none of these words. Try others."
    assert told[1].startswith("Prompt 3: The prompt is too long: the model stops reading before “")
    assert told[2:] == [
        "Region 1: The model knows none of these words. Try others.",
        "The model does not know “frames” in the negative prompt.",
        readings.NEGATIVE_UNUSED,
    ]
    assert readings.of_set(session, make.image_set(style=style, prompts="a fox"), READER) == []


def test_what_is_said_while_typing(session: Session, make: Factory) -> None:
    style = make.style(text="flat icon " * 4)
    found = readings.read(session, READER, ["a fox", LONG], "prompt", readings.style_text(session, style.code))
    assert [bool(each.notes) for each in found] == [False, True]
    alone = readings.read(session, READER, [LONG], "prompt", readings.style_text(session, "SOR-NONE"))[0]
    assert len(alone.pieces[0][0]) > len(found[1].pieces[0][0]), "a style's text takes some of the room"
    assert not readings.read(session, READER, ["text"], "negative")[0].nothing


def test_a_negative_prompt_needs_guidance() -> None:
    assert readings.negative_unused("text", 1.0) == readings.NEGATIVE_UNUSED
    assert readings.negative_unused("text", 1.5) is None
    assert readings.negative_unused("", 1.0) is None
